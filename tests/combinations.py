"""The examination with several faults at once: ``python -m tests.combinations``.

Real stores have several faults. Faulty stores of the catalogue override short methods of one right store, so
those that override different methods compose to one store. Its parts, examined alone, say what is expected:
every clause that a part breaks is reported, and no clause that all parts keep. A combination that goes wrong
is shrunk to the fewest parts that do it.

One fault may hide another: what a store cannot hold, it does not mix up. Such a clause is told as masked, and
counts as right. Either it is out of reach on another part alone, or the part makes no difference beside the
others: for each check of the clause that fails on the part, once as it arranges by itself and once with no
more than what the combination holds, the shortest calls that show it there do not show it on the combination.
Where they say nothing, for the other parts fail without this one, too, or where no script can make the calls,
all calls of the check get the same answers with it and without.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.exam import is_long
from tests.stores.catalogue import Fault, faults, sut_for
from tests.stores.right import RightStore
from zoho_tokenstore_contract._checks.registry import Check, checks_of
from zoho_tokenstore_contract._harness.store_limits import NO_LIMITS, Limits, keeping_to
from zoho_tokenstore_contract._harness.store_under_test import StoreUnderTest
from zoho_tokenstore_contract._harness.workspace import Effort, Workspace
from zoho_tokenstore_contract._reproduce.minimize import reproduce, shows
from zoho_tokenstore_contract._reproduce.program import Program, Unplayable, program_of
from zoho_tokenstore_contract._reproduce.replay import play
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._spec.clause_results import NotApplicable, Outcome, StoreUnavailable, Violation
from zoho_tokenstore_contract._spec.clauses import CLAUSES
from zoho_tokenstore_contract._spec.tokens import Row

QUICK = tuple(id for id in CLAUSES if not is_long(id))
"""The clauses that are asked: the long ones would take minutes a store."""


@dataclass(frozen=True)
class Examined:
    """What the kit said of a combination.

    Attributes:
        parts: The names of its faulty stores.
        missed: Clauses that a part breaks, and that are not reported as broken.
        spurious: Clauses that all parts keep, and that are reported as broken.
        unreached: Clauses that all parts keep, and that are not reached.
        masked: Clauses that a part breaks, and that are not broken any more beside the others.
    """

    parts: tuple[str, ...]
    missed: tuple[str, ...]
    spurious: tuple[str, ...]
    unreached: tuple[str, ...]
    masked: tuple[str, ...] = ()

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong with the answers."""
        return not (self.missed or self.spurious or self.unreached)

    def __str__(self) -> str:
        wrong = {
            "missed": self.missed,
            "spurious": self.spurious,
            "not reached": self.unreached,
            "masked": self.masked,
        }
        told = "; ".join(f"{what}: {', '.join(ids)}" for what, ids in wrong.items() if ids)
        return f"{' + '.join(self.parts)}  {told or 'right'}"


def composable() -> list[Fault]:
    """The faulty stores that override methods of `RightStore`, and nothing but these."""
    return [
        fault
        for fault in faults()
        if isinstance(fault.store, type)
        and fault.store.__bases__ == (RightStore,)
        and not fault.declared
        and "__init__" not in vars(fault.store)
    ]


def overridden(store: type) -> set[str]:
    """The names that a faulty store defines for itself."""
    return {name for name, value in vars(store).items() if callable(value) and not name.startswith("__")}


def combined(parts: Sequence[Fault]) -> Any:
    """One store with the faults of several."""
    return type("Combined", tuple(part.store for part in parts), {"__doc__": "Several faults at once."})


def draw(number: int, seed: int, stores: Sequence[Fault]) -> Iterator[tuple[Fault, ...]]:
    """Combinations of two to four stores that override different methods.

    Args:
        number: How many combinations.
        seed: What the choice starts from.
        stores: What is combined.
    """
    chance = random.Random(seed)
    while number:
        parts = tuple(chance.sample(stores, chance.choice((2, 3, 4))))
        names = [overridden(part.store) for part in parts]
        if all(one.isdisjoint(other) for one, other in itertools.combinations(names, 2)):
            number -= 1
            yield parts


def outcomes(sut: StoreUnderTest) -> dict[str, Outcome]:
    """What becomes of each quick clause on a store."""
    return {id: check_clause(id, sut, Effort()).outcome for id in QUICK}


def examine(names: tuple[str, ...], alone: dict[str, dict[str, str]]) -> Examined:
    """Run the kit on a combination, and compare with its parts.

    Args:
        names: The parts, by name.
        alone: For each part, what became of each clause when it was examined alone.

    Returns:
        Where the combination differs from its parts.
    """
    by_name = {str(fault): fault for fault in composable()}
    parts = {name: by_name[name] for name in names}
    sut = sut_for(combined(list(parts.values())))
    found = outcomes(sut)
    breaking = {id: [name for name in names if alone[name][id] == Outcome.BROKEN.value] for id in QUICK}
    kept = {id for id in QUICK if all(alone[name][id] == Outcome.KEPT.value for name in names)}
    silent = [id for id in QUICK if breaking[id] and found[id] is not Outcome.BROKEN]
    # What chance breaks, as ids that are drawn, is not expected.
    breaking = {id: [name for name in breaking[id] if _breaks(parts[name], id)] for id in silent}
    silent = [id for id in silent if breaking[id]]
    masked = tuple(
        id
        for id in silent
        if Outcome.NOT_REACHED.value in [alone[name][id] for name in names]
        or all(is_masked(id, name, parts, sut) for name in breaking[id])
    )
    return Examined(
        names,
        tuple(id for id in silent if id not in masked),
        tuple(id for id in QUICK if id in kept and found[id] in (Outcome.BROKEN, Outcome.ERROR)),
        tuple(id for id in QUICK if id in kept and found[id] is Outcome.NOT_REACHED),
        masked,
    )


def is_masked(clause: str, name: str, parts: dict[str, Fault], combination: StoreUnderTest) -> bool:
    """Whether a part that breaks a clause alone makes no difference beside the others.

    Args:
        clause: The clause.
        name: The part.
        parts: All parts, by name.
        combination: The combination, as it was examined.
    """
    others = sut_for(combined([part for other, part in parts.items() if other != name]))
    sut = sut_for(parts[name].store)
    violations = [
        (one, violation)
        for limits in (NO_LIMITS, combination.limits or NO_LIMITS)
        for one in checks_of(clause)
        if (violation := _violation(one, sut, limits)) is not None
    ]
    return bool(violations) and not any(
        _makes_a_difference(one, sut, violation, others, combination) for one, violation in violations
    )


def _breaks(part: Fault, clause: str) -> bool:
    """Whether a store that was seen to break a clause breaks it again."""
    return check_clause(clause, sut_for(part.store), Effort()).outcome is Outcome.BROKEN


def _violation(one: Check, sut: StoreUnderTest, limits: Limits) -> Violation | None:
    """What a check finds within limits; ``None`` where it finds nothing, or cannot be set up."""
    with keeping_to(limits), contextlib.suppress(NotApplicable, StoreUnavailable):
        try:
            with Workspace(sut, Effort()) as workspace:
                one.run(workspace)
        except Violation as violation:
            return None if violation.precondition_failed else violation
    return None


def _makes_a_difference(
    one: Check,
    part: StoreUnderTest,
    violation: Violation,
    others: StoreUnderTest,
    combination: StoreUnderTest,
) -> bool:
    with contextlib.suppress(Unplayable):
        proof = reproduce(part, one.clause, violation).body
        if shows(proof, others) is False:
            return shows(proof, combination) is True
    try:
        program = program_of(violation.calls)
    except Unplayable:
        limits = combination.limits or NO_LIMITS
        return _calls(one, others, limits) != _calls(one, combination, limits)
    return not program or _answers(program, others) != _answers(program, combination)


def _answers(program: Program, sut: StoreUnderTest) -> list[Any]:
    """What a store answers to the calls of a program; of other objects, their kinds count."""
    return [
        replace(seen, value=seen.value if isinstance(seen.value, Row | tuple | None) else type(seen.value))
        for seen in play(program, sut, looking=True).values()
    ]


def _calls(one: Check, sut: StoreUnderTest, limits: Limits) -> list[str]:
    """The calls that a check makes of a store by itself, then within these limits, and the answers."""
    calls: list[str] = []
    for some in (NO_LIMITS, limits):
        workspace = Workspace(sut, Effort())
        with keeping_to(some), contextlib.suppress(Violation, NotApplicable, StoreUnavailable), workspace:
            one.run(workspace)
        calls += map(str, workspace.calls)
    return calls


def shrunk(examined: Examined, alone: dict[str, dict[str, str]]) -> Examined:
    """The fewest parts of a combination with which the kit is still wrong."""
    for size in range(2, len(examined.parts)):
        for names in itertools.combinations(examined.parts, size):
            fewer = examine(names, alone)
            if not fewer.is_right:
                return fewer
    return examined


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 1 where fewer than 98 % of the combinations are right."""
    parser = argparse.ArgumentParser(prog="python -m tests.combinations", description=__doc__)
    parser.add_argument("--number", type=int, default=500, help="how many combinations (default: 500)")
    parser.add_argument("--seed", type=int, default=1, help="what the choice starts from (default: 1)")
    parser.add_argument("--stores", type=int, help="combine so many stores alone (default: all)")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="how many at once")
    parser.add_argument(
        "--alone",
        metavar="FILE",
        help="where the answers of the stores alone are kept, for the next run on the same tree",
    )
    arguments = parser.parse_args(words)
    began = time.monotonic()
    stores = composable()
    if arguments.stores is not None:
        stores = random.Random(arguments.seed).sample(stores, arguments.stores)
    drawn = list(draw(arguments.number, arguments.seed, stores))
    with ProcessPoolExecutor(arguments.processes) as pool:
        alone = _alone(pool, drawn, arguments.alone)
        jobs = [pool.submit(_examine_and_shrink, tuple(map(str, parts)), alone) for parts in drawn]
        results = []
        for job in as_completed(jobs):
            results.append(job.result())
            if not results[-1].is_right or results[-1].masked:
                sys.stdout.write(f"{results[-1]}\n")
                sys.stdout.flush()
    reported = sum(not one.missed for one in results)
    fair = sum(not one.spurious for one in results)
    reached = sum(not one.unreached for one in results)
    hidden = sum(bool(one.masked) and not one.missed for one in results)
    sys.stdout.write(
        f"{len(results)} combinations, {len(QUICK)} clauses each, {time.monotonic() - began:.0f} s:\n"
        f"- in {reported} ({reported / len(results):.1%}) every clause that a part breaks is reported, "
        f"in {hidden} of them but for what another part hides;\n"
        f"- in {fair} ({fair / len(results):.1%}) no clause is reported that all parts keep;\n"
        f"- in {reached} ({reached / len(results):.1%}) each clause that all parts keep is reached.\n"
    )
    return int(min(reported, fair) < 0.98 * len(results))


def _alone(
    pool: ProcessPoolExecutor, drawn: Sequence[Sequence[Fault]], recorded: str | None
) -> dict[str, dict[str, str]]:
    """The answers of the parts alone: those in the file, the others by examining them; the file gets all."""
    known: dict[str, dict[str, str]] = {}
    if recorded is not None and Path(recorded).exists():
        known = json.loads(Path(recorded).read_text(encoding="utf-8"))
    missing = sorted({str(part) for parts in drawn for part in parts} - known.keys())
    known.update(zip(missing, pool.map(_examine_alone, missing), strict=True))
    if recorded is not None and missing:
        lines = [f"{json.dumps(name)}:{json.dumps(row)}" for name, row in sorted(known.items())]
        Path(recorded).write_text("{" + ",\n".join(lines) + "}\n", encoding="utf-8")
    return known


def _examine_alone(name: str) -> dict[str, str]:
    fault = next(fault for fault in composable() if str(fault) == name)
    return {id: outcome.value for id, outcome in outcomes(sut_for(fault.store)).items()}


def _examine_and_shrink(names: tuple[str, ...], alone: dict[str, dict[str, str]]) -> Examined:
    examined = examine(names, alone)
    return examined if examined.is_right else shrunk(examined, alone)


if __name__ == "__main__":
    sys.exit(main())
