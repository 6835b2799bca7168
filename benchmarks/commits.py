"""How long the kit takes on a store, beside an older commit of it, on the same machine in one run.

Run it from the project's root, where git and the package ``virtualenv`` or ``uv`` are at hand, and the
servers that the tests start::

    python -m benchmarks.commits --commit 5228c3b --pairs 3

Both commits are checked out into temporary work trees and installed into temporary environments. They check
the same stores in turn, in pairs, each as ``zoho-tokenstore check`` does best: the older one with
pytest-xdist on two processes, this one as it decides by itself; each of them with a server of its own, so
that none meets what the other has left there. The table tells medians and the ratio of the pairs, in seconds
and in seconds of the processors, which other work on the machine disturbs less. The page is written after
each pair: what was measured stays where the run is stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import page
from tests import aws_stores, sql_stores

ROOT = Path(__file__).parent.parent
BESIDE = ("pytest-xdist", "psycopg[binary]", "pymysql")
"""What both commits need beside their own dependencies."""
STORES = '''
import functools
import os
import time

from zoho_reference_stores import ListStore, SecretsManagerStore, SQLAlchemyStore, SQLiteFileStore
from zohocrmsdk.src.com.zoho.api.authenticator.store import FileStore


def list_store():
    return ListStore()


def sqlite_file_store(location):
    return SQLiteFileStore(location / "tokens.db")


def file_store(location):
    return FileStore(str(location / "tokens.txt"))


def slowed(name):
    def call(self, *arguments):
        time.sleep(0.005)
        return getattr(super(Slow, self), name)(*arguments)

    return call


class Slow(ListStore):
    """Takes 5 ms for every call, as a server does that is not far away."""


for method in ("find_token", "save_token", "delete_token", "get_tokens", "delete_tokens", "find_token_by_id"):
    setattr(Slow, method, slowed(method))


def five_ms():
    return Slow()


@functools.cache
def engine(process):
    import sqlalchemy

    options = {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}
    return sqlalchemy.create_engine(os.environ["STORE_ADDRESS"], **options)


def database(location):
    return SQLAlchemyStore(engine(os.getpid()), location.name.replace("-", "_"))


postgresql = mariadb = database


@functools.cache
def client(process):
    import boto3

    return boto3.client("secretsmanager", endpoint_url=os.environ["STORE_ADDRESS"])


def moto(location):
    return SecretsManagerStore(client(os.getpid()), prefix=location.name)
'''


@dataclass(frozen=True)
class Store:
    """A store that both commits check.

    Attributes:
        name: Its name in the table.
        goal: The ratio to be reached.
        declared: What is declared of it.
        serving: Starts the server that it needs; where that is.
    """

    name: str
    goal: float
    declared: tuple[str, ...] = ()
    serving: Callable[[], AbstractContextManager[str]] = lambda: contextlib.nullcontext("")


@contextlib.contextmanager
def _database(kind: sql_stores.Kind) -> Iterator[str]:
    with kind.serving():
        yield kind.url(user=kind.server().user).render_as_string(hide_password=False)


@contextlib.contextmanager
def _moto() -> Iterator[str]:
    with aws_stores.serving():
        yield os.environ[aws_stores.AWS]


CHECKED = {
    "list_store": Store("`ListStore`", 0.4, ("--transient",)),
    "sqlite_file_store": Store("`SQLiteFileStore`", 0.45),
    "file_store": Store("the SDK's `FileStore`", 0.5),
    "five_ms": Store("a store that takes 5 ms for every call", 0.5, ("--transient",)),
    "postgresql": Store(
        "`SQLAlchemyStore` on PostgreSQL", 0.35, serving=lambda: _database(sql_stores.POSTGRESQL)
    ),
    "mariadb": Store("`SQLAlchemyStore` on MariaDB", 0.35, serving=lambda: _database(sql_stores.MARIADB)),
    "moto": Store("`SecretsManagerStore` on moto", 0.3, serving=_moto),
}
"""Factory to the store."""

WHY = (
    "Where a goal is not met: threads, exceptions in the middle of a call and awkward values make most of "
    "the calls, and where they try fewer places, faults of the examination pass. To start Python with the "
    "SDK in other surroundings, and to fork the processes of CRASH-1 and PROC-1, takes seconds of a store "
    "that keeps files. On a server, the calls themselves take most of the time."
)
"""What the page says below the table."""


@dataclass(frozen=True)
class Taken:
    """What one run took, in seconds: by the clock, and of the processors."""

    clock: float
    processors: float


@contextlib.contextmanager
def installed(commit: str, place: Path) -> Iterator[Path]:
    """A commit, installed into an environment of its own.

    Args:
        commit: The commit; "" for the files as they lie here.
        place: An empty directory.

    Yields:
        The environment's ``zoho-tokenstore``.
    """
    tree, environment = place / "tree", place / "environment"
    if commit:
        _run("git", "worktree", "add", "--quiet", "--detach", str(tree), commit)
    try:
        source = f"{tree if commit else ROOT}[sdk,sql,aws]"
        python = environment / "bin" / "python"
        if uv := shutil.which("uv"):
            _run(uv, "venv", "--quiet", "--python", sys.executable, str(environment))
            _run(
                uv,
                "pip",
                "install",
                "--quiet",
                "--compile-bytecode",
                "--python",
                str(python),
                source,
                *BESIDE,
            )
        else:
            _run(sys.executable, "-m", "venv", str(environment))
            _run(str(python), "-m", "pip", "install", "--quiet", source, *BESIDE)
        yield environment / "bin" / "zoho-tokenstore"
    finally:
        if commit:
            _run("git", "worktree", "remove", "--force", str(tree))


def _run(*command: str) -> None:
    subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603 (this program's own words)


def check(command: Path, directory: Path, *arguments: str) -> Taken:
    """Check a store once.

    Args:
        command: The ``zoho-tokenstore`` of one of the environments.
        directory: Where the stores lie.
        arguments: What follows ``check``.

    Raises:
        RuntimeError: There was no verdict.
    """
    with (directory / "output").open("w+b") as output:
        began = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 (this program's own words)
            [str(command), "check", *arguments], cwd=directory, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)
        clock = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in (0, 1):
            output.seek(0)
            raise RuntimeError(f"{command}: {process.returncode}\n{output.read().decode()[-3000:]}")
    return Taken(clock, used.ru_utime + used.ru_stime)


def table(figures: dict[str, list[tuple[Taken, Taken]]]) -> list[str]:
    """The table as Markdown.

    Args:
        figures: Factory to the pairs: what the older commit took, and what this one did.
    """
    lines = [
        "| store | then | now | ratio | goal | processors then | now | ratio |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for factory, pairs in figures.items():
        store = CHECKED[factory]
        cells = [f"| {store.name}"]
        for what in ("clock", "processors"):
            then = [getattr(old, what) for old, _ in pairs]
            now = [getattr(new, what) for _, new in pairs]
            ratio = statistics.median(new / old for old, new in zip(then, now, strict=True))
            cells += [f"{statistics.median(then):.1f} s", f"{statistics.median(now):.1f} s", f"{ratio:.2f}"]
            cells += [f"{store.goal:g} {'' if ratio <= store.goal else '**not met**'}".strip()] * (
                what == "clock"
            )
        lines.append(" | ".join(cells) + " |")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.commits", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--commit", default="5228c3b", help="the older commit (%(default)s)")
    parser.add_argument("--pairs", type=int, default=3, help="how often each store is checked (%(default)s)")
    parser.add_argument(
        "--docs", type=Path, default=page.DOCS, help="where the page is written (%(default)s)"
    )
    parser.add_argument(
        "--stores", nargs="+", choices=CHECKED, default=list(CHECKED), help="which stores (all of them)"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="tokenstore-") as name, contextlib.ExitStack() as both:
        place = Path(name)
        (place / "stores.py").write_text(STORES, encoding="utf-8")
        old = both.enter_context(installed(options.commit, place / "old"))
        new = both.enter_context(installed("", place / "new"))
        figures: dict[str, list[tuple[Taken, Taken]]] = {}
        for turn in range(options.pairs):
            for factory in options.stores:
                pair = (
                    _served(old, place, factory, "-n", "2", said=f"{turn + 1} of {options.pairs}, then"),
                    _served(new, place, factory, said=f"{turn + 1} of {options.pairs}, now"),
                )
                figures.setdefault(factory, []).append(pair)
                lines = table(figures)
                said = shlex.join(["python", "-m", "benchmarks.commits", *(arguments or sys.argv[1:])])
                made = {
                    "command": said,
                    **page.machine(),
                    "commit": options.commit,
                    "table": lines,
                    "why": WHY,
                }
                written = page.write(options.docs, commits=made)
    print("\n".join(lines))
    print(written)


def _served(command: Path, place: Path, factory: str, *arguments: str, said: str) -> Taken:
    """Check a store once, with a server of its own where it needs one, and tell what that took."""
    with CHECKED[factory].serving() as os.environ["STORE_ADDRESS"]:
        taken = check(command, place, f"stores:{factory}", *CHECKED[factory].declared, *arguments)
    print(f"{said}, {factory}: {taken.clock:.1f} s, processors {taken.processors:.1f} s", flush=True)
    return taken


if __name__ == "__main__":
    main()
