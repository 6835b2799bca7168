"""Mechanical mutants of the reference stores, with the kit alone as their test: ``python -m tests.mutants``.

Cosmic Ray makes the mutants, each one small change of a store's module. Each is a module of its own in a
directory of its own, and the kit is run on it until the first failure. A mutant that the kit lets pass has
survived: either a check is missing, or the mutant behaves as the contract wants, and then
``tests/equivalent_mutants.toml`` says why. ``--write`` puts the figures and that list into
``docs/mutants.md``; see ``--help``.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import cosmic_ray.plugins
import tomllib
from cosmic_ray.mutating import mutate_code

import zoho_reference_stores

HERE = Path(__file__).parent
LISTED, PAGE = HERE / "equivalent_mutants.toml", HERE.parent / "docs" / "mutants.md"
STORES = {
    "list_store": ("ListStore", "--tokenstore-transient"),
    "sqlite_memory": ("SQLiteMemoryStore", "--tokenstore-transient"),
    "sqlite_file": ("SQLiteFileStore",),
}
"""The modules, with the store in each and what its author declares."""
ARITHMETIC = "core/ReplaceBinaryOperator_"
ENOUGH = ("Add_Sub", "Sub_Add", "Mul_FloorDiv", "FloorDiv_Mul", "Mod_Add", "Div_Mul", "BitAnd_BitOr")
"""Of an arithmetic operator one replacement is enough: most others raise at once. ``|`` is in types alone."""
LIMIT = 300.0  # seconds for one mutant, after which it counts as one that never ends


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
    """Run the kit on a mutant until the first failure.

    Returns:
        What failed; "" where nothing did.
    """
    name, *options = STORES[mutant.module]
    with tempfile.TemporaryDirectory(prefix="tokenstore-mutant-") as base:
        package = Path(base, "zoho_reference_stores")
        shutil.copytree(Path(zoho_reference_stores.__file__).parent, package)
        (package / f"{mutant.module}.py").write_text(mutant.code, encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-rN", "--tb=no", "-p", "no:cacheprovider"]
        command += ["-p", "no:randomly", "-p", "no:xdist", "--tokenstore-strict", *options]
        command += ["--tokenstore", f"zoho_reference_stores.{mutant.module}:{name}"]
        with subprocess.Popen(
            command,
            cwd=base,
            env={**os.environ, "PYTHONPATH": base},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as run:
            try:
                said, _ = run.communicate(timeout=LIMIT)
            except subprocess.TimeoutExpired:
                os.killpg(run.pid, signal.SIGKILL)
                return "it does not end"
    if run.returncode == 0:
        return ""
    broken = re.search(r"^([A-Z]+-\d+) \((?:MUST|SHOULD)\)|^ +Root cause: (.*)", said, re.MULTILINE)
    return (broken[1] or broken[2]) if broken else said.strip().splitlines()[-1]


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
        with ThreadPoolExecutor(arguments.processes) as pool:
            jobs = {pool.submit(killed_by, one): one for one in mutants if one not in skipped}
            for job in as_completed(jobs):
                mutant, by = jobs[job], job.result()
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
