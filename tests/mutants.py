"""Mechanical mutants of the reference stores, with the kit alone as their test: ``python -m tests.mutants``.

Cosmic Ray makes the mutants, each one small change of a store's module. The kit, strict, is run on
each until the first failure. A mutant that the kit lets pass has survived: either a check is missing, or
the mutant behaves as the contract wants, and then ``tests/equivalent_mutants.toml`` says why. ``--write``
puts the figures and that list into ``docs/mutants.md``; see ``--help``.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tomllib

import zoho_reference_stores
from tests.mutation import Mutant, judged, mutants_of
from zoho_tokenstore_contract import TokenStoreContract
from zoho_tokenstore_contract._harness.workspace import Effort
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._runner.contract_class import sut_of
from zoho_tokenstore_contract._runner.targets import Declarations, contract_class
from zoho_tokenstore_contract._spec.clause_results import Outcome, UsageError
from zoho_tokenstore_contract._spec.clauses import CLAUSES, Level

HERE = Path(__file__).parent
LISTED, PAGE = HERE / "equivalent_mutants.toml", HERE.parent / "docs" / "mutants.md"
_LIST = ("list_store:ListStore", Declarations(persistent=False))
_FILE = ("sqlite_file:SQLiteFileStore", Declarations())
STORES = {"list_store": _LIST, "token_fields": _LIST, "sqlite_file": _FILE, "sqlite_rows": _FILE}
"""The modules, with a store that each is a part of, and what its author declares."""
FINE = (Outcome.KEPT, Outcome.NOT_APPLICABLE)


@dataclass(frozen=True)
class Equivalent:
    """Mutants of one line that behave as the contract wants.

    Attributes:
        module: The module, without its package.
        was: The line, without its indentation.
        now: What it becomes.
        why: The reason.
    """

    module: str
    was: str
    now: Sequence[str]
    why: str


def killed_by(mutant: Mutant) -> str:
    """What the kit says of a mutant first; "" where it keeps everything."""
    package, _, module = mutant.module.rpartition(".")
    name, declared = STORES[module]
    try:
        return _first_broken(contract_class(f"{package}.{name}", declared, Path.cwd()))
    except UsageError as error:
        return str(error).partition("\n")[0]


def _first_broken(cls: type[TokenStoreContract]) -> str:
    sut = sut_of(cls)
    for clause in CLAUSES.values():
        if clause.level is not Level.MAY:
            outcome = check_clause(clause.id, sut, Effort()).outcome
            if outcome not in FINE:
                return clause.id if outcome is Outcome.BROKEN else f"{clause.id}: {outcome.value}"
    return ""


def listed() -> list[Equivalent]:
    """The mutants that behave as the contract wants."""
    entries = tomllib.loads(LISTED.read_text(encoding="utf-8"))
    return [Equivalent(module, **entry) for module in entries for entry in entries[module]]


def page(sums: Sequence[str]) -> str:
    """The figures and the listed mutants as Markdown."""
    lines = [
        "# Mechanical mutants of the reference stores",
        "",
        "[Cosmic Ray](https://cosmic-ray.readthedocs.io) changes one thing in a reference store, and the",
        "kit, strict, is the only test. Written by `python -m tests.mutants --write`.",
        "",
        *sums,
        "",
        "## Mutants that behave as the contract wants",
        "",
        "Where the contract says nothing, the store's own tests do.",
        "",
        "| module | line | becomes | why it is right |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {one.module} | {_code(one.was)} | {'<br>'.join(map(_code, one.now))} | {one.why} |"
        for one in listed()
    ]
    return "\n".join(lines) + "\n"


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`" if text else "nothing"


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 1 where a mutant survives, or none is what is listed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="how many at once")
    parser.add_argument("--module", choices=STORES, action="append", help="only this one (repeatable)")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    arguments = parser.parse_args(words)
    began, sums, wrong = time.monotonic(), [], 0
    for module in arguments.module or STORES:
        mutants = list(mutants_of(f"{zoho_reference_stores.__name__}.{module}"))
        excused = {(one.was, now) for one in listed() if one.module == module for now in one.now}
        asked = [one for one in mutants if (one.was, one.now) not in excused]
        for was, now in sorted(excused - {(one.was, one.now) for one in mutants}):
            wrong += 1
            sys.stdout.write(f"LISTED, BUT NO MUTANT {module}: {was}  ->  {now}\n")
        survived = 0
        for mutant, by in judged(asked, killed_by, arguments.processes):
            survived += not by
            sys.stdout.write(f"{'killed' if by else 'SURVIVED'} {mutant}  {by}\n")
            sys.stdout.flush()
        wrong += survived
        sums.append(
            f"- `{module}`: {len(mutants)} mutants, {len(asked) - survived} caught, "
            f"{len(mutants) - len(asked)} behave as the contract wants, {survived} survived."
        )
    sys.stdout.write("\n".join([*sums, f"{time.monotonic() - began:.0f} s in all", ""]))
    if arguments.write:
        PAGE.write_text(page(sums), encoding="utf-8")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
