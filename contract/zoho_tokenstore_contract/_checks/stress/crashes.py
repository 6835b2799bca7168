"""CRASH: what a store has kept when its process is killed, the disk is full or a file damaged."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..._drivers.processes.crash_points import CrashPoints, chosen
from ..._drivers.processes.fork_server import Child, Pipe, Processes
from ..._harness.calls import Answer, CallRecord
from ..._harness.limits import SPARE, Pool, active
from ..._harness.messages import format_exception, format_rows
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace, not_applicable
from ..._spec.tokens import FIELDS, Row, format_row, format_value, to_token
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    CLIENT,
    GRANT,
    GUS,
    ONE_OF_EVERY_KIND,
    REFRESH,
    WIDTH,
    key_of,
    person,
)
from ..storage_faults import DAMAGES, files_in, main_file, out_of_reach
from .processes import rows_with

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

USERS = 8
MOMENTS = 14
TIMED = 8
RETURNED = "as soon as it had returned"


def wide(name: str, turn: object = "") -> Row:
    """A user's row with fields as long as they may be, so that writes fill buffers, all of this turn."""
    row = person(name)
    text = {
        field: f"{value}.{turn}.".ljust(WIDTH, "x")
        for field, value in row.present().items()
        if field not in ("user_name", "expires_in", "api_domain")
    }
    return row.but(**text, expires_in=f"19{sum(map(ord, str(turn))):011d}")


# CRASH-1


@dataclass(frozen=True)
class Kill:
    """One kill and the save in which it comes.

    Attributes:
        row: What is being saved.
        moment: The moment of the save at which the process kills itself.
        after: How much later than the save began, in seconds, the kernel kills it, whatever it does
            then. With neither of the two, and where the save was quicker, it is killed as soon as the
            save has returned.
    """

    row: Row
    moment: int | None = None
    after: float | None = None


def _in_child(answer: str, row: Row | None = None, id: Any = None, method: str = "save_token") -> CallRecord:
    """The record of what another process did; its rows are wide and shown in brief."""
    what = f"{method} ->" if row is None else f"save_token of {_brief(row)}"
    argument = ... if row is None else row
    return CallRecord(1, method, argument, answer, id, note=f"in another process: {what} {answer}")


@check("CRASH-1", persistent=True)
def a_save_that_is_killed_at_any_moment_loses_nothing(workspace: Workspace) -> None:
    with Processes(workspace) as processes:
        state = Storage(workspace, processes)
        names, _ = measured(state)
        for turn, kind in enumerate(("update", "insert")):
            for moment in chosen(names[turn], workspace.effort.times(MOMENTS)):
                called = names[turn][moment] if moment < len(names[turn]) else "its return"
                state.survives(Kill(state.row(kind), moment), f"before {called}, moment {moment + 1} of it")


@check("CRASH-1", persistent=True)
def a_save_that_is_killed_at_any_time_loses_nothing(workspace: Workspace) -> None:
    with Processes(workspace) as processes:
        state = Storage(workspace, processes)
        _, duration = measured(state)
        times = workspace.effort.times(TIMED)
        for number in range(times):
            after = 1.25 * duration * (number + 1) / times  # some saves take longer
            row = state.row("insert" if number % 2 else "update")
            state.survives(Kill(row, after=after), f"{after * 1000:.2f} ms after it began")
        for kind in ("update", "insert") * workspace.effort.times(2):
            state.survives(Kill(state.row(kind)))


def measured(state: Storage) -> tuple[list[list[str]], float]:
    """What an update and an insert call at their moments, and how long such a save takes.

    Raises:
        Violation: A save fails where nothing is killed: another clause speaks of that.
    """
    rows = [state.row(kind) for kind in ("update", "insert") * 2]
    state.workspace.remember(rows)
    child = state.processes.start(measure, state.location, [asdict(row) for row in rows]).ready()
    told = child.receive("save_token")
    child.end()
    if "raised" in told:
        state.workspace.fail(
            "save_token works in another process", f"raised {told['raised']}", precondition_failed=True
        )
    state.read()
    return told["names"], told["duration"]


class Storage:
    """A location with rows, and what it has to hold after each kill."""

    def __init__(self, workspace: Workspace, processes: Processes) -> None:
        self.workspace = workspace
        self.processes = processes
        store = workspace.open()
        self.location = store.location
        # In a store with room for a few rows, new ones find some too.
        self.users = active().fitting(USERS, 2 + SPARE)
        others = Pool((ACCESS, REFRESH))
        self.rows = store.holding(*(wide(f"user{number}") for number in range(self.users)), *others)
        workspace.close(store)
        self._arranged = list(workspace.calls)
        self._turn = 0
        self._kills = 0
        # A server may still finish what a killed process had asked of it, any time later.
        self._flying: list[Row] = []
        self._next = processes.start(save_and_be_killed, self.location)

    def read(self) -> None:
        """Take what is there for what has to be there."""
        store = self.workspace.open(self.location)
        self.rows = store.listed()
        self.workspace.close(store)

    def row(self, kind: str) -> Row:
        """What is saved next: a user's row with new fields, or a new user's."""
        self._turn += 1
        if kind == "insert" and active().fitting(1, len(self.rows) + len(self._flying)):
            return wide(f"new{self._turn}", self._turn)
        return wide(f"user{self._turn % self.users}", self._turn)

    def survives(self, kill: Kill, when: str = RETURNED) -> bool:
        """Have one save acknowledged and be killed in the next; everything must be there.

        Returns:
            Whether the kill came in the middle of the save.
        """
        workspace = self.workspace
        rows = [self.row("insert" if self._turn % 2 else "update"), kill.row]
        workspace.remember(rows)
        workspace.calls[:] = self._arranged
        if self._kills:
            workspace.calls.append(
                CallRecord(1, "close", answer=f"closed; {self._kills} kills that lost nothing")
            )
        self._kills += 1
        given = self._saved_and_killed(kill, rows)
        for row, id in zip(rows, given, strict=False):
            workspace.calls.append(_in_child("returned None", row, id))
        if len(given) < len(rows):
            workspace.calls.append(_in_child(f"killed {when}", kill.row))
        else:
            workspace.calls.append(_in_child(f"killed {RETURNED}", method="kill"))
        self._compare(rows, given)
        return len(given) < len(rows)

    def _saved_and_killed(self, kill: Kill, rows: list[Row]) -> list[Any]:
        """The ids that the acknowledged saves gave their tokens."""
        payload = {
            "rows": [asdict(row) for row in rows],
            "moment": kill.moment,
            "after": kill.after,
        }
        child = self._next.ready()
        child.send(payload)
        self._next = self.processes.start(save_and_be_killed, self.location)  # imports meanwhile
        said = child.rest("save_token")
        child.end()
        for word in said:
            if "raised" in word:
                self.workspace.fail("save_token works, also after kills", f"raised {word['raised']}")
        return [word["saved"] for word in said if "saved" in word]

    def _compare(self, rows: list[Row], given: list[Any]) -> None:
        workspace = self.workspace
        store = workspace.open(self.location)
        found = rows_with(store, [row.id for row in self.rows] + given)
        workspace.close(store)
        wanted = {row.user_name or row: row for row in self.rows}
        for row, id in zip(rows, given, strict=False):
            old = wanted.get(row.user_name)
            wanted[row.user_name] = row.but(id=id) if old is None else old.updated_by(row)
        self._flying += rows[len(given) : len(given) + 1]
        rest = list(found)
        for key, row in wanted.items():
            accepted = [row, *(row.updated_by(one) for one in self._flying if one.user_name == key)]
            there = next((one for one in rest if one in accepted), None)
            if there is None:
                workspace.fail(
                    f"after the kill, every save that had returned is there, whole: {_brief(row)}",
                    _instead_of(row, found),
                )
            rest.remove(there)
        landed = [row.but(id=None) for row in rest if row.id]
        if len(landed) < len(rest) or len({*landed}) < len(landed) or not {*landed} <= {*self._flying}:
            workspace.fail("after the kill, no row but those that were saved", format_rows(rest))
        self.rows = found


def _brief(row: Row) -> str:
    """A wide row in as few words as tell it from others."""
    return format_row(row.only("id", "user_name", "access_token", "expires_in"))


def _instead_of(row: Row, found: Sequence[Row]) -> str:
    """What is there in the place of a row."""
    own = [one for one in found if one.user_name == row.user_name and (row.user_name or one.id == row.id)]
    if not own:
        return f"no such row; {len(found)} rows in all"
    wrong = [name for name in FIELDS if getattr(own[0], name) != getattr(row, name)]
    now = ", ".join(f"{name}={format_value(getattr(own[0], name))}" for name in wrong[:3])
    return f"{len(own)} row(s) of that user, the first with other values in {', '.join(wrong)}: {now}"


def measure(store: Any, location: Path, pipe: Pipe, payload: Any) -> None:
    """In a child: save each row, report how long the second one takes and what the others then call."""
    tokens = [to_token(Row(**fields)) for fields in payload]
    names, duration = [], 0.0
    try:
        for token in tokens[:2]:
            began = time.perf_counter()
            store.save_token(token)
            duration = time.perf_counter() - began
        for token in tokens[2:]:
            with CrashPoints() as moments:
                store.save_token(token)
            names.append(moments.names)
    except Exception as error:
        pipe.send({"raised": format_exception(error)})
        return
    pipe.send({"names": names, "duration": duration})


def save_and_be_killed(store: Any, location: Path, pipe: Pipe, nothing: Any) -> None:
    """In a child: save each row, tell of each, and die in the last one."""
    payload = pipe.receive()

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def die_at(moment: int) -> None:
        if moment == payload["moment"]:
            die()

    tokens = [to_token(Row(**fields)) for fields in payload["rows"]]
    for token in tokens:
        last = token is tokens[-1]
        try:
            if last and payload["moment"] is not None:
                with CrashPoints(die_at):
                    store.save_token(token)
                die()
            if last and payload["after"] is not None:
                # A timer is exact where another process would be late; that of an alarm ends a process.
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.setitimer(signal.ITIMER_REAL, max(payload["after"], 1e-6))
            store.save_token(token)
            if last and payload["after"] is not None:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except Exception as error:
            pipe.send({"raised": format_exception(error)})
            return
        pipe.send({"saved": token.get_id()})
    die()


# CRASH-2

FILL = 24  # saves that may still find room
LARGE = 4096  # characters a field, for stores whose files do not grow otherwise
EXTRA = (1, 16, 700, 4096, 9000)
"""How many bytes more than the largest file has: in the first field of a row, in its middle, a page."""


@check("CRASH-2", persistent=True)
def a_full_disk_makes_saving_raise_and_costs_no_row(workspace: Workspace) -> None:
    if resource is None:
        not_applicable("file-size limits are a POSIX call, which is missing here")
    with Processes(workspace) as processes:
        store = workspace.open()
        before = store.holding(*(wide(f"user{number}") for number in range(USERS)), ACCESS, REFRESH)
        main_file(store)
        location = store.location
        workspace.close(store)
        arranged = list(workspace.calls)
        raised = []
        for turn, extra in enumerate(EXTRA):
            workspace.calls[:] = arranged
            rows = [_filling("update" if turn % 2 else "insert", turn, number) for number in range(FILL + 6)]
            workspace.remember(rows)
            payload = {"rows": [asdict(row) for row in rows], "extra": extra}
            child = processes.start(save_until_full, location, payload).ready()
            before, failed = _kept_when_full(child, location, before, rows)
            raised.append(failed)
        if not any(raised):
            not_applicable(
                "the process that saves never had to write beyond a limit just above its largest file"
            )


def _filling(kind: str, turn: int, number: int) -> Row:
    name = f"user{number % USERS}" if kind == "update" else f"full{turn}-{number}"
    row = wide(name, f"{turn}-{number}")
    if number < FILL:
        return row
    return row.but(
        **{name: value.ljust(LARGE, "y") for name, value in row.present().items() if name.endswith("_token")}
    )


def _kept_when_full(
    child: Child, location: Path, before: list[Row], rows: list[Row]
) -> tuple[list[Row], bool]:
    """Compare what is there when the limit is gone; the rows, and whether a save raised."""
    workspace = child.workspace
    limit = child.receive("save_token")
    workspace.calls.append(_in_child(f"no file grows beyond {limit} bytes", method="limit"))
    ids = [row.id for row in before]
    wanted = {row.user_name or row: row for row in before}
    failed = None
    for row in rows:
        word = child.receive("save_token beyond the file-size limit")
        if "raised" in word:
            failed = row
            workspace.calls.append(_in_child(f"raised {word['raised']}", row))
            break
        id = word["saved"]
        ids.append(id)
        workspace.calls.append(_in_child("returned None", row, id))
        old = wanted.get(row.user_name)
        wanted[row.user_name] = row.but(id=id) if old is None else old.updated_by(row)
    child.receive("close")
    child.end()
    workspace.calls.append(_in_child("the limit is gone", method="limit"))
    store = workspace.open(location)
    found = rows_with(store, ids)
    workspace.close(store)
    for row in wanted.values():
        accepted = [row]
        if failed is not None and failed.user_name == row.user_name:
            accepted.append(row.updated_by(failed))
        if not any(one in accepted for one in found):
            promised = (
                "every earlier row is still there when the limit is gone"
                if failed is not None
                else "save_token raises where it could not write, and what it stored is there"
            )
            workspace.fail(f"{promised}: {_brief(row)}", _instead_of(row, found))
    return found, failed is not None


def save_until_full(store: Any, location: Path, pipe: Pipe, payload: Any) -> None:
    """In a child: save under a file-size limit until that fails."""
    assert resource is not None
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that writing fails instead
    limit = max(path.stat().st_size for path in files_in(location)) + payload["extra"]
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    tokens = [to_token(Row(**fields)) for fields in payload["rows"]]
    pipe.send(limit)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
    for token in tokens:
        try:
            store.save_token(token)
        except Exception as error:
            pipe.send({"raised": format_exception(error)})
            break
        pipe.send({"saved": token.get_id()})
    # What it still tries to write now must not destroy anything either.
    close = getattr(store, "close", None)
    if callable(close):
        with contextlib.suppress(Exception):
            close()
    pipe.send("closed")
    pipe.receive()


# CRASH-3


@check("CRASH-3", persistent=True)
def a_damaged_file_is_refused_when_it_is_read(workspace: Workspace) -> None:
    for what, damage in DAMAGES:
        before, location, main = _damaged(workspace, what, damage)
        content = main.read_bytes()
        opened = _refused_or_opened(workspace, location)
        if opened is not None:
            answer = opened.call("get_tokens")
            if answer.raised is None:
                opened.expect(before, because=f"a file is refused when {what}; or every row is still there")
            elif not answer.refused:
                workspace.fail("SDKException for a damaged file", str(answer))
            workspace.leave(opened)
            if answer.raised is None:
                continue
        _left_alone(workspace, main, content)


@check("CRASH-3", persistent=True)
def a_damaged_file_is_refused_when_it_is_written(workspace: Workspace) -> None:
    for what, damage in DAMAGES:
        before, location, main = _damaged(workspace, what, damage)
        content = main.read_bytes()
        opened = _refused_or_opened(workspace, location)
        if opened is not None:
            saved = opened.try_save(person("zoe"))
            if saved.answer.raised is None:
                listing = opened.call("get_tokens")
                if not listing.refused:
                    opened.expect(
                        before, new=1, because=f"a file is refused when {what}; or every row is still there"
                    )
                    continue
                # A store of several files may save elsewhere, as long as it owns up to the damage.
            elif not saved.answer.refused:
                workspace.fail("SDKException for a damaged file", str(saved.answer))
            workspace.leave(opened)
        _left_alone(workspace, main, content)


def _damaged(
    workspace: Workspace, what: str, damage: Callable[[bytes], bytes]
) -> tuple[list[Row], Path, Path]:
    """Store rows, close, damage the main file: the rows, the location, the file."""
    workspace.fresh_examples()
    store = workspace.open()
    before = store.holding(GUS)
    workspace.close(store)
    main_file(store)  # before more is asked of a store without files
    store = workspace.open(store.location)
    before += store.holding(*(row for row in ONE_OF_EVERY_KIND if row != GUS))
    workspace.close(store)
    store.store = None  # whatever closes itself when it is forgotten
    gc.collect()
    main = main_file(store)
    main.write_bytes(damage(main.read_bytes()))
    workspace.calls.append(CallRecord(1, "damage", answer=f"{main.relative_to(store.location)}: {what}"))
    return before, store.location, main


def _refused_or_opened(workspace: Workspace, location: Path) -> StoreHandle | None:
    """The opened store; ``None`` where opening is refused."""
    answer, opened = workspace.try_open(location)
    if opened is None and not answer.refused:
        workspace.fail("SDKException for a damaged file", f"opening {answer}")
    return opened


def _left_alone(workspace: Workspace, main: Path, content: bytes) -> None:
    if not main.is_file():
        workspace.fail("a damaged file that is refused is left as it is", f"{main.name} is gone")
    if main.read_bytes() != content:
        workspace.fail("a damaged file that is refused is left as it is", f"{main.name} has other content")


# CRASH-4

METHODS = ("find_token", "save_token", "get_tokens", "find_token_by_id", "delete_token", "delete_tokens")


@check("CRASH-4")
def every_method_raises_when_the_storage_is_out_of_reach(workspace: Workspace) -> None:
    for method in METHODS:
        for row in (ANN, person("zoe")) if method in ("find_token", "save_token") else (ANN,):
            workspace.fresh_examples()
            with out_of_reach(workspace) as (store, rows):
                _raises(workspace, store, method, row, rows[0].id)


@check("CRASH-4")
def every_method_raises_one_after_another(workspace: Workspace) -> None:
    with out_of_reach(workspace) as (store, rows):
        for method in (*METHODS, *METHODS):
            _raises(workspace, store, method, ANN, rows[0].id)


@check("CRASH-4")
def every_way_of_asking_raises_when_the_storage_is_out_of_reach(workspace: Workspace) -> None:
    rows = (ANN, ACCESS, GRANT, REFRESH)
    unknown = (
        Row(user_name="zoe@example.com:77"),
        Row(access_token="1000.zoe.access"),
        Row(**CLIENT, grant_token="1000.zoe.grant"),
        Row(**CLIENT, refresh_token="1000.zoe.refresh"),
    )
    with out_of_reach(workspace, rows, gone=(person("gone"),)) as (store, held):
        for row in (*map(key_of, rows), *unknown, Row(id=held[0].id), Row(id=held[-1].id)):
            _raises(workspace, store, "find_token", row, None)
        for row in (*(key_of(row).but(expires_in="1900000000999") for row in rows), REFRESH, GUS):
            _raises(workspace, store, "save_token", row, None)
        for row in held:
            _raises(workspace, store, "find_token_by_id", ANN, row.id)
            _raises(workspace, store, "delete_token", ANN, row.id)


def _raises(workspace: Workspace, store: StoreHandle, method: str, row: Row, id: Any) -> None:
    argument = {"find_token_by_id": (id,), "delete_token": (id,), "get_tokens": (), "delete_tokens": ()}
    answer: Answer = store.call(method, *argument.get(method, (to_token(row),)))
    if answer.raised is None:
        workspace.fail(f"{method} raises when the storage is out of reach", str(answer))
