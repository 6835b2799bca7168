"""The command ``zoho-tokenstore``: check a store, read the contract, start a store or its test file.

Nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import shlex
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._spec.clause_results import Outcome, UsageError
from .._spec.clause_selection import named_clauses
from .._spec.clauses import CLAUSES, GROUPS, SOURCES, Clause, did_you_mean
from .._spec.surface import Surface, called_by
from .arguments import PROGRAM, Run, parser_of
from .scaffold import (
    allowed,
    as_attribute,
    as_options,
    contract_test,
    copy,
    importable,
    snake,
    write,
)

if TYPE_CHECKING:
    from .._runner.targets import Declarations
    from .pytest_session import SessionResult
    from .worker_processes import Worker

CONFORMS, VIOLATES, MISUSED = 0, 1, 2
"""The exit statuses. No verdict is `VIOLATES` too: status 0 says that all is kept."""
_ALONE = (None, "1")
"""What ``-n`` is where pytest-xdist has nothing to do: not given, or this process alone."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: What follows the command's name; those of this process by default.

    Returns:
        The exit status: 0, 1 or 2.
    """
    given = parser_of(_COMMANDS).parse_args(arguments)
    given.alone = arguments is None
    if given.alone and given.run in (_check, _allow):
        return _decide(given)
    return _run_command(given)


def _decide(given: argparse.Namespace) -> int:
    """Run a command whose status tells a verdict; this process ends with it, whatever a store does."""
    from .._harness.exit_guard import ProcessEndGuard
    from .._harness.run_end import end_with

    ProcessEndGuard(successes=True).__enter__()  # until the process ends
    status = _run_command(given)
    end_with(status)
    return status


def _run_command(given: argparse.Namespace) -> int:
    run: Run = given.run
    decides = run in (_check, _allow)
    if sys.stdout is None:  # a shell has closed it, as with `>&-`
        if sys.stderr is not None:
            print(f"{PROGRAM}: standard output is closed", file=sys.stderr)
        return VIOLATES
    try:
        with called_by(Surface.COMMAND):
            status = run(given)
        sys.stdout.flush()
    except UsageError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return MISUSED
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted", file=sys.stderr)
        return VIOLATES
    except OSError as error:
        # The reader is gone, as `head` when it has enough, or the disk is full. Nothing is left to be
        # written at exit, and a verdict that nobody got to see is no success.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if decides or not isinstance(error, BrokenPipeError):
            with contextlib.suppress(OSError):
                print(f"{PROGRAM}: the verdict could not be written: {error}", file=sys.stderr)
            return VIOLATES
        return CONFORMS
    return status


# ---------------------------------------------------------------------------------------------
# The commands.


def _check(given: argparse.Namespace) -> int:
    ran = _run(given, durations=given.durations)
    if ran.misused:
        return MISUSED
    return CONFORMS if ran.conforms else VIOLATES


def _run(given: argparse.Namespace, *, quiet: bool = False, durations: bool = False) -> SessionResult:
    from .pytest_session import run

    return run(
        # Processes that share the work are forked before the store is imported; none inside another program.
        workers=_workers(given),
        options=_options(given),
        processes=given.processes if given.processes not in _ALONE else None,
        one_by_one=given.shared_storage,
        quiet=quiet,
        durations=durations,
    )


def _workers(given: argparse.Namespace) -> Sequence[Worker]:
    from .worker_processes import start

    return start(share=given.processes is None and not given.shared_storage) if given.alone else ()


def _allow(given: argparse.Namespace) -> int:
    ran = _run(given, quiet=True)  # what stands on standard output is what is pasted
    if ran.misused:
        return MISUSED
    if not ran.whole or not ran.stores:
        print(f"{PROGRAM}: the run broke off; `{PROGRAM} check` shows why", file=sys.stderr)
        return VIOLATES
    [store] = ran.stores
    undecided = [one for one in store.all_results if one.outcome in (Outcome.ERROR, Outcome.UNKNOWN)]
    for result in undecided:
        print(f"{PROGRAM}: {result.clause} cannot be listed: {result.reason}", file=sys.stderr)
    reasons = allowed(store)
    if not reasons:
        print(f"{PROGRAM}: {store.target} breaks no clause that it has to keep", file=sys.stderr)
    command = shlex.join([PROGRAM, "check", *given.targets, *_described(given)])
    print("# In the class:")
    print(textwrap.indent(as_attribute(reasons), "    "))
    print("# Or on the command line:")
    print(" \\\n    ".join([command, *as_options(reasons)]))
    return VIOLATES if undecided else CONFORMS


def _clauses(given: argparse.Namespace) -> int:
    wanted = (given.id or "").upper().replace("_", "-")
    if wanted in CLAUSES:
        _print_clause(CLAUSES[wanted])
    elif wanted in GROUPS or not wanted:
        for group in [wanted] if wanted else GROUPS:
            _print_group(group)
    else:
        hint = did_you_mean(wanted, [*CLAUSES, *GROUPS])
        raise UsageError(f"there is no clause or group {given.id!r}{hint}")
    return CONFORMS


def _copy(given: argparse.Namespace) -> int:
    written = copy(given.name, given.destination)
    for path in written:
        print(f"wrote {path}")
    print(f"Next: python -m pytest {shlex.quote(str(written[-1]))}")
    return CONFORMS


def _audit(given: argparse.Namespace) -> int:
    from .audit_and_move import run_audit

    return run_audit(given)


def _move(given: argparse.Namespace) -> int:
    from .audit_and_move import run_move

    return run_move(given)


def _init(given: argparse.Namespace) -> int:
    from .._runner.targets import inspect_target

    [target] = given.targets
    stem = f"test_{snake(target.partition(':')[2])}"
    path = given.output or Path(f"{stem}.py")
    if path.suffix != ".py" or not importable(path.stem):
        raise UsageError(f"{path} is no name of a test file: it has to be like ./test_my_store.py")
    if path.exists():
        raise UsageError(f"{path} exists, and nothing is overwritten: take another name with --output")
    made = inspect_target(target, _declared(given), Path.cwd())
    write({path: contract_test(target, made.call, attributes=made.attributes, hook=made.hook)})
    print(f"wrote {path}\nNext: python -m pytest {shlex.quote(str(path))}")
    return CONFORMS


def _completion(given: argparse.Namespace) -> int:
    print(given.script(given.shell), end="")
    return CONFORMS


_COMMANDS: dict[str, Run] = {
    "check": _check,
    "clauses": _clauses,
    "copy": _copy,
    "init": _init,
    "allow": _allow,
    "audit": _audit,
    "move": _move,
    "completion": _completion,
}

# ---------------------------------------------------------------------------------------------
# What they pass on.


def _described(given: argparse.Namespace) -> list[str]:
    """The options that say what the stores are, as they were given."""
    return [
        f"--{name.replace('_', '-')}"
        for name in ("transient", "shared_storage", "disposable", "strict")
        if getattr(given, name)
    ]


def _options(given: argparse.Namespace) -> list[str]:
    """What was asked for as options of the plugin, after a look at what can be wrong.

    Raises:
        UsageError: With what is wrong, before pytest has printed anything.
    """
    from .._runner.targets import contract_class, parse_allowed

    if given.processes not in _ALONE and importlib.util.find_spec("xdist") is None:
        raise UsageError(f"-n {given.processes} needs pytest-xdist; run: python -m pip install pytest-xdist")
    allowances = parse_allowed(given.allow, "--allow")
    declared = _declared(given, allowances)
    if given.only:
        named_clauses(given.only, "--only")
    for target in given.targets:
        contract_class(target, declared, Path.cwd())
    options = [f"--tokenstore={target}" for target in given.targets]
    options += [f"--tokenstore-{option[2:]}" for option in _described(given)]
    options += [f"--tokenstore-allow={entry}" for entry in given.allow]
    options += [f"--tokenstore-only={entry}" for entry in given.only]
    options += [f"--tokenstore-report={path}" for path in given.report]
    if given.reproducers is not None:
        options.append(f"--tokenstore-reproducers={given.reproducers}")
    if given.thorough:
        options.append("--hypothesis-profile=tokenstore-thorough")
    return options


def _declared(given: argparse.Namespace, allowed: Mapping[str, str] | None = None) -> Declarations:
    """What the command line says of the stores that it names."""
    from .._runner.targets import Declarations

    return Declarations(
        persistent=not given.transient,
        own_storage=not given.shared_storage,
        disposable=given.disposable,
        allowed=allowed or {},
    )


# ---------------------------------------------------------------------------------------------
# The contract on the terminal: a clause in full, or a group with a line for each clause.


def _print_clause(clause: Clause) -> None:
    """Print a clause in full: what it promises, why, since when, and what is tried."""
    from .._checks.registry import checks_of

    sources = " and ".join(SOURCES[mark].replace("*", "").replace("`", "") for mark in clause.source.split())
    since = f"from version {clause.since} on; until then it is reported and weighs nothing"
    tried = [f"- {check.name.replace('_', ' ')}" for check in checks_of(clause.id)]
    _print_wrapped(f"{clause.id} ({clause.level.value}), {GROUPS[clause.group]}")
    print()
    _print_wrapped(clause.text)
    print()
    _print_wrapped(f"Why it matters: {clause.why}")
    _print_wrapped(f"Source: {sources}.")
    _print_wrapped(f"In the contract: {since if clause.new else f'since version {clause.since}'}.")
    print("\nWhat is tried:")
    for line in tried:
        _print_wrapped(line, subsequent_indent="  ")


def _print_group(group: str) -> None:
    """Print the clauses of a group, a line each."""
    print(f"{group}: {GROUPS[group]}")
    for clause in CLAUSES.values():
        if clause.group == group:
            line = f"  {clause.id:9} {clause.level.value:6} {'(new) ' if clause.new else ''}{clause.text}"
            # One line each: whole where a program reads, as wide as the window where somebody does.
            print(textwrap.shorten(line, _width(), placeholder=" ...") if sys.stdout.isatty() else line)


def _print_wrapped(text: str, **layout: Any) -> None:
    print(textwrap.fill(text, min(_width(), 100), break_long_words=False, break_on_hyphens=False, **layout))


def _width() -> int:
    return shutil.get_terminal_size().columns
