"""What a step of a call reads and changes is seen, and threads are paused where two of them meet."""

from __future__ import annotations

import os
import threading
import weakref
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql

from tests.stores.catalogue import sut_for
from tests.stores.faulty_threads import TwoLocks
from zoho_reference_stores import ListStore
from zoho_tokenstore_contract._drivers.raise_in_call import Interrupts
from zoho_tokenstore_contract._drivers.threads.program_runner import ThreadRunner
from zoho_tokenstore_contract._drivers.threads.programs import ThreadProgram
from zoho_tokenstore_contract._drivers.threads.rendezvous import Scheduler
from zoho_tokenstore_contract._drivers.threads.shared_state import library_files
from zoho_tokenstore_contract._drivers.threads.step_tracer import StepTracer
from zoho_tokenstore_contract._drivers.threads.steps import Step, nested, split, telling
from zoho_tokenstore_contract._harness.store_pace import Pace
from zoho_tokenstore_contract._harness.workspace import Effort, Workspace
from zoho_tokenstore_contract._spec.model import Call
from zoho_tokenstore_contract._spec.tokens import Row, to_row, to_token


class Notes:
    """A thing with parts that threads share, and calls that use them."""

    def __init__(self, file: Path) -> None:
        self.file = str(file)
        self.lock = threading.Lock()
        self.texts: list[str] = []
        self.last = ""

    def work_alone(self) -> None:
        number = 1
        text = str(number)
        text.upper()

    def set_attribute(self) -> None:
        self.last = "x"

    def append(self) -> None:
        self.texts.append("x")

    def append_under_lock(self) -> None:
        with self.lock:
            self.texts.append("x")

    def write_file(self) -> None:
        with open(self.file, "w", encoding="utf-8") as file:
            file.write("x")

    def look_at_file(self) -> None:
        os.access(self.file, os.R_OK)


def steps_of(location: Path, method: str, *, closely: bool = True) -> list[Step]:
    """The steps of one call."""
    (location / "other").write_text("", encoding="utf-8")
    notes = Notes(location / "file")
    tracer = StepTracer(notes, location, closely=closely)
    tracer.watch(getattr(notes, method))
    return tracer.steps


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("work_alone", set()),
        ("set_attribute", {"last"}),
        ("append", {"[]"}),
        ("append_under_lock", {"[]"}),
        ("write_file", {"a file"}),
        ("look_at_file", set()),
    ],
)
def test_what_a_call_changes_is_seen(tmp_path: Path, method: str, changes: set[str]) -> None:
    """Attributes by name, items of lists, and files; not what is the call's own."""
    steps = steps_of(tmp_path, method)

    assert set().union(*(step.changes for step in steps)) == changes


def test_a_call_that_shares_nothing_is_paused_nowhere(tmp_path: Path) -> None:
    """Also not where nothing is known but the text of its lines."""
    other = steps_of(tmp_path, "append")

    assert telling(steps_of(tmp_path, "work_alone"), other) == []
    assert telling(steps_of(tmp_path, "work_alone", closely=False), other) == []


def test_calls_that_use_different_attributes_do_not_meet(tmp_path: Path) -> None:
    """One sets what the other never reads."""
    assert telling(steps_of(tmp_path, "set_attribute"), steps_of(tmp_path, "look_at_file")) == []


@pytest.mark.parametrize("closely", [True, False])
def test_a_lock_around_all_leaves_one_place(tmp_path: Path, closely: bool) -> None:
    """Others wait for it wherever the call is paused; one place shows whether they do."""
    steps = steps_of(tmp_path, "append_under_lock", closely=closely)

    assert len(telling(steps, steps)) == 1
    assert telling(steps, steps_of(tmp_path, "append", closely=closely))


def test_points_are_parted_where_something_changes() -> None:
    """Between two points of one group the store stays as it is."""
    assert split([1, 2, 5, 6, 9], [2, 6, 7]) == [[1, 2], [5, 6], [9]]


def test_locks_that_are_taken_in_one_line_are_told_apart(tmp_path: Path) -> None:
    """A thread can be paused while it has the first of them."""
    store: Any = TwoLocks(tmp_path)
    tracer = StepTracer(store, tmp_path, closely=False)
    tracer.watch(partial(store.delete_token, "unknown"))

    _, within = nested(tracer.steps, tracer.steps)

    assert [tracer.steps[number].place.code.co_name for number in within] == ["delete_token"]


def test_a_store_with_one_lock_is_run_few_times() -> None:
    """Of two equal saves one is run first, and then paused once."""
    rows = [Row(user_name=name, access_token=f"1000.{name}") for name in ("ann", "bob")]
    program = ThreadProgram((), tuple((Call("save_token", row),) for row in rows))
    with Workspace(sut_for(lambda _: ListStore(), persistent=False), Effort()) as workspace:
        runs = list(ThreadRunner(workspace).interleavings(program, 100))

    assert [(ran.paused, ran.waited) for ran in runs] == [(False, False), (True, True)]


class LooksThenInserts:
    """A store that reaches its table through a large library, and lets others in between look and insert."""

    def __init__(self, location: Path) -> None:
        self.engine = sql.create_engine(f"sqlite:///{location / 'tokens.db'}", poolclass=sql.NullPool)
        columns = [sql.Column(name, sql.Text) for name in ("user_name", "access_token")]
        self.table = sql.Table(
            "tokens", sql.MetaData(), sql.Column("id", sql.Integer, primary_key=True), *columns
        )
        self.table.create(self.engine, checkfirst=True)

    def save_token(self, token: Any) -> None:
        sent = to_row(token)
        is_users = self.table.c.user_name == sent.user_name
        with self.engine.begin() as connection:
            found = connection.execute(sql.select(self.table.c.id).where(is_users)).scalar()
        with self.engine.begin() as connection:
            fields = {"user_name": sent.user_name, "access_token": sent.access_token}
            if found is not None:
                connection.execute(self.table.update().where(is_users).values(**fields))
            else:
                connection.execute(self.table.insert().values(**fields))
                found = connection.execute(sql.select(sql.func.max(self.table.c.id))).scalar()
        token.set_id(str(found))

    def get_tokens(self) -> list[Any]:
        with self.engine.connect() as connection:
            rows = connection.execute(sql.select(self.table)).mappings().all()
        return [to_token(Row(**{**row, "id": str(row["id"])})) for row in rows]

    def delete_tokens(self) -> None:
        with self.engine.begin() as connection:
            connection.execute(self.table.delete())


def test_a_store_behind_a_large_library_is_paused_where_it_reaches_out(tmp_path: Path) -> None:
    """What the library does by itself is left out, and so few runs show that two threads insert one user."""
    rows = [Row(user_name="ann", access_token=f"1000.{number}") for number in range(2)]
    store = LooksThenInserts(tmp_path)
    first = StepTracer(store, tmp_path, closely=True)
    first.watch(partial(store.save_token, to_token(rows[0])))
    second = StepTracer(store, tmp_path, closely=True, too_large=first.found_too_much)
    second.watch(partial(store.save_token, to_token(rows[1])))
    program = ThreadProgram((), tuple((Call("save_token", row),) for row in rows))
    with Workspace(sut_for(LooksThenInserts), Effort()) as workspace:
        runs = list(ThreadRunner(workspace).interleavings(program, 100))

    assert first.found_too_much
    assert len(telling(second.steps, second.steps)) * 20 < len(second.steps)
    assert len(runs) < 20
    assert any(len(ran.rows) == 2 for ran in runs)


def test_who_pauses_a_thread_counts_its_places_as_who_watched_it(tmp_path: Path) -> None:
    """Of a library's functions both count the beginning and the end, where the store is too large."""
    store = LooksThenInserts(tmp_path)
    save = partial(store.save_token, to_token(Row(user_name="ann", access_token="1000.1")))
    for _ in range(2):  # what the library does once for an insertion and an update is done
        save()
    tracer = StepTracer(store, tmp_path, closely=True, too_large=True)
    tracer.watch(save)
    scheduler = Scheduler(10)
    scheduler.in_brief = library_files(store)

    places = scheduler.run_with_pause([[save]], 0)

    assert places == [step.place for step in tracer.steps]
    assert {place.event for place in places} == {"line", "call", "return"}


def test_a_store_is_found_too_large_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next check need not go through every line of its library to find that out again."""
    monkeypatch.setattr(Pace, "share", 1.0)  # a busy machine makes a store slow, which gets fewer pauses
    rows = [Row(user_name="ann", access_token=f"1000.{number}") for number in range(2)]
    program = ThreadProgram((), tuple((Call("save_token", row),) for row in rows))
    with Workspace(sut_for(LooksThenInserts), Effort()) as workspace:
        first, second = (
            [ran.paused for ran in ThreadRunner(workspace).interleavings(program, 100)] for _ in range(2)
        )

    assert first.count(False) > second.count(False) == 1
    assert second.count(True) == first.count(True)


class Node:
    """It holds itself."""

    itself: Node


class LeavesGarbage:
    """Its calls leave what a garbage collection calls back for."""

    def __init__(self) -> None:
        self.gone: list[object] = []
        self._kept: list[object] = []

    def call(self) -> None:
        node = Node()
        node.itself = node
        self._kept.append(weakref.ref(node, self._is_gone))
        del node
        self._kept.append(list(map(list, [()] * 10_000)))  # Python collects every few hundred or thousand

    def _is_gone(self, reference: object) -> None:
        self.gone.append(reference)


def test_what_a_garbage_collection_calls_is_no_place_of_a_call(tmp_path: Path) -> None:
    """It comes at another place each time: a thread would stand still, or an exception come, anywhere."""
    store = LeavesGarbage()
    store.call()
    collected = len(store.gone)
    tracer, interrupts = StepTracer(store, tmp_path, closely=False), Interrupts(store)

    tracer.watch(store.call)
    with interrupts.watching():
        store.call()
    places = [*(step.place for step in tracer.steps), *Scheduler(10).run_with_pause([[store.call]], 0)]
    codes = [*(place.code for place in places), *(point.code for point in interrupts.places)]

    assert collected == 1
    assert "call" in {code.co_name for code in codes}
    assert "_is_gone" not in {code.co_name for code in codes}


class Shy:
    """Nobody may look at it but who calls it."""

    __slots__ = ()

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError


def test_what_cannot_be_looked_at_may_do_anything(tmp_path: Path) -> None:
    """The tracer raises nothing into the store's call."""
    (tmp_path / "other").write_text("", encoding="utf-8")
    notes = Notes(tmp_path / "file")
    notes.part = Shy()  # type: ignore[attr-defined]
    done: list[None] = []

    tracer = StepTracer(notes, tmp_path, closely=True)
    tracer.watch(lambda: done.append(notes.append()))  # type: ignore[func-returns-value]

    assert done == [None]
    assert any(step.changes for step in tracer.steps)
