"""``zoho-tokenstore move`` on large and damaged stores, and on such as change; nothing is lost by a kill."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stores_in_use import (
    ANN,
    BOB,
    BY_ACCESS,
    UNNAMED,
    Listed,
    file_of,
    filled,
    line,
    named,
    rows,
    user,
)
from zoho_reference_stores import ListStore, SQLiteFileStore
from zoho_tokenstore_contract._migration.move import BATCH, look_at_target, move
from zoho_tokenstore_contract._migration.plan import Plan, plan
from zoho_tokenstore_contract._migration.reading import SourceRecord, StoreReader
from zoho_tokenstore_contract._spec.tokens import Row, to_row

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


# Kills


KILLED = """
import os, signal
from zoho_reference_stores import SQLiteFileStore

class Killed(SQLiteFileStore):
    saves = 0

    def save_token(self, token):
        type(self).saves += 1
        if self.saves == int(os.environ["SAVES"]) and os.environ["MOMENT"] == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        super().save_token(token)
        if self.saves == int(os.environ["SAVES"]):
            os.kill(os.getpid(), signal.SIGKILL)

def store():
    return Killed("tokens.db")
"""


@pytest.mark.skipif(os.name != "posix", reason="a process is killed with SIGKILL")
def test_a_move_that_is_killed_again_and_again_ends_in_the_rows_of_the_source(tmp_path: Path) -> None:
    """After each kill, in the middle of a batch, the next run goes on where the last one ended."""
    (tmp_path / "killed.py").write_text(KILLED)
    source = [user(number, id=None if number % 7 == 0 else str(number)) for number in range(1, 60)]
    address = file_of(tmp_path / "tokens.csv", *map(line, source))
    statuses = []
    for saves, moment in ((1, "before"), (1, "after"), (7, "before"), (30, "after"), (5, "after"), (99, "")):
        done = subprocess.run(
            [sys.executable, "-m", "zoho_tokenstore_contract", "move", address, "killed:store"],
            env={**os.environ, "SAVES": str(saves), "MOMENT": moment},
            cwd=tmp_path,
            capture_output=True,
            check=False,
        )
        statuses.append(done.returncode)

    assert statuses == [-signal.SIGKILL] * 5 + [0]
    with SQLiteFileStore(tmp_path / "tokens.db") as store:
        moved = rows(store)
    by_user = {row.user_name: row for row in moved}
    assert len(by_user) == len(moved) == len({row.id for row in moved}) == len(source)
    assert [by_user[row.user_name].but(id=row.id) for row in source] == source
    assert all(by_user[row.user_name].id == row.id for row in source if row.id is not None)
