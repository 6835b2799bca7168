"""``zoho-tokenstore move`` is killed again and again, and nothing is lost or doubled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stores_in_use import (
    command,
    file_of,
    line,
    rows,
    user,
)
from zoho_reference_stores import SQLiteFileStore

pytestmark = pytest.mark.once


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


STORM = """
import os, random, signal
from zoho_reference_stores import SQLiteFileStore
from zoho_tokenstore_contract._migration import move

move.BATCH = 10  # so that rows are read back between the kills as well
chance = random.Random(int(os.environ["SEED"]))
last = chance.randrange(1, 9)

class Killed(SQLiteFileStore):
    saves = 0

    def save_token(self, token):
        super().save_token(token)
        self.saves += 1
        if self.saves == last:  # at any moment from here on
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.0001, 0.02))

def store():
    return Killed("tokens.db")
"""


@pytest.mark.long
@pytest.mark.skipif(os.name != "posix", reason="a timer kills the process")
def test_a_storm_of_kills_ends_in_the_rows_of_the_source(tmp_path: Path) -> None:
    """After thirty kills at any moments, one more run leaves every row once, as it was."""
    (tmp_path / "storm.py").write_text(STORM)
    source = [user(number, id=None if number % 7 == 0 else str(number)) for number in range(1, 2001)]
    address = file_of(tmp_path / "tokens.csv", *map(line, source))
    before = (tmp_path / "tokens.csv").read_bytes()
    statuses = [
        subprocess.run(
            [sys.executable, "-m", "zoho_tokenstore_contract", "move", address, "storm:store"],
            env={**os.environ, "SEED": str(seed)},
            cwd=tmp_path,
            capture_output=True,
            check=False,
        ).returncode
        for seed in range(30)
    ]

    assert statuses == [-signal.SIGALRM] * 30
    with SQLiteFileStore(tmp_path / "tokens.db") as store:
        assert 30 < len(rows(store)) < len(source)
    assert command("move", address, f"sqlite:{tmp_path / 'tokens.db'}") == 0
    with SQLiteFileStore(tmp_path / "tokens.db") as store:
        moved = {row.user_name: row for row in rows(store)}
        assert len(moved) == len(rows(store)) == len(source)
    assert [moved[row.user_name].but(id=row.id) for row in source] == source
    assert all(moved[row.user_name].id == row.id for row in source if row.id is not None)
    assert (tmp_path / "tokens.csv").read_bytes() == before
