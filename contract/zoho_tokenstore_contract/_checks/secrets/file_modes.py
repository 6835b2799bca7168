"""SECRET-1: files are closed to other users."""

from __future__ import annotations

from ..._drivers.processes.children import Processes
from ..._drivers.processes.file_modes import open_files, seen_during_saves
from ..._drivers.storage_faults import files_in
from ..._drivers.surroundings import places_of_its_own, usual_umask
from ..._harness.row_acts import require
from ..._harness.workspace import Workspace, not_applicable
from ..registry import check
from ..sample_tokens import ACCESS, ANN, BOB, GRANT, ONE_OF_EVERY_KIND, REFRESH, person


@check("SECRET-1")
def files_are_closed_to_others_after_each_call(workspace: Workspace) -> None:
    with usual_umask(workspace):
        store = workspace.open()
        seen: dict[str, str] = {}

        def look(after: str) -> None:
            for name, mode in open_files(store.location).items():
                seen.setdefault(name, f"{name} has mode {mode} after {after}")

        look("opening")
        for row in ONE_OF_EVERY_KIND:
            store.try_save(row)
            look("save_token")
        saved = store.try_save(ANN.but(access_token="1000.ann.access.2"))
        look("an update")
        found = store.find_quietly(ANN.only("user_name"))
        look("find_token")
        stored = found.returned is not None or not files_in(store.location)
        require(workspace, stored, "a token is stored, whose file is looked at", found)
        store.call("delete_token", saved.passed_after.id)
        look("delete_token")
        files = files_in(store.location)
        workspace.close(store)
        look("closing")
        files += files_in(store.location)
        if workspace.sut.persistent:
            store = workspace.open(store.location)
            store.try_save(ANN)
            look("opening again")
            workspace.close(store)
        if not files:
            not_applicable("the store keeps no files under its location")
        _all_closed(workspace, seen)


@check("SECRET-1")
def files_outside_the_location_are_closed_to_others(workspace: Workspace) -> None:
    with usual_umask(workspace):
        store = workspace.holding(ANN)
        if not files_in(store.location):
            not_applicable("the store keeps no files under its location")
        workspace.fresh_examples()
        with places_of_its_own(workspace) as places:
            store = workspace.open()
            rows = store.holding(ANN, ACCESS, GRANT, REFRESH)
            store.try_save(ANN.but(access_token="1000.ann.access.2"))
            store.call("delete_token", rows[1].id)
            store.find_quietly(ANN.only("user_name"))
            seen = {
                name: f"{name}, which lies outside the location, has mode {mode}"
                for name, mode in open_files(places).items()
            }
        for path in store.location.parent.iterdir():  # beside the location
            if path.is_file() and path.stat().st_size and path.stat().st_mode & 0o066:
                seen[path.name] = f"../{path.name}, which lies outside the location, is open"
        _all_closed(workspace, seen)


@check("SECRET-1", persistent=True)
def files_are_closed_to_others_in_the_middle_of_each_call(workspace: Workspace) -> None:
    with usual_umask(workspace), Processes(workspace) as processes:
        store = workspace.holding(ANN, ACCESS, BOB)
        if not files_in(store.location):
            not_applicable("the store keeps no files under its location")
        workspace.close(store)
        rows = [person("zoe"), ANN.but(access_token="1000.ann.access.2"), GRANT, REFRESH]
        workspace.remember(rows)
        _all_closed(workspace, seen_during_saves(processes, store.location, rows))


def _all_closed(workspace: Workspace, seen: dict[str, str]) -> None:
    if seen:
        workspace.fail(
            "every file with content is closed to group and others, or in a directory of the store's that is",
            "; ".join(list(seen.values())[:5]),
        )
