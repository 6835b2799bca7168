"""``zoho-tokenstore audit``: what has happened to the rows of a store in use, read and never written."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import sqlite3
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from zohocrmsdk.src.com.zoho.api.authenticator.store.file_store import FileStore

from tests import mariadb, published, servers
from tests.stores_in_use import (
    HEADER,
    PAST,
    Listed,
    command,
    file_of,
    filled,
    line,
    rows,
    secrets_of,
    user,
)
from zoho_reference_stores import SQLiteFileStore
from zoho_tokenstore_contract._cli import audit_and_move
from zoho_tokenstore_contract._cli.audit_and_move import run_audit
from zoho_tokenstore_contract._migration.addresses import parse
from zoho_tokenstore_contract._migration.audit import MEANINGS, Audit, audit
from zoho_tokenstore_contract._migration.file_store_reader import FileReader
from zoho_tokenstore_contract._migration.known_faults import KNOWN_FAULTS, known_faults
from zoho_tokenstore_contract._migration.open_store import opened
from zoho_tokenstore_contract._migration.readers import CannotRead, StoreReader
from zoho_tokenstore_contract._spec.clauses import CLAUSES
from zoho_tokenstore_contract._spec.tokens import Row, to_token

pytestmark = pytest.mark.once

ANN, BOB = user(1), user(2)


def found(store: Any) -> dict[str, int]:
    """How often each kind was found in a store."""
    return counts(audit(StoreReader(store), "7.0.0"))


def counts(made: Audit) -> dict[str, int]:
    return {finding.kind: finding.count for finding in made.findings}


@contextlib.contextmanager
def audited(path: Path) -> Iterator[Audit]:
    reader = FileReader(str(path))
    yield audit(reader, "7.0.0")
    reader.close()


# It writes nothing, and tells no secret


def test_it_calls_nothing_but_get_tokens_and_find_token_by_id(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever else a store has is never touched, not even looked up."""
    called: set[str] = set()

    class Watched(Listed):
        def __getattribute__(self, name: str) -> Any:
            if not name.startswith("_") and name != "given":
                called.add(name)
            return super().__getattribute__(name)

    module = types.ModuleType("in_use")
    module.store = lambda: Watched(ANN, BOB, ANN)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "in_use", module)

    assert command("audit", "in_use:store") == 1
    # `close` is called where a store has one, after everything else.
    assert called - {"close"} == {"get_tokens", "find_token_by_id"}
    assert "users with several rows" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["file", "sqlite"])
def test_it_leaves_a_file_and_what_lies_beside_it_as_they_are(name: str, tmp_path: Path) -> None:
    """Neither the bytes nor the times nor the directory change, and the file need not be writable."""
    path = tmp_path / "tokens"
    if name == "file":
        file_of(path, line(ANN), HEADER, line(BOB)[:-60])
    else:
        with filled(SQLiteFileStore(path), ANN, BOB):
            pass
    path.chmod(0o400)
    before = path.read_bytes(), path.stat().st_mtime_ns, sorted(tmp_path.iterdir())
    command("audit", f"{name}:{path}")

    assert (path.read_bytes(), path.stat().st_mtime_ns, sorted(tmp_path.iterdir())) == before


@pytest.mark.parametrize("kind", ["file", "sqlite"])
def test_a_store_that_is_not_there_is_not_made(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`FileStore` and SQLite would each make a file."""
    assert command("audit", f"{kind}:{tmp_path / 'none'}") == 2
    assert "there is no such file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", range(40))
def test_no_secret_is_told_of_whatever_file(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever a file is cut, shifted or overwritten, no piece of a token or client secret is printed."""
    chance = random.Random(seed)
    users = [user(number) for number in range(1, 9)]
    path = tmp_path / "tokens.csv"
    file_of(path, *map(line, users))
    damaged = bytearray(path.read_bytes())
    for _ in range(chance.randrange(1, 6)):
        start = chance.randrange(len(damaged))
        end = min(len(damaged), start + chance.randrange(1, 200))
        if chance.random() < 0.5:
            del damaged[start:end]
        else:
            damaged[start:end] = chance.choice([b"\0" * (end - start), b",", b'"', b"\r\n"])
    path.write_bytes(damaged)
    report = tmp_path / "report.json"
    command("audit", f"file:{path}", "--report", report)
    command("move", f"file:{path}", f"sqlite:{tmp_path / 'tokens.db'}")

    said = capsys.readouterr()
    told = said.out + said.err + report.read_text()
    assert [piece for piece in secrets_of(users) if piece in told] == []


def test_a_server_s_password_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither where the address is wrong nor where the server does not answer."""
    command("audit", f"postgresql://me:hidden-password@127.0.0.1:{servers.free_port()}/crm")
    command("audit", "postgresql://me:hidden-password@127.0.0.1/crm?tabel=x")
    command("audit", "postgres://me:hidden-password@127.0.0.1/crm")

    said = capsys.readouterr()
    assert "cannot be opened" in said.err
    assert "hidden-password" not in said.out + said.err


# What it finds


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("no-id", [ANN.but(id=None)]),
        ("doubled-id", [ANN, BOB.but(id="1")]),
        ("doubled-user", [ANN, ANN.but(id="3", access_token="1000.newer")]),
        ("same-login", [ANN, ANN.but(id="3", user_name=None)]),
        ("same-login", [ANN.but(user_name=None), ANN.but(id="3")]),
        ("no-key", [ANN.but(user_name=None, client_secret=None, access_token=None)]),
        ("lost", [Row(id=None, refresh_token="1000.r")]),
        ("no-credential", [Row(id="1", user_name="ann")]),
        ("no-refresh", [ANN.but(refresh_token=None)]),
        ("no-client", [ANN.but(client_secret=None)]),
        ("shared", [ANN, BOB.but(refresh_token=ANN.refresh_token)]),
        ("width", [ANN.but(redirect_url="u" * 255)]),
        ("unreadable", [ANN.but(expires_in="https://app.example.com")]),
        ("header", [ANN, Row(id="id", user_name="user_name", client_secret="client_secret")]),
    ],
)
def test_it_finds_what_is_wrong_with_rows(kind: str, given: list[Row]) -> None:
    """Each kind is counted once for each place, and a healthy row beside it is not counted."""
    healthy = user(9)

    assert found(Listed(healthy, *given)).get(kind) == 1
    assert kind not in found(Listed(healthy))
    assert kind in MEANINGS


def test_a_healthy_store_has_nothing_wrong(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Tokens that have expired are told, and are nothing wrong: the SDK renews them."""
    with filled(SQLiteFileStore(tmp_path / "tokens.db"), ANN.but(expires_in=PAST), BOB):
        pass

    assert command("audit", f"sqlite:{tmp_path / 'tokens.db'}") == 0
    told = capsys.readouterr().out
    assert "2 rows, 2 users" in told
    assert "1 expired access token, the first of 2023-11-14" in told
    assert "nothing wrong was found" in told


def test_ids_that_lead_elsewhere_are_found() -> None:
    """An id that is not found, or by which another row is found, is told with its place."""

    class Astray(Listed):
        def find_token_by_id(self, id: str) -> Any:
            return super().find_token_by_id("2" if id == "1" else id) if id != "3" else None

    made = audit(StoreReader(Astray(ANN, BOB, user(3))), "7.0.0")

    [finding] = [finding for finding in made.findings if finding.kind == "not-by-id"]
    assert [example.rpartition(": ")[2] for example in finding.examples] == ["another row", "nothing"]


@pytest.mark.parametrize(("number", "looked_up"), [(100, 100), (1500, 500), (50_000, 20)])
def test_only_so_many_ids_are_looked_up(number: int, looked_up: int) -> None:
    """Of more rows, ids from all over the store are looked up, and how many is told."""

    class Large(Listed):
        def find_token_by_id(self, id: str) -> Any:
            return to_token(self.given[int(id)])

    made = audit(StoreReader(Large(*map(user, range(number)))), "7.0.0")

    assert (made.rows, made.looked_up, made.findings) == (number, looked_up, [])


def test_an_sqlite_file_that_is_written_to_meanwhile_is_not_trusted(tmp_path: Path) -> None:
    """It is read as if nobody wrote; where somebody did, the command is to be given again."""
    with filled(SQLiteFileStore(tmp_path / "tokens.db"), ANN, BOB):
        pass
    with opened(parse(f"sqlite:{tmp_path / 'tokens.db'}")) as reader:
        records = reader.records()
        next(records)
        with SQLiteFileStore(tmp_path / "tokens.db") as store:
            store.delete_token("2")
            with pytest.raises(CannotRead, match="somebody wrote to it"):
                list(records)


def test_an_sqlite_file_in_use_is_read(tmp_path: Path) -> None:
    """Rows that stand in the write-ahead log alone are read as well."""
    with filled(SQLiteFileStore(tmp_path / "tokens.db"), ANN, BOB):
        assert command("audit", f"sqlite:{tmp_path / 'tokens.db'}", "--report", tmp_path / "r.json") == 0

    assert json.loads((tmp_path / "r.json").read_text())["rows"] == 2


def test_a_store_that_cannot_list_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """It is a finding, with the exception's type and without its text."""

    class Broken(Listed):
        def get_tokens(self) -> Any:
            raise ValueError(ANN.refresh_token)

    assert found(Broken()) == {"unlisted": 1}


DAMAGED = {
    "a header line twice": ([line(ANN), HEADER, line(BOB)], {"header": 1}, 2),
    "a row that is cut behind its refresh token": (
        [line(ANN), line(BOB)[:-90]],
        {"cut": 1, "unlisted": 1, "not-by-id": 1},
        2,
    ),
    "a row that is cut in its refresh token": (
        [line(ANN), line(BOB)[:60]],
        {"unreadable": 1, "unlisted": 1},
        1,
    ),
    "a row with the end of another": (
        [line(ANN), line(BOB) + line(ANN)[30:]],
        {"unreadable": 1},
        1,
    ),
    "a row without its beginning": ([line(ANN), line(BOB)[20:]], {"unreadable": 1, "unlisted": 1}, 1),
    "a row that lost a field": ([line(ANN), line(BOB.but(expires_in="oauth"))], {"unreadable": 1}, 1),
    "NULs before the end of a row": (
        [line(ANN), "\0" * 99 + line(BOB)[-40:]],
        {"unreadable": 1},
        1,
    ),
    "a quote that is never closed": ([line(ANN), '2,"bob', line(user(3))], {"unreadable": 1}, 2),
    "a value of several lines": ([line(ANN.but(redirect_url="a\nb\r\n,c")), line(BOB)], {}, 2),
    "empty lines, as on Windows": ([line(ANN), "\r", "", line(BOB)], {}, 2),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_read_line_by_line(damage: str, tmp_path: Path) -> None:
    """What one line has suffered is told of that line, and every other row is read."""
    lines, expected, read = DAMAGED[damage]
    file_of(tmp_path / "tokens.csv", *lines)
    with audited(tmp_path / "tokens.csv") as made:
        told = counts(made)

    told = {
        kind: count
        for kind, count in told.items()
        if kind in expected or kind in ("cut", "header", "unreadable")
    }
    assert (told, made.rows) == (expected, read)


def test_a_file_of_the_oldest_releases_has_no_api_domain(tmp_path: Path) -> None:
    """Nine columns are no damage where the header has nine."""
    address = file_of(tmp_path / "tokens.csv", line(ANN).rpartition(",")[0], header=HEADER.rpartition(",")[0])

    assert command("audit", address) == 0


def test_a_file_that_ends_in_the_middle_is_told(tmp_path: Path) -> None:
    """Without a line break at the end, the last field may be cut, also where the row has all ten."""
    path = tmp_path / "tokens.csv"
    file_of(path, line(ANN), line(BOB))
    path.write_bytes(path.read_bytes()[:-4])
    with audited(path) as made:
        assert counts(made)["cut"] == 1


def test_a_row_in_the_place_of_the_header_is_told(tmp_path: Path) -> None:
    """`FileStore` skips the first line, whatever it is, and the user is logged out."""
    file_of(tmp_path / "tokens.csv", line(BOB), header=line(ANN))
    with audited(tmp_path / "tokens.csv") as made:
        assert counts(made) == {"not-listed": 1}


def test_a_file_that_is_empty_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`FileStore` always writes a header: an empty file is one that has lost every user."""
    (tmp_path / "tokens.csv").touch(0o600)
    address = f"file:{tmp_path / 'tokens.csv'}"

    assert command("audit", address) == 1
    assert command("move", address, f"sqlite:{tmp_path / 'tokens.db'}") == 1
    told = " ".join(capsys.readouterr().out.split())
    assert told.count("the file: it is empty, without the header that FileStore writes") == 2
    assert "each was read back" not in told


def test_what_filestore_itself_wrote_reads(tmp_path: Path) -> None:
    """Rows saved through the SDK's store are read as they were saved."""
    filled(FileStore(str(tmp_path / "tokens.csv")), *(user(number) for number in range(1, 30)))
    (tmp_path / "tokens.csv").chmod(0o600)

    assert command("audit", f"file:{tmp_path / 'tokens.csv'}") == 0


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
@pytest.mark.parametrize(
    ("mode", "directory", "expected"),
    [(0o600, 0o700, {}), (0o644, 0o755, {"mode"}), (0o600, 0o777, {"directory"}), (0o600, 0o1777, {})],
)
def test_who_else_reaches_the_file(mode: int, directory: int, expected: set[str], tmp_path: Path) -> None:
    """A file that others can read is told, and one in a directory in which they can replace it."""
    place = tmp_path / "place"
    place.mkdir()
    file_of(place / "tokens.csv", line(ANN))
    (place / "tokens.csv").chmod(mode)
    place.chmod(directory)
    with audited(place / "tokens.csv") as made:
        assert set(counts(made)) == set(expected)


# What it says


def test_json_has_what_the_text_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Programs get the counts, the examples and the clauses that the store is known to break."""
    address = file_of(tmp_path / "tokens.csv", line(ANN), HEADER)

    assert command("audit", address, "--report", tmp_path / "report.json") == 1
    told = capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["schema"], report["target"], report["store"], report["rows"]) == (
        1,
        address,
        "FileStore",
        1,
    )
    [header] = [finding for finding in report["findings"] if finding["kind"] == "header"]
    assert (header["count"], header["examples"]) == (1, ["line 3: it is a header line"])
    [stopped] = [fault for fault in report["known"] if fault["clauses"] == ["SAVE-3"]]
    assert stopped["seen"] == 1
    assert header["meaning"] in " ".join(told.split())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["file"], "is no address of a store"),
        (["tests"], "is no address of a store: give file:tokens.csv, sqlite:tokens.db"),
        ([__file__], f"did you mean file:{__file__} or sqlite:{__file__}?"),
        (["file:."], "is no file"),
        (["file:nowhere/tokens.csv"], "there is no directory"),
        (["builtins:list"], "makes a list, which is no TokenStore of the SDK"),
        (["redis://127.0.0.1:1/0"], "is the server there, and are user, password and database right?"),
        (["nowhere:store"], "there is no module 'nowhere'"),
        (["zoho_reference_stores:SQLiteFileStore"], "takes arguments"),
        (["zoho_reference_stores:NoStore"], "names nothing that makes a store"),
        (["mysql://127.0.0.1"], "the name of the database is missing"),
        (["file:tokens.csv", "--report", "report.html"], "does not end in .json"),
    ],
)
def test_wrong_use_is_told_in_one_line(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The status is 2, and nothing is printed on standard output."""
    assert command("audit", *arguments) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert (said.out, said.err.count("\n")) == ("", 1)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("postgres://me@db/crm", "postgresql"),
        ("postgresql+psycopg://me@db/crm", "postgresql"),
        ("mysql+pymysql://me@db/crm", "mysql"),
        ("mariadb://me@db/crm", "mysql"),
        ("rediss://db/0", "redis"),
        ("sqlite:///tokens.db", "sqlite"),
    ],
)
def test_addresses_of_other_libraries_are_read(given: str, kind: str) -> None:
    """As SQLAlchemy and redis-py write them; the same store without its port is the same."""
    assert parse(given).kind == kind
    assert parse(given).is_same_as(parse(given.replace("db/0", "db:6379/0")))
    assert parse("sqlite:///tokens.db").place == parse("sqlite:tokens.db").place


def test_a_file_that_may_not_be_read_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what the system says; the status is 2."""
    address = file_of(tmp_path / "tokens.csv", line(ANN))
    (tmp_path / "tokens.csv").chmod(0)
    user_id = os.geteuid()

    def as_another_user(given: argparse.Namespace) -> int:
        os.seteuid(user_id or 65534)  # root may read everything
        try:
            return run_audit(given)
        finally:
            os.seteuid(user_id)

    # The command alone: another user may not read where the package is installed.
    monkeypatch.setattr(audit_and_move, "run_audit", as_another_user)
    assert command("audit", address) == 2
    assert "Permission denied" in capsys.readouterr().err


def test_a_file_that_is_no_database_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that SQLite does not read is named, and left alone."""
    address = file_of(tmp_path / "tokens.csv", line(ANN))

    assert command("audit", f"sqlite:{address.partition(':')[2]}") == 2
    assert "no SQLite database, or its first bytes are damaged" in capsys.readouterr().err


@pytest.mark.parametrize("left", [100_000, 4_096], ids=["rows", "pages"])
@pytest.mark.parametrize("name", ["audit", "move"])
def test_a_damaged_database_is_told_with_what_helps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, left: int
) -> None:
    """The message says that the file is damaged, and nothing is written."""
    path = tmp_path / "tokens.db"
    with SQLiteFileStore(path) as store:
        for number in range(300):
            store.save_token(to_token(Row(access_token=f"1000.{number}" * 50)))
    with open(path, "r+b") as file:
        file.seek(left)
        file.write(b"\xff" * (path.stat().st_size - left))
    before = path.read_bytes()
    target = tmp_path / "new.db"

    status = command(name, f"sqlite:{path}", *([f"sqlite:{target}"] if name == "move" else []))
    out, err = capsys.readouterr()

    assert status != 0
    assert "the file is damaged" in out + err
    assert ".recover" in out + err
    assert before == path.read_bytes()
    assert not target.exists()


@pytest.mark.parametrize("fault", KNOWN_FAULTS, ids=lambda fault: f"{fault.store} {fault.clauses[0]}")
def test_known_faults_are_those_that_the_kit_has_found(fault: Any) -> None:
    """The page of published stores records each of the clauses as broken, from that release on."""
    record = json.loads(published.RECORD.read_text())["stores"]
    for entry in record:
        release = int(entry["release"].partition(".")[0])
        if entry["store"] == fault.store and release in (fault.first, 7):
            broken = {id for id, clause in entry["clauses"].items() if clause["outcome"] == "broken"}
            assert set(fault.clauses) <= broken

    assert set(fault.clauses) <= set(CLAUSES)
    assert set(fault.traces) <= set(MEANINGS)
    assert fault in known_faults(fault.store, "7.0.0")


# Databases


def test_the_database_of_the_sdk_s_sample_is_read(tmp_path: Path) -> None:
    """Its table has the columns of `DBStore`, and another name for the expiry than the reference store's."""
    connection = sqlite3.connect(tmp_path / "zohooauth.db")
    columns = HEADER.replace("redirect_uri", "redirect_url")
    connection.execute(f"create table oauthtoken ({columns.replace(',', ' text, ')} text)")
    for row in (ANN.but(expires_in=PAST), ANN.but(id="2"), BOB.but(id="3")):
        connection.execute("insert into oauthtoken values (?,?,?,?,?,?,?,?,?,?)", tuple(vars(row).values()))
    connection.commit()
    connection.close()
    (tmp_path / "zohooauth.db").chmod(0o600)

    assert command("audit", f"sqlite:{tmp_path / 'zohooauth.db'}", "--report", tmp_path / "r.json") == 1
    report = json.loads((tmp_path / "r.json").read_text())
    assert (report["rows"], report["users"], report["expired"]) == (3, 2, 1)
    assert [finding["kind"] for finding in report["findings"]] == ["doubled-user"]
    assert command("move", f"sqlite:{tmp_path / 'zohooauth.db'}", f"sqlite:{tmp_path / 'new.db'}") == 0
    with SQLiteFileStore(tmp_path / "new.db") as store:
        assert rows(store) == [ANN.but(id="2"), BOB.but(id="3")]


def test_a_table_of_dbstore_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Doubles of a user, ids that stand still, and ids that the collation takes for others are found."""
    servers.skip_or_fail(mariadb.missing())
    with published.serving() as server:
        store = published.db_store(tmp_path)
        filled(store, *(user(number) for number in range(1, 11)))
        with published._cursor() as (_, cursor):
            cursor.execute(f"use {tmp_path.name}")
            values = vars(ANN.but(id="0", access_token="1000.newer")).values()
            cursor.execute("insert into oauthtoken values (%s,%s,%s,%s,%s,%s,%s,%s,%s,%s)", tuple(values))
        monkeypatch.setenv("MYSQL_PWD", server.password)
        address = f"mysql://{server.user}@{server.host}:{server.port}/{tmp_path.name}"

        assert command("audit", address, "--report", tmp_path / "r.json") == 1
        assert command("audit", f"{address}?table=none") == 2
    report = json.loads((tmp_path / "r.json").read_text())
    assert (report["store"], report["rows"], report["users"]) == ("DBStore", 11, 10)
    assert {finding["kind"] for finding in report["findings"]} == {"doubled-user", "stuck-id"}
