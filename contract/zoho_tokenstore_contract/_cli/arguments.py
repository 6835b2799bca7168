"""The words of the command line: its commands, their arguments, and what ``--help`` says.

They stand on argparse. Click has finer help and its own completion, but the kit is installed into other
people's test environments, where each package that it needs is one more that may not fit.
"""

from __future__ import annotations

import argparse
import importlib.metadata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from .._spec.clauses import CLAUSES, CONTRACT_VERSION, GROUPS
from .completion import SHELLS, Parser
from .scaffold import about, bundled

PROGRAM = "zoho-tokenstore"

Run = Callable[[argparse.Namespace], int]
"""What a command does, given its arguments: it returns the exit status."""

_STATUSES = """\
exit status:
  0  every store conforms; with --only, where there is no verdict on the whole, it
     keeps those of the named clauses that it must keep: SHOULD ones with --strict
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


def _version() -> str:
    from .._spec.sdk import SDKMissing, load

    try:
        sdk = load()
        found = f"{sdk.distribution} {sdk.version}"
    except SDKMissing as error:
        found = str(error)
    kit = "pytest-zoho-tokenstore"
    return f"{kit} {importlib.metadata.version(kit)}\ncontract {CONTRACT_VERSION}\nSDK: {found}"


class _Version(argparse.Action):
    """Prints versions; they are looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        print(_version())
        parser.exit()


def _processes(text: str) -> str:
    if text not in ("auto", "logical") and not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number from 1 on nor auto")
    return text


def parser_of(commands: Mapping[str, Run]) -> Parser:
    """The parser of the whole command line.

    Args:
        commands: What each command does, by its name.

    Returns:
        The parser. It sets ``run`` to what the command does; of ``completion`` it also sets ``script``, which
        makes the script for a shell that is named.
    """
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
    added = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    check = _command(
        added,
        "check",
        commands["check"],
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
        added,
        "clauses",
        commands["clauses"],
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
        added,
        "copy",
        commands["copy"],
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
        added,
        "init",
        commands["init"],
        "write the test file for a store that exists",
        _examples(
            "init mypackage.tokens:RedisStore", "init tokens:store --transient --output tests/test_it.py"
        ),
    )
    _add_target(init)
    _add_nature(init)
    init.add_argument("--output", type=Path, metavar="FILE", help="the test file; test_FACTORY.py by default")

    allow = _command(
        added,
        "allow",
        commands["allow"],
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
    _add_migration(added, commands)

    completion = _command(
        added,
        "completion",
        commands["completion"],
        "print the script with which a shell completes the words of this command",
        f"""bash and zsh, in their start file:  eval "$({PROGRAM} completion bash)"
fish, in its start file:            {PROGRAM} completion fish | source

"""
        + _examples("completion bash", "completion zsh", "completion fish"),
    )
    completion.add_argument("shell", choices=SHELLS, help="the shell")
    completion.set_defaults(script=lambda shell: SHELLS[shell](PROGRAM, parser, added.choices))
    return parser


def _add_migration(added: Any, commands: Mapping[str, Run]) -> None:
    audit = _command(
        added,
        "audit",
        commands["audit"],
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
        added,
        "move",
        commands["move"],
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


def _command(added: Any, name: str, run: Run, does: str, more: str) -> Parser:
    made: Parser = added.add_parser(
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
        "the kit empties it between tests. Rows that get_tokens hides are not seen, and are deleted",
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
        help="share the work between N processes, or auto, with pytest-xdist (1: this process alone); by "
        "default between as many as there are processors, where each location has a storage of its own",
    )


def _examples(*commands: str) -> str:
    return "".join(["examples:\n", *(f"  {PROGRAM} {command}\n" for command in commands)])
