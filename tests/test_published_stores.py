"""The stores that Zoho ships: the kit finds again what is recorded of the installed release."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import mariadb, programs, published, servers
from tests.published_page import page
from tests.stores.real import tables
from tests.stores.right import RightStore
from zoho_reference_stores import SQLiteFileStore
from zoho_tokenstore_contract._spec.clauses import CLAUSES
from zoho_tokenstore_contract._spec.sdk import load

pytestmark = pytest.mark.once

STEADY_RUNS = 20
"""Where the scheduler has a say, an outcome counts as steady that so many runs in a row had."""

FACTORIES = {
    "FileStore": """
from zohocrmsdk.src.com.zoho.api.authenticator.store import FileStore

def open_store(location):
    return FileStore(str(location / "tokens.csv"))

def break_storage(store, location):
    location.rename(location.with_name(location.name + "-gone"))
""",
    "DBStore": "from tests.published import db_store as open_store, hide_database as break_storage\n",
}

KNOWN = (
    "BYID-2",
    "SAVE-3",
    "SAVE-11",
    "VALUE-1",
    "VALUE-9",
    "DEL-3",
    "FIND-5",
    "THREAD-2",
    "THREAD-3",
    "THREAD-4",
    "PROC-1",
    "CRASH-1",
    "CRASH-2",
    "CRASH-3",
    "SECRET-1",
)
"""What the kit must find in `FileStore`, whatever else it finds."""

ALL_PROGRAMS = [
    pytest.param(program, id=f"{clause}-{program.__name__}")
    for clause in CLAUSES
    for program in programs.of(clause)
]


@pytest.fixture(scope="module")
def served() -> Iterator[None]:
    """A server for `DBStore`."""
    servers.skip_or_fail(published.unserved())
    with published.serving():
        yield


@pytest.fixture(params=published.STORES)
def store(request: pytest.FixtureRequest) -> str:
    """A published store that can be opened here."""
    if request.param == "DBStore":
        request.getfixturevalue("served")
    return str(request.param)


def recorded(store: str) -> dict[str, Any]:
    """What is recorded of a store of the installed release, by clause."""
    sdk = load()
    entry = published.recorded(store, sdk.version)
    if entry is None or entry["distribution"] != sdk.distribution:
        pytest.skip(f"nothing is recorded of {store} in {sdk.distribution} {sdk.version}")
    clauses: dict[str, Any] = entry["clauses"]
    return clauses


def run_kit(
    store: str, directory: Path, *options: str
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Point the kit at a store as its users do: the ended process, and the store's part of the report."""
    (directory / "published_store.py").write_text(FACTORIES[store])
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider"),
            *("--tokenstore", "published_store:open_store", "--tokenstore-report", "report.json"),
            *options,
        ],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (directory / "report.json").exists(), done.stdout + done.stderr
    [report] = json.loads((directory / "report.json").read_text())["stores"]
    return done, report


def steady(id: str, clauses: dict[str, Any]) -> bool:
    """Whether a fresh run has to have the recorded outcome of a clause.

    Where the scheduler has a say, only where it was the same in `STEADY_RUNS` runs.
    """
    if id not in published.RACY or id not in clauses:
        return True
    one = clauses[id]
    return one.get("runs", 1) >= STEADY_RUNS and one["broken"] in (0, one["runs"])


def differences(clauses: dict[str, Any], report: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Where the report says otherwise than the record: by clause, what was recorded and what is reported."""
    found = {}
    for reported in report["clauses"]:
        id = reported["id"]
        if id not in clauses:  # the page shows it as missing
            continue
        recorded = clauses[id]["outcome"]
        accepted = [recorded] if steady(id, clauses) else ["kept", "broken", "not-reached", "not-run"]
        if reported["outcome"] not in accepted:
            found[id] = (recorded, reported["outcome"])
    return found


class TestFreshRun:
    """The kit on the stores of the installed release."""

    def test_file_store_is_caught(self, tmp_path: Path) -> None:
        """It violates the contract where it is known to, told so that a reader can reproduce it."""
        done, report = run_kit("FileStore", tmp_path, "-v")
        found = {clause["id"]: clause for clause in report["clauses"]}

        assert (1, "violates") == (done.returncode, report["verdict"]), done.stdout[-3000:]
        assert [] == [id for id in KNOWN if found[id]["outcome"] != "broken"]
        for id in KNOWN:
            direct = [finding for finding in found[id]["findings"] if not finding["arranging"]]
            assert [] != direct
            assert all(finding["done"] for finding in direct)
            assert f"{id} ({CLAUSES[id].level.value}) broken" in done.stdout
        assert {} == differences(recorded("FileStore"), report)

    @pytest.mark.usefixtures("served")
    def test_db_store_is_as_recorded(self, tmp_path: Path) -> None:
        """The kit reports what ``data/published-stores.json`` says, as far as that is steady."""
        clauses = recorded("DBStore")
        # They take most of the time, for each call is a connection.
        unsteady = [id.replace("-", "_") for id in clauses if not steady(id, clauses)]
        done, report = run_kit("DBStore", tmp_path, "-k", f"not ({' or '.join(unsteady) or 'none'})")

        assert done.returncode == 1, done.stdout[-3000:]
        assert {} == differences(clauses, report)


class TestPrograms:
    """The short programs that show what is broken."""

    def test_they_end_as_recorded(self, store: str) -> None:
        """Of a clause with recorded programs, these end badly, and no others."""
        clauses = recorded(store).items()
        wanted = {id: sorted(one["programs"]) for id, one in clauses if "programs" in one}
        ended = {id: sorted(published.shown_by_programs(store, id)) for id in wanted}

        assert wanted == ended

    @pytest.mark.parametrize("right", [RightStore, SQLiteFileStore])
    @pytest.mark.parametrize("program", ALL_PROGRAMS)
    def test_they_end_well_on_stores_that_are_right(
        self, program: programs.Program, right: Callable[[Path], Any], tmp_path: Path
    ) -> None:
        """A program asks for nothing but what the contract asks for."""
        store = right(tmp_path)
        try:
            assert programs.end_of(program, store) == ""
        finally:
            store.close()

    @pytest.mark.parametrize("program", ALL_PROGRAMS)
    def test_they_run_as_they_are_shown(
        self, program: programs.Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The lines on the page, put into a file of their own, end as the program does."""
        monkeypatch.chdir(tmp_path)
        shown = f"{programs.BEGINNING}\n{programs.source_of(program)}\n"
        raised = ""
        try:
            exec(compile(shown, "shown.py", "exec"), {})  # noqa: S102 (what the page shows)
        except Exception as error:
            raised = type(error).__name__

        assert programs.end_of(program, published.fresh("FileStore", tmp_path)).partition(":")[0] == raised


class TestRecord:
    """The record and the page that is made from it."""

    def test_the_page_is_up_to_date(self) -> None:
        """``python -m tests.published --render`` would change nothing."""
        assert page(published.read_record()) == published.PAGE.read_text(encoding="utf-8")

    def test_it_is_what_is_true(self) -> None:
        """Each store of each release is recorded as its table of truth has it, but for what is known."""
        for entry in published.read_record()["stores"]:
            broken, beyond = tables.of_shipped(entry["store"], entry["release"])
            wrong = {
                id: one["outcome"]
                for id, one in entry["clauses"].items()
                if one["outcome"] not in ("not-applicable", tables.outcome_in(id, broken, beyond))
            }
            differs = tables.NO_TOKEN_DIFFERS if beyond else tables.PASTED_DIFFERS
            assert wrong.keys() <= differs.keys(), (entry["store"], entry["release"], wrong)

    def test_whatever_is_broken_is_shown(self) -> None:
        """Each recorded outcome is one that there is, and what is broken has a program or what was seen."""
        for entry in published.read_record()["stores"]:
            for one in entry["clauses"].values():
                assert one["outcome"] in ("kept", "broken", "not-applicable", published.NOT_REACHED)
                assert one["outcome"] != "broken" or one.get("programs") or one.get("seen")


class TestCommand:
    """``python -m tests.published``."""

    @pytest.fixture(autouse=True)
    def docs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A record and a page of its own."""
        monkeypatch.setattr(published, "RECORD", tmp_path / "record.json")
        monkeypatch.setattr(published, "PAGE", tmp_path / "page.md")
        return tmp_path

    def test_one_group_is_entered_and_rendered(self, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """It tells the progress; what was recorded of other groups stays."""
        assert published.main(["--store", "FileStore", "--group", "LIST"]) == 0
        assert published.main(["--store", "FileStore", "--group", "CLEAR"]) == 0

        assert {"LIST", "CLEAR"} == {
            id.partition("-")[0] for id in published.read_record()["stores"][0]["clauses"]
        }
        assert "FileStore" in (docs / "page.md").read_text()
        assert (
            f"FileStore of {load().distribution} {load().version}: LIST    ...\n" in capsys.readouterr().out
        )

    def test_a_missing_server_is_an_error(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It says so in one line, and ends with status 1."""
        monkeypatch.setattr(published, "unserved", lambda: "no mariadbd found")

        assert published.main(["--store", "DBStore"]) == 1
        assert capsys.readouterr().err == "error: DBStore was not checked: no mariadbd found\n"


def test_the_private_server_leaves_nothing_behind() -> None:
    """It answers while it runs; then its port is closed and its directory gone."""
    servers.skip_or_fail(mariadb.missing())
    with mariadb.running() as server:
        with socket.create_connection((server.host, server.port), timeout=5) as one:
            assert one.recv(1)
        assert server.directory.is_dir()

    assert not server.directory.exists()
    with contextlib.closing(socket.socket()) as other:
        assert other.connect_ex((server.host, server.port)) != 0
