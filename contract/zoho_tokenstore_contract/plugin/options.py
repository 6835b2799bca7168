"""The options: what they are called, and what they say."""

from __future__ import annotations

from pathlib import Path

import pytest


def add_options(parser: pytest.Parser) -> None:
    """Declare the options.

    Args:
        parser: The parser of pytest.
    """
    group = parser.getgroup("tokenstore", "conformance of Zoho CRM TokenStore implementations")
    group.addoption(
        "--tokenstore",
        action="append",
        default=[],
        metavar="PACKAGE.MODULE:FACTORY",
        help="check the store that FACTORY makes; it is called with a directory if it takes an "
        "argument, else with nothing, in that directory. A TokenStoreContract subclass will do too. "
        "Repeatable.",
    )
    group.addoption(
        "--tokenstore-transient",
        action="store_true",
        help="the stores named by --tokenstore forget everything when they are closed",
    )
    group.addoption(
        "--tokenstore-shared-storage",
        action="store_true",
        help="the stores named by --tokenstore have one storage for all locations; it must be empty, "
        "and the kit empties it between tests. Rows that get_tokens hides are not seen, and are deleted",
    )
    group.addoption(
        "--tokenstore-disposable",
        action="store_true",
        help="whatever the storage of the stores named by --tokenstore holds may be lost: they are checked "
        "also where get_tokens does not show that it is empty",
    )
    group.addoption(
        "--tokenstore-only",
        action="append",
        default=[],
        metavar="LIST",
        help="check these clauses and groups alone, as SAVE,FIND-5; then there is no verdict on the whole "
        "contract. For every store of the run. Repeatable.",
    )
    group.addoption(
        "--tokenstore-allow",
        action="append",
        default=[],
        metavar="CLAUSE=REASON",
        help="the stores named by --tokenstore may break this clause, for this reason; if they keep "
        "it after all, the run fails. Repeatable.",
    )
    group.addoption(
        "--tokenstore-strict",
        action="store_true",
        help="SHOULD clauses count as MUST, for every store of the run",
    )
    group.addoption(
        "--tokenstore-reproducers",
        metavar="DIR",
        help="write a script for each broken clause of each store into a new or empty directory; it needs "
        "the store and the SDK alone",
    )
    group.addoption(
        "--tokenstore-report",
        action="append",
        default=[],
        metavar="FILE",
        help="write the verdict on every store of the run to a file: a page (.html), Markdown for a "
        "pull request (.md), a badge (.svg) or data (.json), by the ending. Repeatable.",
    )


def only(config: pytest.Config) -> frozenset[str]:
    """The clauses that the run was told to check.

    Args:
        config: The run.

    Returns:
        Their ids; none for all.

    Raises:
        pytest.UsageError: A name is neither a clause nor a group.
    """
    entries = config.getoption("tokenstore_only")
    if not entries:
        return frozenset()
    from .._spec.clause_results import UsageError
    from .._spec.clause_selection import named_clauses
    from .._spec.surface import option

    try:
        return named_clauses(entries, option("only"))
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error


def is_partial(config: pytest.Config) -> bool:
    """Whether options of pytest leave tests out, as ``-k`` does.

    Args:
        config: The run.

    Returns:
        Whether one of them was given.
    """
    return any(config.getoption(name, None) for name in ("keyword", "markexpr", "deselect", "lf", "stepwise"))


def report_paths(config: pytest.Config) -> list[Path]:
    """The files that a report is written to.

    Args:
        config: The run.

    Returns:
        Their paths, each once; none in a worker of pytest-xdist.
    """
    if hasattr(config, "workerinput"):
        return []  # the process that gathers writes them
    named = dict.fromkeys(config.getoption("tokenstore_report"))
    return [Path(config.invocation_params.dir, name) for name in named]


def reproducers_path(config: pytest.Config) -> Path | None:
    """The directory for scripts.

    Args:
        config: The run.

    Returns:
        Its path; ``None`` where no scripts are wanted, and in a worker of pytest-xdist.
    """
    directory = config.getoption("tokenstore_reproducers")
    if directory is None or hasattr(config, "workerinput"):
        return None
    return Path(config.invocation_params.dir, directory)
