"""PROC-1, PROC-2: processes that save at the same time, with a store of their own or after a fork."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..._drivers.processes.children import Processes
from ..._drivers.processes.rounds import MOMENTS, PROCESSES, Round, save_after_a_fork, save_in_rounds
from ..._harness.calls import CallRecord
from ..._harness.row_fates import Fate, mishap_in, rows_left, without_own_id
from ..._harness.store_limits import Pool, active
from ..._harness.workspace import Workspace
from ..._spec.clause_results import Violation
from ..._spec.tokens import Row, format_row
from ..registry import check
from ..sample_tokens import ACCESS, ANN, BOB, REFRESH, client_of, person

BESIDE = Pool((ANN, ACCESS, BOB, REFRESH))

# Each with a store that it has opened


@check("PROC-1", persistent=True)
def processes_that_save_different_users_into_an_empty_store(workspace: Workspace) -> None:
    _save_at_once(workspace, (), [[_held_up("first", number), _free(3, "more")] for number in range(MOMENTS)])


@check("PROC-1", persistent=True)
def processes_that_save_different_users_beside_rows(workspace: Workspace) -> None:
    users = active().fitting(4 * PROCESSES, len(BESIDE)) // PROCESSES
    rounds = [_free(users, f"free{number}") for number in range(workspace.effort.times(4))]
    rounds += [_held_up(f"pause{number}", number) for number in range(MOMENTS)]
    _save_at_once(workspace, BESIDE, _plans_of(rounds))


@check("PROC-1", persistent=True)
def processes_that_save_one_user_into_an_empty_store(workspace: Workspace) -> None:
    plans = [[_same("new", "first", number), _same("other", "next")] for number in range(1, MOMENTS, 2)]
    _save_at_once(workspace, (), plans)


@check("PROC-1", persistent=True)
def processes_that_save_one_user_beside_rows(workspace: Workspace) -> None:
    rounds = [_same(f"free{number}", "new") for number in range(workspace.effort.times(10))]
    for number in range(MOMENTS):
        rounds += [_same(f"pause{number}", turn, number) for turn in ("new", "again")]
    _save_at_once(workspace, BESIDE, _plans_of(rounds))


def _free(users: int, name: str) -> Round:
    """Each process saves so many users of its own."""
    return Round(
        tuple(
            tuple(person(f"{name}-{process}-{number}") for number in range(users))
            for process in range(PROCESSES)
        )
    )


def _held_up(name: str, moment: int) -> Round:
    """The first process stands still in a save and saves once more right after it, the second saves."""
    first, second = (person(f"{name}-{process}-0") for process in range(PROCESSES))
    return Round(((first, person(f"{name}-0-1")), (second,)), (moment, MOMENTS))


def _same(name: str, turn: str, moment: int | None = None) -> Round:
    """Each process saves the same user, each with every field of its own; the first may be held up."""
    saves = tuple(
        (
            person(
                f"{name}.{turn}.{process}",
                user_name=f"{name}@example.com:77",
                **client_of(process),
                expires_in=f"19{process:011d}",
            ),
        )
        for process in range(PROCESSES)
    )
    return Round(saves, None if moment is None else (moment, MOMENTS))


def _plans_of(rounds: list[Round]) -> list[list[Round]]:
    """All rounds on one location, or each on one of its own where the store has room for a few rows."""
    return [rounds] if active().most is None else [[one] for one in rounds]


def _save_at_once(workspace: Workspace, first: Sequence[Row], plans: Sequence[Sequence[Round]]) -> None:
    """Have processes save, each plan at a location of its own; each user has one whole row then."""
    with Processes(workspace) as processes:
        # With one storage for all locations, one at a time.
        for group in [plans] if workspace.sut.own_storage else [[plan] for plan in plans]:
            arranged = []
            for rounds in group:
                workspace.calls.clear()
                store = workspace.open()
                before = store.holding(*first)
                workspace.close(store)
                workspace.remember(row for done in rounds for row in done.saves)
                arranged.append((store.location, before, rounds, list(workspace.calls)))
            workspace.calls.clear()
            done = save_in_rounds(
                processes,
                [(location, rounds) for location, _, rounds, _ in arranged],
                executed=len(plans) == 1,
            )
            for saved, (location, before, rounds, calls) in zip(done, arranged, strict=True):
                workspace.calls[:] = calls
                for process, turn, error in saved.errors:
                    workspace.calls += rounds[turn].calls({process: error})
                    seen = f"in process {process + 1} it raised {error}"
                    workspace.fail("save_token works while another process saves", seen)
                rows = rows_left(workspace, location, [row.id for row in before] + saved.ids)
                _each_user_has_one_row(workspace, before, rows, rounds)


def _each_user_has_one_row(
    workspace: Workspace,
    before: Sequence[Row],
    rows: Sequence[Row],
    rounds: Sequence[Round],
    after_a_fork: str = "",
) -> None:
    """Each user has one whole row, from one of the saves of the last round that saved it.

    Args:
        workspace: Where it fails.
        before: The rows that were there, and that no process saved.
        rows: The rows that are there.
        rounds: What was saved.
        after_a_fork: What is promised after a fork, in words; by default no process forked.
    """
    last: dict[object, tuple[Row, ...]] = {}
    for done in rounds[-1:] if active().one_slot else rounds:
        for name in dict.fromkeys(row.user_name for row in done.saves):
            last[name] = tuple(row for row in done.saves if row.user_name == name)
    fates = [Fate(saved, _promise(saved, after_a_fork), new=True) for saved in last.values()]
    stay = "rows from before the fork stay" if after_a_fork else "rows that no process saved stay"
    others = [Fate((row,), f"{stay} as they were: {format_row(row)}") for row in before]
    fates = [*others, *fates] if after_a_fork else [*fates, *others]
    mishap = mishap_in(rows, fates, "no rows but those of the users that were saved")
    if mishap is not None:
        saving = [done for done in rounds if any(row.user_name == mishap.user for row in done.saves)]
        if saving and not after_a_fork:
            workspace.calls += saving[-1].calls()
        workspace.fail(mishap.expected, mishap.seen)
    if twins := without_own_id(rows):
        workspace.fail("ids unlike all others for the rows that processes saved at once", twins)


def _promise(saved: Sequence[Row], after_a_fork: str) -> str:
    """What is promised of the row of a user, of whom these were the last saves."""
    if after_a_fork:
        return f"{after_a_fork}: {saved[0].user_name}"
    if len(saved) == 1:
        return f"processes that save different users at once leave each one row: {format_row(saved[0])}"
    name = saved[0].user_name
    return f"processes that save {name} at once leave one row, all its fields from one of the saves"


# With a store that was opened before a fork


@check("PROC-2", persistent=True)
def a_store_that_was_opened_before_a_fork_works_on_when_the_child_closes_first(workspace: Workspace) -> None:
    _fork(workspace, closes_first=1)


@check("PROC-2", persistent=True)
def a_store_that_was_opened_before_a_fork_works_on_when_the_parent_closes_first(workspace: Workspace) -> None:
    _fork(workspace, closes_first=0)


def _fork(workspace: Workspace, closes_first: int) -> None:
    users = active().fitting(PROCESSES * 3, len(BESIDE) + 1) // PROCESSES
    rounds = [_free(users, "free"), *(_held_up(f"pause{number}", number) for number in range(MOMENTS))]
    for number in range(MOMENTS):
        rounds += [_same(f"same{number}", turn, number) for turn in ("new", "again")]
    for some in _plans_of(rounds):
        workspace.fresh_examples()
        _goes_on_after_a_fork(workspace, closes_first, some)


def _goes_on_after_a_fork(workspace: Workspace, closes_first: int, rounds: Sequence[Round]) -> None:
    """Parent and child save what the rounds say, and the rows are as they should be then."""
    last = person("last")
    with Processes(workspace) as processes:
        store = workspace.open()
        before = store.holding(*BESIDE)
        workspace.close(store)
        workspace.remember([last, *(row for done in rounds for row in done.saves)])
        parent, forked = save_after_a_fork(processes, store.location, rounds, last, closes_first)
        note = "a process opens the store, reads, and forks; both save at once, and close one after another"
        workspace.calls.append(CallRecord(1, "other", note=note))
        refuses = bool(forked["refused"])
        for who, told in (("the parent", parent), ("the forked process", forked)):
            if told["errors"] or (told["refused"] and (told is parent or told["calls"] > told["refused"])):
                workspace.fail(
                    f"a store that was opened before a fork works on in {who}"
                    + ("" if told is parent else ", or refuses every call there"),
                    (told["errors"] or ["it refuses some calls, and answers others"])[0],
                )
        rows = rows_left(workspace, store.location, [row.id for row in before])
        saved = [replace(done, rows=done.rows[: 1 if refuses else PROCESSES]) for done in rounds]
        if not (refuses and closes_first == 0):
            saved.append(Round(((last,),)))
        try:
            what = "a store that was opened before a fork leaves each user one row"
            _each_user_has_one_row(workspace, before, rows, saved, what)
        except Violation:
            # Rows that processes lose which opened the store for themselves are the matter of PROC-1.
            if _keeps_apart(workspace, rounds):
                raise


def _keeps_apart(workspace: Workspace, rounds: Sequence[Round]) -> bool:
    """Whether processes that each opened the store for themselves leave what these rounds save."""
    calls = list(workspace.calls)
    try:
        _save_at_once(workspace, BESIDE, [rounds])
    except Violation:
        return False
    finally:
        workspace.calls[:] = calls
    return True
