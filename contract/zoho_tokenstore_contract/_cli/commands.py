"""The command ``zoho-tokenstore``: check a store, read the contract, start a store or its test file.

It stands on argparse. Click has finer help and its own completion, but the kit is installed into other
people's test environments, where each package that it needs is one more that may not fit.

Nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import importlib.util
import os
import shlex
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from .._spec.clauses import CLAUSES, CONTRACT_VERSION, GROUPS, SOURCES, Clause, did_you_mean
from .._spec.outcomes import Outcome, UsageError
from .._spec.selection import named_clauses
from .completion import SHELLS, Parser
from .scaffold import (
    about,
    allowed,
    as_attribute,
    as_options,
    bundled,
    contract_test,
    copy,
    importable,
    snake,
    write,
)

if TYPE_CHECKING:
    from .._runner.targets import Declarations
    from .workers import Worker

PROGRAM = "zoho-tokenstore"
CONFORMS, VIOLATES, MISUSED = 0, 1, 2
"""The exit statuses. No verdict is `VIOLATES` too: status 0 says that all is kept."""

_STATUSES = """\
exit status:
  0  every store conforms; with --only, it keeps the clauses that were named
  1  one violates the contract, or there is no verdict: a clause could not be
     decided, or the run was interrupted
  2  the command was used wrongly, or the store cannot be checked: it cannot be
     imported or opened, its storage is not empty, there is no SDK
"""
_TARGET = (
    "PACKAGE.MODULE:FACTORY, where FACTORY is a class or function that makes a store, called with the "
    "Path of an empty directory if it takes an argument and with nothing otherwise, in that directory"
)

_ADDRESSES = """\
a store is one of:
  file:PATH                the file of the SDK's FileStore
  sqlite:PATH              the table of SQLiteFileStore, or of the SDK's sample
  mysql://USER@HOST/DATABASE?table=NAME
                           the table of the SDK's DBStore, or of SQLAlchemyStore
  postgresql://USER@HOST/DATABASE?table=NAME
                           the table of SQLAlchemyStore
  redis://HOST/0?prefix=P  the keys of RedisStore
  dynamodb:TABLE           the table of DynamoDBStore
  PACKAGE.MODULE:FACTORY   what a class or function makes without arguments
A password may stand in the address, or in MYSQL_PWD, PGPASSWORD or
REDISCLI_AUTH; boto3 reads its own settings.

"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: What follows the command's name; those of this process by default.

    Returns:
        The exit status: 0, 1 or 2.
    """
    given = _parser().parse_args(arguments)
    given.alone = arguments is None
    run: Callable[[argparse.Namespace], int] = given.run
    decides = run in (_check, _allow)
    try:
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
    from .session import run

    workers = _workers(given)
    ran = run(
        _options(given),
        processes=given.processes,
        one_by_one=given.shared_storage,
        workers=workers,
        durations=given.durations,
    )
    if ran.misused:
        return MISUSED
    return CONFORMS if ran.conforms else VIOLATES


def _workers(given: argparse.Namespace) -> Sequence[Worker]:
    """Processes that share the work, forked before the store is imported; none inside another program."""
    from .workers import start

    return start(share=given.processes is None and not given.shared_storage) if given.alone else ()


def _allow(given: argparse.Namespace) -> int:
    from .session import run

    # What stands on standard output is what is pasted.
    workers = _workers(given)
    ran = run(
        _options(given),
        processes=given.processes,
        one_by_one=given.shared_storage,
        quiet=True,
        workers=workers,
    )
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
    from .._migration.commands import run_audit

    return run_audit(given)


def _move(given: argparse.Namespace) -> int:
    from .._migration.commands import run_move

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


# ---------------------------------------------------------------------------------------------
# What they print and pass on.


def _print_clause(clause: Clause) -> None:
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

    if given.processes is not None and importlib.util.find_spec("xdist") is None:
        raise UsageError("-n needs pytest-xdist; run: python -m pip install pytest-xdist")
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

    return Declarations(given.transient, given.shared_storage, given.disposable, allowed or None)


def _version() -> str:
    from .._spec.sdk import SDKMissing, load

    try:
        sdk = load()
        found = f"{sdk.distribution} {sdk.version}"
    except SDKMissing as error:
        found = str(error)
    kit = "pytest-zoho-tokenstore"
    return f"{kit} {importlib.metadata.version(kit)}\ncontract {CONTRACT_VERSION}\nSDK: {found}"


# ---------------------------------------------------------------------------------------------
# The words of the command line.


class _Version(argparse.Action):
    """Prints versions; they are looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        print(_version())
        parser.exit()


def _processes(text: str) -> str:
    if text not in ("auto", "logical") and not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number from 1 on nor auto")
    return text


def _parser() -> Parser:
    parser = Parser(
        PROGRAM,
        description="Checks token stores for the Zoho CRM Python SDK against the TokenStore contract.",
        epilog=_examples(
            "check mypackage.tokens:RedisStore",
            "clauses SAVE-4",
            "copy sqlite ./my_store.py",
            "init mypackage.tokens:RedisStore",
            "allow mypackage.tokens:RedisStore",
            "audit file:tokens.csv",
            "move file:tokens.csv sqlite:tokens.db --dry-run",
        )
        + f'\nThe shell completes words after: eval "$({PROGRAM} completion bash)"\n',
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="show the versions of the kit, the contract and the SDK"
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    check = _command(
        commands,
        "check",
        _check,
        "check stores against the whole contract",
        _examples(
            "check mypackage.tokens:RedisStore",
            "check tokens:store --transient --report report.json",
            "check tokens:store --allow 'DEL-5=ids are row numbers, issue 12'",
        )
        + "\n"
        + _STATUSES
        + "\nOf the project around it, pytest's settings, conftest.py and plugins take no part.\n",
    )
    _add_target(check, many=True)
    _add_nature(check)
    _add_run(check)
    check.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="LIST",
        help="check these clauses and groups alone, as SAVE,FIND-5; repeatable",
    )
    check.add_argument(
        "--report",
        action="append",
        default=[],
        metavar="FILE",
        help="write the verdicts to a file; repeatable",
    )
    check.add_argument(
        "--reproducers",
        metavar="DIR",
        help="write a script for each broken clause that shows it without the kit",
    )

    check.add_argument(
        "--durations",
        action="store_true",
        help="print what each clause took: calls of the store, and seconds, the slowest first",
    )

    clauses = _command(
        commands,
        "clauses",
        _clauses,
        "show the contract, a group of it, or one clause",
        _examples("clauses", "clauses SAVE", "clauses save-4"),
    )
    clauses.add_argument(
        "id",
        nargs="?",
        metavar="ID",
        words=[*CLAUSES, *GROUPS],
        help="a clause, such as SAVE-4, or a group",
    )

    stores = bundled()
    copied = _command(
        commands,
        "copy",
        _copy,
        "copy a reference store to start from, and its test file",
        "stores:\n"
        + "".join(f"  {name:16} {about(module)}\n" for name, module in stores.items())
        + "\n"
        + _examples("copy sqlite ./my_store.py", "copy django ./zoho_tokens"),
    )
    copied.add_argument("name", metavar="NAME", words=stores, help="the store, see below")
    copied.add_argument(
        "destination",
        metavar="DESTINATION",
        type=Path,
        help="the module (of django the package) to write; test_NAME.py comes beside it",
    )

    init = _command(
        commands,
        "init",
        _init,
        "write the test file for a store that exists",
        _examples(
            "init mypackage.tokens:RedisStore", "init tokens:store --transient --output tests/test_it.py"
        ),
    )
    _add_target(init)
    _add_nature(init)
    init.add_argument("--output", type=Path, metavar="FILE", help="the test file; test_FACTORY.py by default")

    allow = _command(
        commands,
        "allow",
        _allow,
        "print the list of what a store breaks today, to be declared as allowed",
        _examples("allow mypackage.tokens:RedisStore")
        + "\nWith the list, in the class or as options, a run passes, and fails for whatever else\n"
        "comes to be broken, or is kept after all. Replace each TODO by the reason why it may.\n\n"
        "exit status:\n"
        "  0  the list is whole\n"
        "  1  a clause could not be decided, and so cannot be listed\n"
        "  2  the command was used wrongly, or the store cannot be checked\n",
    )
    _add_target(allow)
    _add_nature(allow)
    _add_run(allow)
    allow.set_defaults(report=[], reproducers=None, only=[])
    _add_migration(commands)

    def complete(given: argparse.Namespace) -> int:
        print(SHELLS[given.shell](PROGRAM, parser, commands.choices), end="")
        return CONFORMS

    completion = _command(
        commands,
        "completion",
        complete,
        "print the script with which a shell completes the words of this command",
        f"""bash and zsh, in their start file:  eval "$({PROGRAM} completion bash)"
fish, in its start file:            {PROGRAM} completion fish | source

"""
        + _examples("completion bash", "completion zsh", "completion fish"),
    )
    completion.add_argument("shell", choices=SHELLS, help="the shell")
    return parser


def _add_migration(commands: Any) -> None:
    audit = _command(
        commands,
        "audit",
        _audit,
        "look at a store in use, without writing to it, and say what is wrong with it",
        _ADDRESSES
        + _examples(
            "audit file:tokens.csv",
            "audit mysql://crm@db.example.com/zohooauth?table=oauthtoken",
            "audit mypackage.tokens:open_store --report audit.json",
        )
        + "\nIt calls get_tokens and find_token_by_id alone, and tells no secret.\n\n"
        "exit status:\n"
        "  0  nothing wrong was found\n"
        "  1  something was found\n"
        "  2  the command was used wrongly, or the store cannot be opened\n",
    )
    audit.add_argument("target", metavar="TARGET", help="the store, see below")
    move = _command(
        commands,
        "move",
        _move,
        "copy every token from one store to another, and read each back",
        _ADDRESSES
        + _examples(
            "move file:tokens.csv sqlite:tokens.db --dry-run",
            "move file:tokens.csv sqlite:tokens.db",
            "move mysql://crm@db.example.com/crm mypackage.tokens:store",
        )
        + "\nThe source is never changed. After an interruption, run the command again.\n\n"
        "exit status:\n"
        "  0  every token of the source is in the target, or can be (--dry-run)\n"
        "  1  something could not be carried over, or reads back differently\n"
        "  2  the command was used wrongly, a store cannot be opened, or the target holds\n"
        "     other tokens\n",
    )
    move.add_argument("source", metavar="SOURCE", help="the store to read, see below")
    move.add_argument(
        "target",
        metavar="TARGET",
        help="the store to write to; a file or an SQL table is made where there is none",
    )
    move.add_argument("--dry-run", action="store_true", help="print what would be written, and write nothing")
    move.add_argument(
        "--merge",
        action="store_true",
        help="the target may hold other tokens, which stay; of one login the newest that can renew stays",
    )
    for command in (audit, move):
        command.add_argument(
            "--report", type=Path, metavar="FILE", help="write the same as JSON; FILE ends in .json"
        )


def _command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], does: str, more: str
) -> Parser:
    made: Parser = commands.add_parser(
        name,
        help=does,
        description=f"{does[0].upper()}{does[1:]}.",
        epilog=more,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.set_defaults(run=run)
    return made


def _add_target(parser: Parser, *, many: bool = False) -> None:
    parser.add_argument("targets", metavar="TARGET", nargs="+" if many else 1, help=_TARGET)


def _add_nature(parser: Parser) -> None:
    parser.add_argument(
        "--transient", action="store_true", help="the store forgets everything when it is closed"
    )
    parser.add_argument(
        "--disposable",
        action="store_true",
        help="whatever the storage holds may be lost: the store is checked also where get_tokens does not "
        "show that it is empty",
    )
    parser.add_argument(
        "--shared-storage",
        action="store_true",
        help="it has one storage for all locations, such as a table on a server; it must be empty, and "
        "the kit empties it between tests",
    )


def _add_run(parser: Parser) -> None:
    parser.add_argument("--strict", action="store_true", help="SHOULD clauses count as MUST")
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="CLAUSE=REASON",
        help="the store may break this clause; if it keeps it after all, the run fails. Repeatable",
    )
    parser.add_argument("--thorough", action="store_true", help="look ten times deeper")
    parser.add_argument(
        "-n",
        "--processes",
        type=_processes,
        metavar="N",
        help="share the work between N processes, or auto, with pytest-xdist; by default between as many as "
        "there are processors, where each location has a storage of its own",
    )


def _examples(*commands: str) -> str:
    return "".join(["examples:\n", *(f"  {PROGRAM} {command}\n" for command in commands)])
