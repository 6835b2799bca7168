"""SECRET-2: no secret is told in logs, output or errors."""

from __future__ import annotations

from typing import Any

from ..._drivers.storage_faults import DAMAGES, break_storage, damage_main_file, files_in
from ..._harness.leak_checked_store import LeakCheckedStore
from ..._harness.output_capture import OutputCapture
from ..._harness.row_acts import require
from ..._harness.secret_texts import Secrets
from ..._harness.workspace import Workspace
from ..._spec.tokens import SECRETS, Row
from ..registry import check
from ..sample_tokens import ACCESS, ANN, BOB, GRANT, ONE_OF_EVERY_KIND, person

_LONG = 200_000


@check("SECRET-2")
def no_secret_is_told_when_all_goes_well(workspace: Workspace) -> None:
    secrets = Secrets()
    rows = [secrets.make(row) for row in ONE_OF_EVERY_KIND]
    with OutputCapture() as ears:
        tapped = LeakCheckedStore(workspace.open(), ears, secrets)
        ids = [tapped.save(row).get_id() for row in rows]
        _holds(tapped, rows[0])
        tapped.save(secrets.make(ANN.but(access_token="renewed")))
        for row in rows:
            tapped.find(row)
        tapped.save(secrets.make(ANN.but(**dict.fromkeys(SECRETS, "replaced"))))
        tapped.find(secrets.make(person("nobody")))
        tapped.ask("get_tokens")
        tapped.ask("find_token_by_id", ids[0])
        tapped.ask("find_token_by_id", "no such id")
        tapped.ask("delete_token", ids[-1])
        tapped.ask("delete_token", "no such id")
        tapped.answered("delete_tokens", tapped.store.clear())
        workspace.close(tapped.store)
        tapped.silent("closing")


@check("SECRET-2")
def no_secret_is_told_when_a_token_is_refused(workspace: Workspace) -> None:
    secrets = Secrets()
    with OutputCapture() as ears:
        tapped = LeakCheckedStore(workspace.open(), ears, secrets)
        ann = tapped.save(secrets.make(ANN))
        _holds(tapped, secrets.make(ANN))
        id = ann.get_id()
        tapped.save(secrets.make(BOB).but(id=id))
        tapped.save(secrets.make(ACCESS).but(id=id))
        tapped.save(secrets.make(GRANT).but(id=id))
        tapped.save(secrets.make(person("zoe", refresh_token=None, access_token=None, grant_token=None)))
        tapped.save(secrets.make(person("long")).but(id="i" * 300))
        for number, name in enumerate(SECRETS):
            text = secrets.new(name.replace("_", " "), f"odd{number}")
            for kind, odd in enumerate(("'", '"', "\0", "\ud800", "x" * _LONG)):
                row = secrets.make(person(f"odd{number}-{kind}"))
                tapped.save(row.but(**{name: f"{text}{odd}{text}"}))
                tapped.find(row.but(user_name=None, **{name: f"{text}{odd}{text}"}))
        tapped.save(secrets.make(person("zoe\ud800")))
        tapped.find(secrets.make(person("zoe\ud800")))
        tapped.find(Row(access_token=f"{secrets.new('access token', 'lone')}\ud800"))
        token = secrets.new("access token", "no token")
        tapped.ask("save_token", token)
        tapped.ask("save_token", {"access_token": token})
        tapped.ask("find_token", token)
        tapped.ask("delete_token", "1' or '1'='1")


@check("SECRET-2")
def no_secret_is_told_when_the_storage_fails(workspace: Workspace) -> None:
    secrets = Secrets()
    known, row = secrets.make(ANN), secrets.make(BOB)
    with OutputCapture() as ears:
        tapped = LeakCheckedStore(workspace.open(), ears, secrets)
        ids = [tapped.save(one).get_id() for one in (known, secrets.make(GRANT))]
        _holds(tapped, known)
        workspace.close(tapped.store)
        tapped.silent("closing")
        workspace.opened.append(tapped.store)  # a store may open itself again when it is called
        _all_methods(tapped, known, row, ids[0])
        if workspace.sut.break_storage is not None:
            store = workspace.open()
            rows = store.holding(known, row)
            break_storage(store)
            _all_methods(LeakCheckedStore(store, ears, secrets), known, row, rows[0].id)
        if workspace.sut.persistent and files_in(tapped.store.location):
            for what, damage in DAMAGES:
                workspace.fresh_examples()
                tapped = LeakCheckedStore(workspace.open(), ears, secrets)
                ids = [tapped.save(one).get_id() for one in (known, secrets.make(GRANT))]
                workspace.close(tapped.store)
                damage_main_file(tapped.store, what, damage)
                tapped.silent("closing")
                answer, opened = workspace.try_open(tapped.store.location)
                tapped.circumstances = f" after the kit damaged its file ({what})"
                tapped.answered("opening", answer)
                if opened is not None:
                    damaged = LeakCheckedStore(opened, ears, secrets, tapped.circumstances)
                    _all_methods(damaged, known, row, ids[0])


def _all_methods(tapped: LeakCheckedStore, known: Row, new: Row, id: Any) -> None:
    for row in (known, new):
        tapped.find(row)
        tapped.save(row)
    tapped.ask("get_tokens")
    tapped.ask("find_token_by_id", id)
    tapped.ask("delete_token", id)


def _holds(tapped: LeakCheckedStore, row: Row) -> None:
    """What follows says nothing unless the store holds the secret."""
    found = tapped.store.found(row.only("user_name"))
    there = found is not None and found.refresh_token == row.refresh_token
    require(tapped.workspace, there, "the store holds the secrets that were saved", f"found {found}")
