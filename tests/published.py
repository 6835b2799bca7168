"""The verdict on the stores that Zoho ships in its SDK: ``python -m tests.published``.

Runs the kit on the `FileStore` and, where a MariaDB server is found, the `DBStore` of the SDK that is
installed, records what it finds in ``data/published-stores.json`` and renders that as
``docs/published-stores.md``. ``--all --runs 20`` does so for every release; see ``--help``.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests import mariadb, programs, servers
from tests.published_page import page
from tests.records import compact
from zoho_tokenstore_contract._harness.store_source import StoreSource
from zoho_tokenstore_contract._harness.store_under_test import StoreUnderTest, close_by_default
from zoho_tokenstore_contract._harness.workspace import Effort
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._spec.clause_results import ClauseResult, Finding, Outcome
from zoho_tokenstore_contract._spec.clauses import CLAUSES, GROUPS
from zoho_tokenstore_contract._spec.sdk import SDKMissing, load

DOCS = Path(__file__).parent.parent / "docs"
RECORD, PAGE = DOCS.parent / "data" / "published-stores.json", DOCS / "published-stores.md"
STORES = ("FileStore", "DBStore")
RELEASES = tuple(f"{number}.0.0" for number in range(1, 8))

RACY = ("THREAD-2", "THREAD-3", "THREAD-4", "THREAD-5", "PROC-1", "CRASH-1", "FLOW-6", "FLOW-10")
"""Clauses whose outcome the scheduler has a say in: checked several times, and recorded how often broken."""

TOLD = ("MODEL", "THREAD", "PROC", "CRASH", "SECRET", "FLOW")
"""Groups without programs: what they break needs threads, kills, servers or long sequences."""

NOT_REACHED = Outcome.NOT_REACHED.value

CALLS_TOLD = 12

ADDRESS = "TOKENSTORE_MARIADB"
"""The environment variable that tells this process and its children where the server is."""

# As the SDK's README prescribes it.
TABLE = """
create table if not exists oauthtoken (
  id varchar(10) NOT NULL,
  user_name varchar(255),
  client_id varchar(255),
  client_secret varchar(255),
  refresh_token varchar(255),
  access_token varchar(255),
  grant_token varchar(255),
  expiry_time varchar(20),
  redirect_url varchar(255),
  api_domain varchar(255),
  primary key (id)
)
"""


# The stores


def file_store(location: Path) -> Any:
    """Open the SDK's `FileStore` on a file in the location."""
    return _stores().FileStore(str(location / "tokens.csv"))


def db_store(location: Path) -> Any:
    """Open the SDK's `DBStore` on a database that belongs to the location, with the prescribed table."""
    with _cursor() as (server, cursor):
        for gone in [one for one in _databases if not one.exists()]:
            cursor.execute(f"drop database if exists {_databases.pop(gone)}")
        name = _databases.setdefault(location, location.name)
        cursor.execute(f"create database if not exists {name}")
        cursor.execute(f"use {name}")
        cursor.execute(TABLE)
    return _stores().DBStore(
        host=server.host,
        database_name=name,
        user_name=server.user,
        password=server.password,
        port_number=server.port,
    )


_databases: dict[Path, str] = {}


def hide_file(store: Any, location: Path) -> None:
    """Put the file of an open store out of reach."""
    location.rename(location.with_name(f"{location.name}-gone"))


def hide_database(store: Any, location: Path) -> None:
    """Put the database of an open store out of reach."""
    with _cursor() as (_, cursor):
        cursor.execute(f"drop database {location.name}")


def _stores() -> Any:
    return load().module("src.com.zoho.api.authenticator.store")


@contextlib.contextmanager
def _cursor() -> Iterator[tuple[servers.Server, Any]]:
    import mysql.connector

    server = servers.Server(**json.loads(os.environ[ADDRESS]))
    connection = mysql.connector.connect(
        host=server.host, port=server.port, user=server.user, password=server.password
    )
    try:
        yield server, connection.cursor()
        connection.commit()
    finally:
        connection.close()


@contextlib.contextmanager
def serving(*, durable: bool = False) -> Iterator[servers.Server]:
    """Start a server for `db_store`; see `mariadb.running`."""
    with mariadb.running(durable=durable) as server:
        os.environ[ADDRESS] = json.dumps(dataclasses.asdict(server), default=str)
        try:
            yield server
        finally:
            del os.environ[ADDRESS]
            _databases.clear()


def unserved() -> str:
    """Why `DBStore` cannot be checked here; "" where it can."""
    try:
        importlib.import_module("mysql.connector")
    except ImportError:
        return "no mysql.connector found: python -m pip install mysql-connector-python"
    return mariadb.missing()


def sut_of(store: str) -> StoreUnderTest:
    """One of `STORES`, as the kit checks it."""
    opens, breaks = {"FileStore": (file_store, hide_file), "DBStore": (db_store, hide_database)}[store]
    return StoreUnderTest(
        target=store,
        open=opens,
        close=close_by_default,
        # By name: run as a command, this module is called __main__.
        source=StoreSource("tests.published", opens.__name__, str(Path(__file__).resolve())),
        break_storage=breaks,
    )


def text_of(store: str) -> str:
    """What the installed release's source of a store is recognized by."""
    module = sys.modules[getattr(_stores(), store).__module__]
    return hashlib.sha256(Path(str(module.__file__)).read_bytes()).hexdigest()[:12]


# What is recorded of a clause


def record_of(store: str, clause: str, runs: int = 1) -> dict[str, Any]:
    """Check one clause on one store.

    Args:
        store: One of `STORES`.
        clause: The clause's id.
        runs: How often to check it where it is one of `RACY`.

    Returns:
        Plain values: ``outcome``, and what shows it. A clause that was broken in one of several runs
        is broken.
    """
    times = runs if clause in RACY else 1
    results = [check_clause(clause, sut_of(store), Effort()) for _ in range(times)]
    broken = [result for result in results if result.outcome is Outcome.BROKEN]
    result = next((one for one in results if one.outcome in (Outcome.ERROR, Outcome.UNKNOWN)), None)
    result = result or (broken or results)[0]
    record: dict[str, Any] = {"outcome": result.outcome.value}
    if result.reason:
        record["reason"] = _scrubbed(result.reason)
    if times > 1:
        record |= {"runs": times, "broken": len(broken)}
    if result.findings:
        record |= _shown(store, result)
    return record


def _shown(store: str, result: ClauseResult) -> dict[str, Any]:
    """What shows that a clause is broken: programs, or else the finding that takes the fewest calls."""
    direct = [finding for finding in result.findings if not finding.precondition_failed]
    shown = direct and CLAUSES[result.clause].group not in TOLD
    if shown and (shown_by := shown_by_programs(store, result.clause)):
        return {"outcome": Outcome.BROKEN.value, "programs": shown_by}
    finding: Finding = min(direct or result.findings, key=lambda one: len(one.done))
    told: dict[str, Any] = {
        "check": finding.check,
        "expected": _scrubbed(finding.expected),
        "seen": _scrubbed(finding.seen),
    }
    if not direct:
        return {"outcome": NOT_REACHED, **told}
    if len(finding.done) <= CALLS_TOLD:
        told["calls"] = [_scrubbed(call) for call in finding.done]
    return told


def shown_by_programs(store: str, clause: str) -> dict[str, str]:
    """The programs for a clause that end badly on a store: their names, and how each ends."""
    ends = {}
    for program in programs.of(clause):
        with tempfile.TemporaryDirectory(prefix="tokenstore-") as base:
            if end := programs.end_of(program, fresh(store, Path(base))):
                ends[program.__name__] = _scrubbed(end)
    return ends


def fresh(store: str, base: Path) -> Any:
    """Open a store on a location of its own."""
    location = base / f"t{os.urandom(8).hex()}"
    location.mkdir()
    return sut_of(store).open(location)


def _scrubbed(text: str) -> str:
    """Without what is different in every run: places, ports, times."""
    text = re.sub(r"\S*/tokenstore-\w+/t[0-9a-f]{16}", "LOCATION", text)
    text = re.sub(r"\bt[0-9a-f]{16}\b", "DATABASE", text)
    text = re.sub(r"(127\.0\.0\.1:)\d{4,5}\b", r"\1PORT", text)
    return re.sub(r"\b1[78]\d{11}\b", "MILLISECONDS", text)


# The command


def check_store(store: str, groups: Sequence[str], runs: int) -> dict[str, Any]:
    """Check the clauses of some groups on one store, and tell the progress."""
    sdk = load()
    marks = {"kept": ".", "broken": "B", "not-applicable": "-", NOT_REACHED: "x"}
    made: dict[str, Any] = {}
    for group in groups:
        _say(f"{store} of {sdk.distribution} {sdk.version}: {group:8}")
        for clause in CLAUSES.values():
            if clause.group == group:
                made[clause.id] = record_of(store, clause.id, runs)
                _say(marks.get(made[clause.id]["outcome"], "?"))
        _say("\n")
    return made


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _complain(text: str) -> None:
    sys.stderr.write(f"error: {text}\n")


def read_record() -> dict[str, Any]:
    """What is recorded: ``stores``, for each store and release its verdict, in order."""
    if not RECORD.exists():
        return {"stores": []}
    recorded: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))
    return recorded


def recorded(store: str, release: str) -> dict[str, Any] | None:
    """The recorded verdict on a store of a release, if any."""
    entries = read_record()["stores"]
    return next((one for one in entries if (one["store"], one["release"]) == (store, release)), None)


def enter(store: str, clauses: dict[str, Any], about: dict[str, Any]) -> None:
    """Write what was found on a store of the installed release over what was recorded of it."""
    sdk = load()
    record = read_record()
    old = recorded(store, sdk.version) or {"clauses": {}}
    found = {**old["clauses"], **clauses}
    entry = {
        "store": store,
        "release": sdk.version,
        "distribution": sdk.distribution,
        "text": text_of(store),
        **about,
        "clauses": {clause: found[clause] for clause in CLAUSES if clause in found},
    }
    others = [one for one in record["stores"] if (one["store"], one["release"]) != (store, sdk.version)]
    record["stores"] = sorted(
        [*others, entry], key=lambda one: (STORES.index(one["store"]), _version(one["release"]))
    )
    RECORD.write_text(compact(record) + "\n", encoding="utf-8")


def _version(release: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", release)]


def render() -> None:
    """Write the page anew from the record."""
    PAGE.write_text(page(read_record()), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.published",
        description="Runs the kit on FileStore and DBStore of the installed SDK release, records the verdict "
        f"in data/{RECORD.name} and renders it as docs/{PAGE.name}. DBStore needs mysql-connector-python and "
        "Debian's mariadb-server, of which a private copy is started on loopback and stopped again.",
    )
    parser.add_argument("--store", choices=STORES, action="append", help="only this store")
    parser.add_argument(
        "--group", choices=GROUPS, action="append", help="only this clause group (repeatable)"
    )
    parser.add_argument(
        "--runs", type=int, default=1, help=f"how often to check {', '.join(RACY)} (default: 1)"
    )
    parser.add_argument("--render", action="store_true", help="check nothing, only render the page anew")
    parser.add_argument(
        "--all",
        action="store_true",
        help=f"check {RELEASES[0]} to {RELEASES[-1]} of zohocrmsdk8-0, each in an environment that is made "
        "for it and removed again; --runs then counts for FileStore alone: DBStore connects in every call",
    )
    options = parser.parse_args(arguments)
    if options.runs < 1:
        parser.error("--runs has to be 1 or more")
    if options.render:
        render()
        return 0
    if options.all:
        statuses = [
            _check_release(release, options.store or STORES, options.group or [], options.runs)
            for release in RELEASES
        ]
        return max(statuses)
    try:
        load()
    except SDKMissing as error:
        _complain(str(error))
        return 2
    failed = False
    for store in options.store or STORES:
        try:
            failed |= not _check_and_enter(store, options.group or list(GROUPS), options.runs)
        except servers.NoServer as error:
            _complain(f"DBStore was not checked: {error}")
            failed = True
    render()
    return int(failed)


def _check_release(release: str, stores: Sequence[str], groups: Sequence[str], runs: int) -> int:
    """Run this command in a new environment with a release of the SDK; its exit status."""
    with tempfile.TemporaryDirectory(prefix="tokenstore-sdk-") as base:
        venv.create(base, with_pip=True)
        python = [f"{base}/bin/python", "-m"]
        install = [*python, "pip", "install", "--quiet", "--disable-pip-version-check"]
        packages = [f"zohocrmsdk8-0=={release}", "mysql-connector-python"]
        root = str(Path(__file__).parent.parent)
        try:
            subprocess.run([*install, "--editable", root, *packages], check=True)
        except subprocess.CalledProcessError:
            _complain(f"zohocrmsdk8-0 {release} cannot be installed")
            return 1
        status = 0
        for store in stores:
            command = [*python, "tests.published", "--store", store]
            command += [option for group in groups for option in ("--group", group)]
            command += ["--runs", str(runs)] if store == "FileStore" else []
            status = max(status, subprocess.run(command, cwd=root, check=False).returncode)
        return status


def _check_and_enter(store: str, groups: Sequence[str], runs: int) -> bool:
    about = {"python": platform.python_version()}
    if store == "DBStore":
        if reason := unserved():
            raise servers.NoServer(reason)
        with serving() as server:
            about["server"] = f"MariaDB {server.version}"
            about["connector"] = importlib.metadata.version("mysql-connector-python")
            found = check_store(store, groups, runs)
    else:
        found = check_store(store, groups, runs)
    undecided = {
        clause: one for clause, one in found.items() if one["outcome"] in ("error", "unknown", "not-run")
    }
    for clause, one in undecided.items():
        _complain(f"{clause} was not decided and is not recorded: {one.get('reason', '')}")
    enter(store, {clause: one for clause, one in found.items() if clause not in undecided}, about)
    return not undecided


if __name__ == "__main__":
    # So that being told to end takes the server's directory away too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main())
