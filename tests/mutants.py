"""Mechanical mutants of the reference stores, with the kit alone as their test: ``python -m tests.mutants``.

Cosmic Ray makes the mutants, each one small change of a store's module. Each is a module of its own in a
directory of its own, and the kit, strict, is run on it until the first failure. A mutant that the kit lets
pass has survived: either a check is missing, or the mutant behaves as the contract wants, and then
``tests/equivalent_mutants.toml`` says why. ``--write`` puts the figures and that list into
``docs/mutants.md``; see ``--help``.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import itertools
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cosmic_ray.plugins
import tomllib
from cosmic_ray.mutating import mutate_code

import zoho_reference_stores
from zoho_tokenstore_contract import TokenStoreContract
from zoho_tokenstore_contract._bench import Effort
from zoho_tokenstore_contract._clauses import CLAUSES, Level
from zoho_tokenstore_contract._contract import subject_of
from zoho_tokenstore_contract._outcomes import Outcome, UsageError
from zoho_tokenstore_contract._run import check_clause
from zoho_tokenstore_contract._targets import Declared, contract_class

HERE = Path(__file__).parent
LISTED, PAGE = HERE / "equivalent_mutants.toml", HERE.parent / "docs" / "mutants.md"
STORES = {
    "list_store": ("ListStore", Declared(transient=True)),
    "sqlite_memory": ("SQLiteMemoryStore", Declared(transient=True)),
    "sqlite_file": ("SQLiteFileStore", Declared()),
}
"""The modules, with the store in each and what its author declares."""
ARITHMETIC = "core/ReplaceBinaryOperator_"
ENOUGH = ("Add_Sub", "Sub_Add", "Mul_FloorDiv", "FloorDiv_Mul", "Mod_Add", "Div_Mul", "BitAnd_BitOr")
"""Of an arithmetic operator one replacement is enough: most others raise at once. ``|`` is in types alone."""
FINE = (Outcome.KEPT, Outcome.NOT_APPLICABLE)
LIMIT = 300  # seconds for one mutant, after which it counts as one that never ends


@dataclass(frozen=True)
class Mutant:
    """A module with one change.

    Attributes:
        module: Which module.
        was: The line that is changed, without its indentation.
        now: What it has become.
        code: The whole module.
    """

    module: str
    was: str
    now: str
    code: str

    def __str__(self) -> str:
        return f"{self.module}: {self.was}  ->  {self.now}"


def mutants_of(module: str) -> Iterator[Mutant]:
    """Every mutant of a module, no two of the same text."""
    source = Path(zoho_reference_stores.__file__).with_name(f"{module}.py").read_text(encoding="utf-8")
    seen = {source}
    for name in sorted(cosmic_ray.plugins.operator_names()):
        operator = cosmic_ray.plugins.get_operator(name)
        if operator.arguments() or (name.startswith(ARITHMETIC) and not name.endswith(ENOUGH)):
            continue
        for occurrence in itertools.count():
            code = mutate_code(source, operator(), occurrence)
            if code is None:
                break
            if code not in seen and _compiles(code):
                seen.add(code)
                yield Mutant(module, *_changed(source, code), code)


def _compiles(code: str) -> bool:
    with contextlib.suppress(SyntaxError):
        return bool(compile(code, "mutant", "exec"))
    return False


def _changed(source: str, code: str) -> tuple[str, str]:
    lines = list(difflib.unified_diff(source.splitlines(), code.splitlines(), n=0, lineterm=""))[3:]
    was, now = (" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
    return was, now


def killed_by(mutant: Mutant) -> str:
    """Run the kit on a mutant until the first failure, in a process that nothing else uses.

    Returns:
        What failed; "" where nothing did.
    """
    name, declared = STORES[mutant.module]
    package = Path(zoho_reference_stores.__file__).parent
    with tempfile.TemporaryDirectory(prefix="tokenstore-mutant-") as base:
        copy = Path(base, package.name)
        shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
        (copy / f"{mutant.module}.py").write_text(mutant.code, encoding="utf-8")
        for loaded in [one for one in sys.modules if one.partition(".")[0] == package.name]:
            del sys.modules[loaded]
        sys.path.insert(0, base)
        os.environ["PYTHONPATH"] = base  # for the processes that the kit starts
        signal.signal(signal.SIGALRM, _too_long)
        signal.alarm(LIMIT)
        try:
            target = f"{package.name}.{mutant.module}:{name}"
            return _first_broken(contract_class(target, declared, Path(base)))
        except UsageError as error:
            return str(error).partition("\n")[0]
        except TimeoutError:
            return "it does not end"
        finally:
            signal.alarm(0)


def _judged(mutant: Mutant) -> tuple[Mutant, str]:
    return mutant, killed_by(mutant)


def _too_long(*_: object) -> None:
    raise TimeoutError


def _first_broken(cls: type[TokenStoreContract]) -> str:
    subject = subject_of(cls)
    for clause in CLAUSES.values():
        if clause.level is not Level.MAY:
            outcome = check_clause(clause.id, subject, Effort(), scripts=False).outcome
            if outcome not in FINE:
                return clause.id if outcome is Outcome.BROKEN else f"{clause.id}: {outcome.value}"
    return ""


def equivalents() -> dict[tuple[str, str, str], str]:
    """Why a mutant behaves as the contract wants, by its module and what it changes."""
    listed = tomllib.loads(LISTED.read_text(encoding="utf-8"))
    return {
        (module, one["was"], now): one["why"]
        for module, entries in listed.items()
        for one in entries
        for now in one["now"]
    }


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
        "| module | line | becomes | why it is right |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {module} | {_code(was)} | {_code(now)} | {why} |"
        for (module, was, now), why in equivalents().items()
    ]
    return "\n".join(lines) + "\n"


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`" if text else ""


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 1 where a mutant survives that is not listed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="how many at once")
    parser.add_argument("--module", choices=STORES, action="append", help="only this one (repeatable)")
    parser.add_argument("--all", action="store_true", help="run those too that are listed as equivalent")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    arguments = parser.parse_args(words)
    began, listed, sums, survivors = time.monotonic(), equivalents(), [], 0
    for module in arguments.module or STORES:
        mutants = list(mutants_of(module))
        skipped = [one for one in mutants if (module, one.was, one.now) in listed and not arguments.all]
        survived = 0
        # Each gets a process in which the SDK is loaded, and no other mutant ever was.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["__main__", "zoho_tokenstore_contract._checks.sequences"])
        with context.Pool(arguments.processes, maxtasksperchild=1) as pool:
            for mutant, by in pool.imap_unordered(_judged, [one for one in mutants if one not in skipped]):
                known = (module, mutant.was, mutant.now) in listed
                survived += not by and not known
                sys.stdout.write(f"{'killed' if by else 'SURVIVED'} {mutant}  {by}\n")
                sys.stdout.flush()
        equivalent = sum((module, one.was, one.now) in listed for one in mutants)
        survivors += survived
        sums.append(
            f"- `{module}`: {len(mutants)} mutants, {len(mutants) - equivalent - survived} caught, "
            f"{equivalent} behave as the contract wants, {survived} survived."
        )
    sys.stdout.write("\n".join([*sums, f"{time.monotonic() - began:.0f} s in all", ""]))
    if arguments.write:
        PAGE.write_text(page(sums), encoding="utf-8")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main())
