"""How the kit runs threads: they meet where it says, they end, and nothing stays changed."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.stores.catalogue import sut_for
from tests.stores.faulty_threads import InPlaceStore, MemoryStore, TwoLocks
from zoho_tokenstore_contract._drivers.threads.lockstep import Lockstep
from zoho_tokenstore_contract._drivers.threads.pause_points import Place, pause_points
from zoho_tokenstore_contract._drivers.threads.rendezvous import Scheduler, Stuck
from zoho_tokenstore_contract._drivers.threads.threads_of_stores import (
    OwnThread,
    following_threads,
    forget_followed,
    other_followed,
    trace_followed,
)
from zoho_tokenstore_contract._harness.workspace import Effort, Workspace
from zoho_tokenstore_contract._reproduce.minimize import CALLS
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._spec.clause_results import Outcome, Undecided


class Counter:
    """Counts in two steps."""

    def __init__(self) -> None:
        self.value = 0
        self.lock = threading.Lock()

    def count(self) -> None:
        before = self.value
        self.value = before + 1

    def count_on_one_line(self) -> None:
        self.value = self.next_value()

    def next_value(self) -> int:
        return self.value + 1

    def count_alone(self) -> None:
        with self.lock:
            self.count()


@pytest.mark.parametrize("method", ["count", "count_on_one_line"])
def test_standing_still_everywhere_shows_every_race(method: str) -> None:
    """Between reading and writing, within one line too, the other thread comes in between."""
    meeting = Scheduler(10)
    counted = []
    first = Counter()
    places = meeting.run_with_pause([[getattr(first, method)], [getattr(first, method)]], 0)
    for pause in pause_points(places, 100):
        counter = Counter()
        meeting.run_with_pause([[getattr(counter, method)], [getattr(counter, method)]], 0, pause)
        counted.append(counter.value)

    assert first.value == 2
    assert {1, 2} == set(counted)


@pytest.mark.parametrize(("method", "counted"), [("count", 1), ("count_alone", 4)])
def test_threads_in_lockstep_all_read_before_one_writes(method: str, counted: int) -> None:
    """Without a lock, all counts but one are lost each time; with a lock, none is, and all come back."""
    for _ in range(5):
        counter, lockstep = Counter(), Lockstep(4)
        threads = [
            threading.Thread(target=lockstep.run, args=(getattr(counter, method),), daemon=True)
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

        assert not any(thread.is_alive() for thread in threads)
        assert counter.value == counted


def test_a_thread_does_not_wait_for_ever_for_one_that_never_calls() -> None:
    """A call that the other threads do not make, too, comes back all the same."""
    counter = Counter()

    Lockstep(2).run(counter.count)

    assert counter.value == 1


def test_a_thread_does_not_stand_still_for_one_that_waits_for_it() -> None:
    """With a lock around everything no count is lost, wherever the first thread stands still."""
    meeting = Scheduler(10)
    first = Counter()
    places = meeting.run_with_pause([[first.count_alone], [first.count_alone]], 0)
    for pause in range(len(places)):
        counter = Counter()
        meeting.run_with_pause([[counter.count_alone], [counter.count_alone]], 0, pause)

        assert counter.value == 2


def test_a_place_in_a_helper_is_told_with_its_caller() -> None:
    """The method that uses a helper is named before it; one that the thread calls itself stands alone."""
    told = []
    for pause in range(4):
        counter = Counter()
        [place] = Scheduler(10).run_with_pause([[counter.count_alone]], 0, pause)
        told.append(str(place).rpartition(", before ")[0])

    line = Counter.count_alone.__code__.co_firstlineno
    assert told[0] == f"test_threads.py:{line + 1} in count_alone"
    caller = f"test_threads.py:{line + 2} in count_alone -> "
    assert told[2] == f"{caller}test_threads.py:{Counter.count.__code__.co_firstlineno + 1} in count"


def test_threads_that_run_freely_overlap() -> None:
    """None of them waits for another to end."""
    barrier = threading.Barrier(3, timeout=10)

    Scheduler(10).run_free([[barrier.wait], [barrier.wait], [barrier.wait]])  # type: ignore[list-item]

    assert not barrier.broken


def test_the_switch_interval_is_lowered_and_restored() -> None:
    """Also where threads are stuck."""
    before = sys.getswitchinterval()
    seen: list[float] = []
    never = threading.Event()

    Scheduler(10).run_free([[lambda: seen.append(sys.getswitchinterval())]])
    with pytest.raises(Stuck) as stuck:
        Scheduler(0.2).run_free([[never.wait]])  # type: ignore[list-item]
    never.set()

    assert seen[0] < before
    assert sys.getswitchinterval() == before
    assert list(stuck.value.stacks) == [1]


def test_a_deadlock_is_told_with_the_stack_of_each_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its store is left alone, and the next check runs."""
    monkeypatch.setattr(Workspace, "call_limit", 1.0)
    sut = sut_for(TwoLocks, persistent=False)

    result = check_clause("THREAD-5", sut, Effort(), search=CALLS)
    after = check_clause("THREAD-1", sut, Effort(), search=CALLS)

    assert result.outcome is Outcome.BROKEN
    assert "threads had not come back after 1 seconds" in result.message()
    assert "in save_token: with self.rows_lock, self.file_lock:" in result.message()
    assert "in delete_token: with self.file_lock, self.rows_lock:" in result.message()
    assert after.outcome is Outcome.KEPT, after.message()


class KeepsItsLock(MemoryStore):
    """A store whose lock is not given back where a call is interrupted."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.gate = threading.Lock()

    def save_token(self, token: Any) -> None:
        self.gate.acquire()
        super().save_token(token)
        self.gate.release()

    def get_tokens(self) -> list[Any]:
        with self.gate:
            return super().get_tokens()


def test_a_lock_that_is_kept_after_an_interruption_is_waited_for_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The clause is broken, and its other checks do not wait as long again."""
    monkeypatch.setattr(Workspace, "call_limit", 1.0)
    sut = sut_for(KeepsItsLock, persistent=False)

    result = check_clause("CRASH-6", sut, Effort())

    assert result.outcome is Outcome.BROKEN
    assert len(result.findings) == len(sut.hangs) == 1
    assert "threads had not come back after 1 seconds" in result.message()


def test_what_traces_already_goes_on_seeing_everything() -> None:
    """A debugger or coverage is told of every call, line and return in a thread that stands still."""
    counter = Counter()
    seen: list[tuple[str, int]] = []

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename == __file__ and frame.f_code.co_name.startswith("count"):
            seen.append((event, frame.f_lineno - frame.f_code.co_firstlineno))
        return trace

    before = threading.gettrace()
    threading.settrace(trace)
    try:
        Scheduler(10).run_with_pause([[counter.count_alone]], 0, 2)
    finally:
        threading.settrace(before)

    events = [event for event, _ in seen]
    assert events.count("call") == events.count("return") == 2
    assert {("line", 1), ("line", 2)} <= set(seen)


def test_a_fault_of_a_single_thread_is_none_of_threads() -> None:
    """THREAD-5 blames nobody for what the same calls do one by one."""

    class ListsNothing(MemoryStore):
        def get_tokens(self) -> list[Any]:
            return []

    result = check_clause("THREAD-5", sut_for(ListsNothing, persistent=False), Effort(), search=CALLS)

    assert result.outcome is Outcome.NOT_REACHED
    assert all(finding.precondition_failed for finding in result.findings)


def test_a_search_that_gives_up_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is never taken for kept."""

    def give_up(history: Any) -> None:
        raise Undecided("the search was given up")

    runs = "zoho_tokenstore_contract._drivers.threads.unexplained_runs"
    monkeypatch.setattr(f"{runs}.check_linearizable", give_up)

    assert (
        check_clause("THREAD-5", sut_for(InPlaceStore, persistent=False), Effort()).outcome is Outcome.UNKNOWN
    )


def test_telling_places_are_the_first_the_second_and_the_last_of_each(tmp_path: Path) -> None:
    """Where there are too many they are spread, and another turn chooses others."""
    code = test_telling_places_are_the_first_the_second_and_the_last_of_each.__code__
    loop = [Place(code, line, "line") for line in (0, *(2, 4) * 4, 6)]
    long = [Place(code, number, "line") for number in range(100)]

    assert [0, 1, 2, 3, 4, 7, 8, 9] == pause_points(loop, 10)
    assert len(pause_points(long, 7)) == 7
    assert {*range(100)} == {place for turn in range(40) for place in pause_points(long, 7, turn)}


@pytest.mark.parametrize(("kind", "seen"), [(threading.Thread, True), (OwnThread, False)])
def test_a_thread_of_the_store_is_followed_and_none_of_the_kit(
    kind: type[threading.Thread], seen: bool
) -> None:
    """What runs in a thread of the kit, as a callback of the garbage collection, is no place of a call."""
    names: list[str] = []
    with following_threads():
        trace_followed(lambda frame, _event, _arg: names.append(frame.f_code.co_name))
        try:
            thread = kind(target=lambda: None)
            thread.start()
            thread.join()
        finally:
            trace_followed(None)

    assert ("<lambda>" in names) is seen


def test_threads_that_earlier_stores_left_behind_are_not_looked_at() -> None:
    """Each look at a thread costs: of stores that never end theirs, hundreds would be looked at."""
    ends = threading.Event()
    with following_threads():
        for _ in range(3):
            threading.Thread(target=ends.wait, daemon=True).start()
        before = len(other_followed())
        forget_followed()
        after = len(other_followed())
        ends.set()

    assert (before, after) == (3, 0)
