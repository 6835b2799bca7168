"""``zoho-tokenstore move`` on large and damaged stores, and on such as change meanwhile."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import random
import re
import signal
import stat
import subprocess
import sys
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from zohocrmsdk.src.com.zoho.api.authenticator.store.file_store import FileStore

from tests.stores_in_use import (
    ANN,
    BOB,
    BY_ACCESS,
    CLEO,
    PAST,
    UNNAMED,
    Listed,
    command,
    file_of,
    filled,
    line,
    named,
    rows,
    secrets_of,
    user,
)
from zoho_reference_stores import ListStore, SQLiteFileStore
from zoho_tokenstore_contract._migration.addresses import parse
from zoho_tokenstore_contract._migration.audit import audit
from zoho_tokenstore_contract._migration.file_store_reader import FileReader
from zoho_tokenstore_contract._migration.move import BATCH, look_at_target, move
from zoho_tokenstore_contract._migration.open_store import opened
from zoho_tokenstore_contract._migration.plan import SAME, Plan, plan
from zoho_tokenstore_contract._migration.readers import Changed, SourceRecord, StoreReader
from zoho_tokenstore_contract._spec.tokens import Row, to_row, to_token

pytestmark = pytest.mark.once


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> ListStore:
    """A target in memory, which the command knows as ``target:store``."""
    return named(monkeypatch, "target", ListStore())


def test_a_source_that_changes_is_noticed(monkeypatch: pytest.MonkeyPatch, target: ListStore) -> None:
    """A row that was renewed between plan and move is not written in a mixture of both."""
    store = Listed(ANN, BOB)
    reader = StoreReader(store)
    made = plan(reader, Plan())
    look_at_target(StoreReader(target), made)
    store.given[1] = BOB.but(access_token="1000.renewed")
    moved = move(reader, target, made)

    assert "somebody wrote to it" in moved.broken_off
    assert rows(target) == []


@pytest.mark.parametrize("given", [ANN, UNNAMED, BY_ACCESS], ids=["user", "refresh token", "access token"])
def test_what_an_application_saves_in_the_target_meanwhile_stays(given: Row, target: ListStore) -> None:
    """A token that was renewed between the look at the target and the save is newer, and is not replaced."""
    source = StoreReader(Listed(given))
    made = plan(source, Plan())
    look_at_target(StoreReader(target), made)
    renewed = given.but(redirect_url="https://renewed.example.com", expires_in="99999999999999")
    filled(target, renewed)
    moved = move(source, target, made)

    assert (moved.newer, moved.written, moved.failed) == (1, 0, [])
    assert rows(target) == [renewed]


def test_it_holds_one_batch_of_rows_at_a_time(target: ListStore) -> None:
    """However many rows there are, the rows of two batches are in memory at most."""
    alive: weakref.WeakSet[Row] = weakref.WeakSet()
    most = 0

    class Streamed(StoreReader):
        def records(self) -> Iterator[SourceRecord]:
            nonlocal most
            for number in range(4 * BATCH):
                row = user(number)
                alive.add(row)
                most = max(most, len(alive))
                yield SourceRecord(f"row {number}", row)

    class Echo(ListStore):
        """Finds what was saved, whatever it is asked with, without keeping rows."""

        def save_token(self, token: Any) -> None:
            tokens[token.get_id()] = token

        def find_token_by_id(self, id: str) -> Any:
            return tokens[id]

        def find_token(self, token: Any) -> Any:
            asked = to_row(token)
            text = asked.user_name or asked.refresh_token or asked.access_token
            return tokens.get(str(int(re.findall("[0-9]+", text.removeprefix("1000."))[0])))

    tokens: dict[str, Any] = {}
    reader = Streamed(target)
    made = plan(reader, Plan())
    look_at_target(None, made)
    moved = move(reader, Echo(), made)

    assert (moved.written, moved.failed, moved.broken_off) == (4 * BATCH, [], "")
    assert most <= 2 * BATCH


def test_a_file_that_is_written_to_meanwhile_is_noticed(
    tmp_path: Path, target: ListStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`FileStore` empties its file to write it anew, so that a reader may have seen half of it."""
    address = file_of(tmp_path / "tokens.csv", line(ANN), line(BOB))
    save = ListStore.save_token

    def save_beside_another(store: ListStore, token: Any) -> None:
        save(store, token)
        file_of(tmp_path / "tokens.csv", line(ANN), line(BOB), line(CLEO))

    monkeypatch.setattr("zoho_tokenstore_contract._migration.move.BATCH", 1)
    monkeypatch.setattr(ListStore, "save_token", save_beside_another)
    assert command("move", address, "target:store") == 1
    assert "somebody wrote to it while it was read" in " ".join(capsys.readouterr().out.split())
    monkeypatch.setattr(ListStore, "save_token", save)
    assert command("move", address, "target:store") == 0
    assert rows(target) == [ANN, BOB, CLEO]


def test_a_file_that_is_emptied_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    """Neither is a part of it moved, nor does an audit take the rest for lost."""
    path = tmp_path / "tokens.csv"
    file_of(path, *(line(user(number)) for number in range(1, 500)))

    class Emptied(FileReader):
        def records(self) -> Iterator[SourceRecord]:
            for number, record in enumerate(super().records()):
                if number == 100:
                    file_of(path)
                yield record

    with pytest.raises(Changed):
        plan(Emptied(str(path)), Plan())
    file_of(path, *(line(user(number)) for number in range(1, 500)))
    assert "changed" in [finding.kind for finding in audit(Emptied(str(path)), "7.0.0").findings]


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file that opens and does not read")
def test_a_file_that_does_not_read_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """As of a broken disk: status 2 where it is to be moved, and a finding of an audit."""
    assert command("move", "file:/proc/self/mem", "none:store") == 2
    assert "it does not read any more (Input/output error)" in capsys.readouterr().err
    assert command("audit", "file:/proc/self/mem") == 1
    assert "it does not read any more" in capsys.readouterr().out


def test_what_an_application_renews_before_it_is_read_back_is_no_difference(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The row has the same id and user and ends later; a row that only differs is told."""

    class InUse(ListStore):
        def find_token_by_id(self, id: str) -> Any:
            later = {"expires_in": "99999999999999"} if id == ANN.id else {}
            self.save_token(to_token(user(int(id), access_token="1000.renewed", **later)))
            return super().find_token_by_id(id)

    named(monkeypatch, "target", InUse())
    named(monkeypatch, "source", Listed(ANN, BOB))
    assert command("move", "source:store", "target:store") == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "1 failed: - row 2" in told
    assert "row 1" not in told


# Many rows


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The addresses of two files, one with ten times the rows of the other."""
    path = tmp_path_factory.mktemp("many")
    lines = [line(user(number)) for number in range(1, 10_001)]
    return file_of(path / "few.csv", *lines[:1000]), file_of(path / "many.csv", *lines)


def _peak(address: str) -> int:
    tracemalloc.start()
    try:
        with opened(parse(address)) as reader, contextlib.closing(Plan()) as made:
            plan(reader, made)
            look_at_target(reader, made)
            assert made.in_target(SAME) == made.to_write
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_rows(many: tuple[str, str]) -> None:
    """Of ten times the rows, the plan holds not 100 KB more."""
    few, all_of_them = _peak(many[0]), _peak(many[1])

    assert all_of_them < few + 100_000


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="Linux shows the files of a process")
def test_what_lies_on_the_disk_is_nobody_s_and_holds_no_secret(many: tuple[str, str]) -> None:
    """The file of a plan has no name any more, is closed to others, and has digests for tokens."""
    with opened(parse(many[1])) as reader, contextlib.closing(Plan()) as made:
        plan(reader, made)
        files = [file for file in Path("/proc/self/fd").iterdir() if "etilqs" in os.path.realpath(file)]
        [content] = [file.read_bytes() for file in files]

        assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600]
        assert [file.stat().st_nlink for file in files] == [0]
    assert b"user1@example.com" in content
    assert not [piece for piece in (b"refreshq", b"accessqq", b"zq8f4d1c") if piece in content]


def test_a_terminal_sees_how_far_it_is(
    tmp_path: Path, many: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On one line of standard error, which is empty in the end; nowhere else."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    command("move", many[0], f"sqlite:{tmp_path / 'tokens.db'}")

    told = capsys.readouterr().err
    assert told.startswith("\r1,000 rows read")
    assert "\r500 of 1,000 rows" in told
    assert told.endswith("\r\x1b[K")
    assert "\n" not in told


# Files of the SDK's `FileStore`, as it is used


WRITES = """
import random, signal, sys
from zohocrmsdk.src.com.zoho.api.authenticator.store.file_store import FileStore
from tests.stores_in_use import user
from zoho_tokenstore_contract._spec.tokens import to_token

store, chance = FileStore("tokens.csv"), random.Random(int(sys.argv[1]))
for number in range(1, 60):
    store.save_token(to_token(user(number, id=None)))
signal.signal(signal.SIGALRM, signal.SIG_DFL)
signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.001, 0.01))
while True:
    store.save_token(to_token(user(chance.randrange(1, 60), id=None, expires_in="1700000000000")))
"""


def _damaged_by_threads(path: Path, seed: int) -> None:
    """Threads log users in and renew their tokens."""
    store = FileStore(str(path))

    def use(first: int) -> None:
        chance = random.Random(first)
        for number in range(first, first + 12):
            with contextlib.suppress(Exception):  # as an application that logs it
                store.save_token(to_token(user(number, id=None)))
                store.save_token(to_token(user(chance.randrange(1, 100), id=None, expires_in=PAST)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(seed * 1000, seed * 1000 + 96, 12)))


def _damaged_by_a_kill(path: Path, seed: int) -> None:
    """A process is killed while it saves."""
    done = subprocess.run(
        [sys.executable, "-c", WRITES, str(seed)],
        cwd=path.parent,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        check=False,
    )
    assert done.returncode == -signal.SIGALRM


@pytest.mark.skipif(os.name != "posix", reason="a timer kills the process")
@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize("damage", [_damaged_by_threads, _damaged_by_a_kill])
def test_every_user_whose_line_is_whole_is_carried_over(
    damage: Callable[[Path, int], None], seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever `FileStore` left, a refresh token in a whole line is in the new store, once for each user."""
    path = tmp_path / "tokens.csv"
    damage(path, seed)
    before = path.read_bytes()
    text = before.decode(errors="replace").replace("\0", "?")
    whole = {
        fields[1]: fields[4]
        for fields in csv.reader(io.StringIO(text))
        if len(fields) == 10 and fields[0].isdecimal() and fields[9] == user(1).api_domain
        # Of a user with several lines, another one may be a mixture of two.
        if text.count(f",{fields[1]},") == 1
    }
    statuses = {command("audit", f"file:{path}"), command("move", f"file:{path}", f"sqlite:{path}.db")}

    assert statuses <= {0, 1}
    assert path.read_bytes() == before
    with SQLiteFileStore(f"{path}.db") as store:
        moved = {row.user_name: row.refresh_token for row in rows(store)}
        assert len(moved) == len(rows(store))
    assert whole.items() <= moved.items()
    assert secrets_of([user(1)]) & set(re.findall("[0-9a-f]{8}", capsys.readouterr().out)) == set()
