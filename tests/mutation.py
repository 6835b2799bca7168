"""Mechanical mutants of a package's modules, and a process for each in which to judge it."""

from __future__ import annotations

import ast
import contextlib
import difflib
import importlib
import itertools
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cosmic_ray.plugins
from cosmic_ray.mutating import mutate_code

ARITHMETIC = "core/ReplaceBinaryOperator_"
ENOUGH = ("Add_Sub", "Sub_Add", "Mul_FloorDiv", "FloorDiv_Mul", "Mod_Add", "Div_Mul", "BitAnd_BitOr")
"""Of an arithmetic operator one replacement is enough: most others raise at once. ``|`` is in types alone."""
LIMIT = 300  # seconds for one mutant, after which it counts as one that never ends


@dataclass(frozen=True)
class Mutant:
    """A module with one change.

    Attributes:
        module: The module, as ``package.module``.
        operator: Which of Cosmic Ray's operators made the change, as ``AddNot``.
        within: The function that is changed, as ``ListStore.save_token``; "" outside of one.
        was: The line that is changed, without its indentation.
        now: What it has become.
        code: The whole module.
    """

    module: str
    operator: str
    within: str
    was: str
    now: str
    code: str

    def __str__(self) -> str:
        return f"{self.module}: {self.was}  ->  {self.now}"


def mutants_of(module: str, without: Sequence[str] = ()) -> Iterator[Mutant]:
    """Every mutant of a module, no two of the same text.

    Args:
        module: The module, as ``package.module``.
        without: Operators that are left out.
    """
    source = _path_of(module).read_text(encoding="utf-8")
    tree, seen = ast.parse(source), {source}
    for name in sorted(cosmic_ray.plugins.operator_names()):
        operator, short = cosmic_ray.plugins.get_operator(name), name.partition("/")[2]
        if operator.arguments() or short in without:
            continue
        if name.startswith(ARITHMETIC) and not name.endswith(ENOUGH):
            continue
        for occurrence in itertools.count():
            code = mutate_code(source, operator(), occurrence)
            if code is None:
                break
            if code not in seen and _compiles(code):
                seen.add(code)
                yield Mutant(module, short, *_changed(source, tree, code), code)


def _path_of(module: str) -> Path:
    file = importlib.import_module(module).__file__
    assert file is not None
    return Path(file)


def _compiles(code: str) -> bool:
    with contextlib.suppress(SyntaxError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bool(compile(code, "mutant", "exec"))
    return False


def _changed(source: str, tree: ast.Module, code: str) -> tuple[str, str, str]:
    """The function that is changed, and its line before and after."""
    _, _, place, *lines = difflib.unified_diff(source.splitlines(), code.splitlines(), n=0, lineterm="")
    first, _, count = place.split()[1].lstrip("-").partition(",")
    was, now = (" ".join(line[1:].strip() for line in lines if line[0] == sign).strip() for sign in "-+")
    return _function_at(tree, int(first) + int(count or 1) - 1), was, now


def _function_at(node: ast.AST, number: int) -> str:
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.ClassDef | ast.FunctionDef):
            first = min([inner.lineno, *(decorator.lineno for decorator in inner.decorator_list)])
            if first <= number <= (inner.end_lineno or 0):
                return ".".join(filter(None, [inner.name, _function_at(inner, number)]))
    return ""


def judged(
    mutants: Sequence[Mutant], judge: Callable[[Mutant], str], processes: int
) -> Iterator[tuple[Mutant, str]]:
    """Judge mutants, several at once, each in a process that has imported the SDK and no other mutant.

    Args:
        mutants: The mutants.
        judge: A function of a module, called with a mutant whose module is in its place; it says what
            noticed it, and "" where nothing did.
        processes: How many at once.

    Returns:
        Each mutant with what noticed it, as they are judged.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", "zoho_tokenstore_contract._checks.lifetime.sequences"])
    with context.Pool(processes, maxtasksperchild=1) as pool:
        yield from pool.imap_unordered(partial(_judge, judge), mutants)


def _judge(judge: Callable[[Mutant], str], mutant: Mutant) -> tuple[Mutant, str]:
    package = mutant.module.partition(".")[0]
    path, home = _path_of(mutant.module), _path_of(package).parent
    with tempfile.TemporaryDirectory(prefix="tokenstore-mutant-") as base:
        copy = Path(base, package)
        shutil.copytree(home, copy)
        (copy / path.relative_to(home)).write_text(mutant.code, encoding="utf-8")
        forget(package)
        sys.path.insert(0, base)
        os.environ["PYTHONPATH"] = os.pathsep.join([base, os.getcwd()])  # for processes that are started
        signal.signal(signal.SIGALRM, _too_long)
        signal.alarm(LIMIT)
        try:
            return mutant, judge(mutant)
        except TimeoutError:
            return mutant, "it does not end"
        finally:
            signal.alarm(0)


def forget(package: str) -> None:
    """Have the modules of a package imported anew."""
    for loaded in [one for one in sys.modules if one == package or one.startswith(f"{package}.")]:
        del sys.modules[loaded]


def _too_long(*_: object) -> None:
    raise TimeoutError
