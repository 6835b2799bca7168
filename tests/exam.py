"""The examination of the kit: ``python -m tests.exam`` runs it on every store of the catalogue.

Every faulty store has to be caught under the clauses that it breaks, for the right reason, and no
correct one may be flagged under a clause that it must keep. ``--write`` puts the table into
``docs/examination.md``. ``--again N`` asks the clauses in which chance has a say, N times. ``--record FILE``
writes the answer matrix, the outcome of every clause for every store, and ``--compare FILE`` says which
outcomes differ from a recorded one; see ``--help``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from tests.stores.catalogue import Correct, Fault, correct_stores, faults, sut_for
from tests.stores.right import RightStore, break_storage, mend_storage
from zoho_tokenstore_contract._harness.workspace import Effort
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._spec.clause_results import ClauseResult, Outcome
from zoho_tokenstore_contract._spec.clauses import CLAUSES, Level

PAGE = Path(__file__).parent.parent / "docs" / "examination.md"
LONG = ("BYID-5", "DEL-3", "VALUE", "PERSIST", "MODEL-1", "THREAD", "PROC", "CRASH", "SECRET", "FLOW")
"""Clauses and groups that take most of a run: asked of a faulty store that breaks them, or ``--whole``."""
SHARE = 5
"""A correct store of `tests.stores.batches` is asked each so many-th clause, unless ``--whole``; with
``--brief``, any correct store is."""
CHANCE = ("THREAD", "PROC", "CRASH", "SECRET")
"""Groups in which the system has a say: what is caught once has to be caught each time."""
DRAWN = ("DEL-3", "VALUE-1", "VALUE-6", "VALUE-7", "MODEL-1")
"""Clauses whose checks draw what they try; from another seed they draw something else."""
_MUSTS = [clause.id for clause in CLAUSES.values() if clause.level is Level.MUST]
_TWINS = [
    Correct(RightStore, {"break_storage": break_storage, "mend_storage": mend_storage}),
    *(store for store in correct_stores() if ".faulty_" in store.store.__module__),
]
FINE = (Outcome.KEPT, Outcome.NOT_APPLICABLE)


@dataclass
class Examined:
    """What the kit said of one store.

    Attributes:
        name: The store.
        claimed: The clauses that it breaks; none for a correct store.
        wrong: What the kit got wrong, in words; "" where it is right.
        first: The clause that was broken first, in the order of a run; "" for none.
        until_first: Seconds of checking until that.
        others: Other clauses that were reported as broken.
        seconds: Seconds of checking in all.
    """

    name: str
    claimed: tuple[str, ...] = ()
    wrong: str = ""
    first: str = ""
    until_first: float = 0.0
    others: list[str] = field(default_factory=list)
    seconds: float = 0.0


def is_long(clause: str) -> bool:
    """Whether checking a clause takes long on a store that keeps it."""
    return clause in LONG or CLAUSES[clause].group in LONG


def examine_fault(
    fault: Fault, seed: int | None = None, *, whole: bool = False, brief: bool = False
) -> Examined:
    """Run the kit on a faulty store.

    Args:
        fault: The store.
        seed: For what is drawn by chance; ``None`` for the same in every run.
        whole: Ask also those clauses that take long and that it does not break.
        brief: Ask those alone that it breaks.

    Returns:
        What the kit said. It is wrong where one of the store's clauses is not broken, or the message
        of the first lacks the reason.
    """
    examined = Examined(str(fault), fault.clauses)
    results: dict[str, ClauseResult] = {}
    sut = sut_for(fault.store, **fault.declared)
    for id in CLAUSES:
        if id not in fault.clauses and (brief or (is_long(id) and not whole)):
            continue
        began = time.perf_counter()
        result = check_clause(id, sut, Effort(seed=seed))
        examined.seconds += time.perf_counter() - began
        results[id] = result
        if result.outcome is Outcome.BROKEN:
            if not examined.first:
                examined.first, examined.until_first = id, examined.seconds
            if id not in fault.clauses:
                examined.others.append(id)
        elif result.outcome is Outcome.ERROR and id not in fault.clauses:
            examined.wrong = f"{id} ends as an error: {result.reason}"
    missed = [
        f"{id} is {results[id].outcome.value}"
        for id in fault.clauses
        if results[id].outcome is not Outcome.BROKEN
    ]
    if missed:
        examined.wrong = ", ".join(missed)
    elif not fault.is_told_by(results[fault.clauses[0]]):
        examined.wrong = f"the reason of {fault.clauses[0]} lacks {' and '.join(map(repr, fault.says))}"
    return examined


def examine_correct(
    store: Correct, place: int = 0, seed: int | None = None, *, whole: bool = False, brief: bool = False
) -> Examined:
    """Run the kit on a correct store: it is wrong where a clause that the store must keep is not.

    Args:
        store: The store.
        place: Its number, which says where it begins among the clauses, if it is not asked all of them.
        seed: For what is drawn by chance; ``None`` for the same in every run.
        whole: Ask a store of a batch every clause, too.
        brief: Ask any store each so many-th clause, as one of a batch.

    Returns:
        What the kit said.
    """
    examined = Examined(str(store))
    sut = sut_for(store.store, **store.declared)
    share = SHARE if brief or (".batches." in store.store.__module__ and not whole) else 1
    for id in _MUSTS[place % share :: share]:
        began = time.perf_counter()
        result = check_clause(id, sut, Effort(seed=seed))
        examined.seconds += time.perf_counter() - began
        if result.outcome not in FINE:
            examined.wrong = f"{id} is {result.outcome.value}: {result.message()}"
            examined.others.append(id)
    return examined


def has_chance(clause: str) -> bool:
    """Whether chance has a say in what the checks of a clause see."""
    return clause in DRAWN or CLAUSES[clause].group in CHANCE


def repeat(store: Fault | Correct, times: int) -> str:
    """Ask a store the clauses in which chance has a say again and again, from another seed each time.

    Args:
        store: A faulty store is asked those that it breaks, a correct one those that it must keep, and
            one from which faulty ones are made all of them, for it keeps them all.
        times: How often. The first time nothing is random.

    Returns:
        Which answers were wrong, in words; "" where none was.
    """
    wrong: Counter[str] = Counter()
    if isinstance(store, Fault):
        clauses: Sequence[str] = store.clauses
    else:
        # Some change their rows in place, which CRASH-6 interrupts.
        clauses = [id for id in CLAUSES if id != "CRASH-6"] if store in _TWINS else _MUSTS
    for seed in [None, *range(1, times)]:
        for clause in filter(has_chance, clauses):
            sut = sut_for(store.store, **store.declared)
            result = check_clause(clause, sut, Effort(seed=seed))
            if isinstance(store, Fault) and result.outcome is not Outcome.BROKEN:
                wrong[f"{clause} is {result.outcome.value}"] += 1
            elif isinstance(store, Correct) and result.outcome not in FINE:
                wrong[f"{clause} is {result.outcome.value}: {result.message()}"] += 1
    return ", ".join(f"{count} times {what}" for what, count in wrong.items())


def again(times: int, only: str, processes: int | None) -> int:
    """Ask again and again, and tell of each store whether it was caught, or passed, each time."""
    wanted: list[Fault | Correct] = [
        *(store for store in (_TWINS[0], *correct_stores()) if only in f"correct:{store}"),
        *(fault for fault in faults() if any(map(has_chance, fault.clauses)) and only in f"fault:{fault}"),
    ]
    wrong = 0
    with ProcessPoolExecutor(processes, initializer=_without_output) as pool:
        jobs = {pool.submit(repeat, store, times): store for store in wanted}
        for job in as_completed(jobs):
            store, said = jobs[job], job.result()
            wrong += bool(said)
            clauses = filter(has_chance, store.clauses if isinstance(store, Fault) else ())
            sys.stdout.write(f"{'WRONG' if said else 'right'}  {store!s:60} {', '.join(clauses)}  {said}\n")
            sys.stdout.flush()
    faulty = [store for store in wanted if isinstance(store, Fault)]
    asked = sum(has_chance(clause) for fault in faulty for clause in fault.clauses)
    sys.stdout.write(
        f"{asked} clauses that {len(faulty)} faulty stores break, and {len(wanted) - len(faulty)} correct "
        f"stores, {times} times each: {wrong} stores with a wrong answer\n"
    )
    return int(wrong > 0)


def _without_output() -> None:
    """Some stores print; what this process prints is lost."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


def answers(kind: str, place: int, clauses: Sequence[str], seed: int | None) -> dict[str, str]:
    """One line of the answer matrix: what became of each clause on one store.

    Args:
        kind: ``fault`` or ``correct``.
        place: Which store of that kind.
        clauses: The clauses to ask.
        seed: For what is drawn by chance; ``None`` for the same in every run.

    Returns:
        Clause id to the value of its `Outcome`.
    """
    store: Fault | Correct = faults()[place] if kind == "fault" else correct_stores()[place]
    sut = sut_for(store.store, **store.declared)
    return {id: check_clause(id, sut, Effort(seed=seed)).outcome.value for id in clauses}


def matrix(arguments: argparse.Namespace, among: Collection[str] | None = None) -> dict[str, dict[str, str]]:
    """The answer matrix: store to clause to outcome, for the stores and clauses that are asked.

    Args:
        arguments: What the command line names.
        among: The stores to choose from, as ``kind:name``; by default all.

    Returns:
        The outcomes, in the order of the names.
    """
    clauses = [id for id in CLAUSES if _is_named(id, arguments.clauses)]
    found: dict[str, dict[str, str]] = {}
    stores = [
        (kind, place, name)
        for kind, place, name in _stores(arguments.only)
        if among is None or f"{kind}:{name}" in among
    ][:: arguments.every]
    with ProcessPoolExecutor(arguments.processes, initializer=_without_output) as pool:
        jobs = {
            pool.submit(answers, kind, place, clauses, arguments.seed): f"{kind}:{name}"
            for kind, place, name in stores
        }
        for job in as_completed(jobs):
            found[jobs[job]] = job.result()
            sys.stdout.write(f"{len(found)} of {len(jobs)}  {jobs[job]}\n")
            sys.stdout.flush()
    return dict(sorted(found.items()))


def record(arguments: argparse.Namespace) -> int:
    """Write the answer matrix, a line a store."""
    lines = [f"{json.dumps(store)}:{json.dumps(row)}" for store, row in matrix(arguments).items()]
    Path(arguments.record).write_text("{" + ",\n".join(lines) + "}\n", encoding="utf-8")
    return 0


def compare(arguments: argparse.Namespace) -> int:
    """Say which outcomes differ from the recorded matrix; the exit status is 1 where one does.

    Stores that came since are not asked.
    """
    recorded = json.loads(Path(arguments.compare).read_text(encoding="utf-8"))
    now = matrix(arguments, recorded)
    different, compared = 0, 0
    for store in sorted(recorded):
        if store not in now:
            if arguments.only in store and arguments.every == 1:
                sys.stdout.write(f"only recorded: {store}\n")
            continue
        for clause in now[store].keys() & recorded[store].keys():
            compared += 1
            before, after = recorded[store][clause], now[store][clause]
            if before != after:
                different += 1
                sys.stdout.write(f"{store}  {clause}: {before} -> {after}\n")
    sys.stdout.write(f"{compared} outcomes compared, {different} differ\n")
    return int(different > 0 or not compared)


def _is_named(clause: str, names: str) -> bool:
    """Whether a comma-separated list of clauses and groups names this clause; an empty list names all."""
    return not names or clause in names.split(",") or CLAUSES[clause].group in names.split(",")


def page(faulty: Sequence[Examined], correct: Sequence[Examined], notes: str) -> str:
    """The tables as Markdown."""
    lines = [
        "# The examination of the kit",
        "",
        "The kit on every store of the catalogue in `tests/stores`.",
        "Written by `python -m tests.exam --write`.",
        "",
        *sums(faulty, correct),
        "",
        notes,
        "",
        "## Faulty stores",
        "",
        "| store | breaks | | first broken | other clauses |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {one.name} | {', '.join(one.claimed)} | {one.wrong or 'caught'} | {one.first} | "
        f"{', '.join(one.others)} |"
        for one in faulty
    ]
    lines += ["", "## Correct stores", "", "| store | |", "| --- | --- |"]
    lines += [f"| {one.name} | {one.wrong.splitlines()[0] if one.wrong else 'passed'} |" for one in correct]
    return "\n".join(lines) + "\n"


def sums(faulty: Sequence[Examined], correct: Sequence[Examined]) -> list[str]:
    """The figures that count, a line each."""
    lines = []
    if faulty:
        caught = sum(not one.wrong for one in faulty)
        first = sum(one.first in one.claimed for one in faulty)
        others = statistics.median(len(one.others) for one in faulty)
        until = statistics.median(one.until_first for one in faulty)
        lines += [
            f"- {caught} of {len(faulty)} faulty stores are caught under their clauses, with the reason;",
            f"- {first} ({first / len(faulty):.0%}) of them first under a clause that they break;",
            f"- median of the other clauses that complain: {others:g};",
            f"- median of the seconds until the first broken clause: {until:.2f};",
        ]
    if correct:
        lines.append(
            f"- {sum(not one.wrong for one in correct)} of {len(correct)} correct stores are not flagged."
        )
    return lines


def _examine(kind: str, place: int, arguments: argparse.Namespace) -> Examined:
    how = {"whole": arguments.whole, "brief": arguments.brief}
    if kind == "fault":
        return examine_fault(faults()[place], arguments.seed, **how)
    return examine_correct(correct_stores()[place], place, arguments.seed, **how)


def _stores(only: str) -> list[tuple[str, int, str]]:
    """Kind, place and name of every store whose name has this text."""
    # The correct ones take longest: first, so that the last to end do not end alone.
    stores = [("correct", place, str(store)) for place, store in enumerate(correct_stores())]
    stores += [("fault", place, str(fault)) for place, fault in enumerate(faults())]
    return [one for one in stores if only in f"{one[0]}:{one[2]}"]


def _all(arguments: argparse.Namespace) -> Iterator[tuple[str, Examined]]:
    """Examine every store, several at once."""
    wanted = _stores(arguments.only)[:: arguments.every]
    with ProcessPoolExecutor(arguments.processes, initializer=_without_output) as pool:
        jobs = {pool.submit(_examine, kind, place, arguments): kind for kind, place, _ in wanted}
        for job in as_completed(jobs):
            yield jobs[job], job.result()


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 1 where the kit was wrong about a store."""
    parser = argparse.ArgumentParser(prog="python -m tests.exam", description=__doc__)
    # One more than there are processors, for some stores sleep.
    processes = 1 + (os.cpu_count() or 1)
    parser.add_argument("--processes", type=int, default=processes, help="how many at once")
    parser.add_argument(
        "--only",
        default="",
        metavar="TEXT",
        help="those whose name, as fault:module.Class or correct:Class, has this",
    )
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="one store of N alone, spread over all of them"
    )
    parser.add_argument(
        "--seed", type=int, help="for what is drawn by chance; by default the same in every run"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--brief",
        action="store_true",
        help=f"ask faulty stores the clauses that they break alone, and correct ones one of {SHARE}",
    )
    how.add_argument(
        "--whole",
        action="store_true",
        help="ask faulty stores also the long clauses that they keep, and correct ones of batches all",
    )
    parser.add_argument(
        "--again",
        type=int,
        metavar="N",
        help=f"ask {', '.join(DRAWN)} and the clauses of {', '.join(CHANCE)} alone, N times, each from "
        "another seed",
    )
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    parser.add_argument("--record", metavar="FILE", help="write the outcome of every clause for every store")
    parser.add_argument("--compare", metavar="FILE", help="say which outcomes differ from a recorded file")
    parser.add_argument(
        "--clauses",
        default="",
        metavar="LIST",
        help="with --record and --compare: these clauses and groups alone, as SAVE,FIND-5",
    )
    arguments = parser.parse_args(words)
    if arguments.record is not None:
        return record(arguments)
    if arguments.compare is not None:
        return compare(arguments)
    if arguments.again is not None:
        return again(arguments.again, arguments.only, arguments.processes)
    began = time.monotonic()
    examined: dict[str, list[Examined]] = {"fault": [], "correct": []}
    for kind, one in _all(arguments):
        examined[kind].append(one)
        found = f"  {one.first} after {one.until_first:.1f} s" if one.first else ""
        others = f"; {len(one.others)} more: {', '.join(one.others)}" if one.others and one.claimed else ""
        sys.stdout.write(
            f"{'WRONG ' if one.wrong else 'right '} {one.name:60} {one.seconds:6.1f} s{found}{others}"
            f"{'  ' * bool(one.wrong)}{one.wrong}\n"
        )
        sys.stdout.flush()
    faulty, correct = (sorted(examined[kind], key=lambda one: one.name) for kind in ("fault", "correct"))
    if not faulty and not correct:
        sys.stderr.write(f"error: no store has {arguments.only!r} in its name\n")
        return 2
    sys.stdout.write("\n".join([*sums(faulty, correct), f"{time.monotonic() - began:.0f} s in all", ""]))
    if arguments.write:
        asked = (
            "every clause"
            if arguments.whole
            else "the clauses that it breaks and all that are quick to check"
        )
        PAGE.write_text(page(faulty, correct, f"A faulty store was asked {asked}."), encoding="utf-8")
    return int(any(one.wrong for one in (*faulty, *correct)))


if __name__ == "__main__":
    sys.exit(main())
