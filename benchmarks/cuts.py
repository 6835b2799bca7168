"""Cut the connections of four writers while they save, or kill the writers, and count what is wrong then.

Run it from the project's root::

    python -m benchmarks.cuts [CUTS [PART OF A NAME]]

Each writer saves a user of its own and one that all share, and finds its own. On a server the writers are
threads, two for each of two stores, and their connections are killed one after another. On `SQLiteFileStore`
they are processes, which are killed with SIGKILL and started again. There are 200 cuts where nothing else
is asked for. The script exits with 1 when an answer was wrong, when an acknowledged save was lost, when an
error came out that is no `SDKException`, or when a store was not usable afterwards.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import redis
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from benchmarks.many_writers import row
from tests import sql_stores
from tests.calls import find, rows, save
from tests.reference_list import PLACES, Place
from tests.servers import Server
from zoho_tokenstore_contract._spec.tokens import Row

CUTS = 200
WRITERS = 4
CALM = 5
"""Turns of each writer after the last cut, in which nothing may fail."""
EVERYBODY = "everybody"
STORES = (
    "SQLiteFileStore",
    "SQLAlchemyStore on PostgreSQL",
    "SQLAlchemyStore on PostgreSQL (psycopg2)",
    "SQLAlchemyStore on PostgreSQL (pg8000)",
    "SQLAlchemyStore on MariaDB",
    "DjangoTokenStore on PostgreSQL",
    "DjangoTokenStore on MariaDB",
    "RedisStore",
)


@dataclass
class Ledger:
    """What one writer did, and what became of it.

    Attributes:
        name: The name of the writer and of its user.
        tried: The number of the turn that it began last.
        saved: The number of the turn whose save of the own user returned last.
        seen: How often calls ended in which way.
    """

    name: str
    tried: int = 0
    saved: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    def take(self, what: str, number: int = 0) -> None:
        """Enter what the writer did or saw."""
        if what == "tried":
            self.tried = number
        else:
            self.saved = number or self.saved
            self.seen[what] += 1

    def judged(self, found: Row | None) -> str:
        """What an answer for the own user is: ``right``, ``LOST SAVE`` or ``WRONG ANSWER``."""
        if found is None:
            return "LOST SAVE" if self.saved else "right"
        number = _number_of(found)
        if found.but(id=None) != self.row(self.name, number) or number > self.tried:
            return "WRONG ANSWER"
        return "LOST SAVE" if number < self.saved else "right"

    def row(self, user: str, number: int) -> Row:
        """What the writer saves of a user in a turn."""
        return row(user, f"{self.name}, save {number}")


def _number_of(found: Row) -> int:
    number = str(found.access_token).rpartition(" ")[2]
    return int(number) if number.isdecimal() else -1


def turn(store: Any, ledger: Ledger, tell: Callable[..., None]) -> None:
    """Find the own user, save it and the shared one, and find it again."""
    number = ledger.tried + 1
    tell("tried", number)
    try:
        tell(ledger.judged(find(store, Row(user_name=ledger.name))))
        id = save(store, ledger.row(ledger.name, number))
        tell("saved", number)
        save(store, ledger.row(EVERYBODY, number))
        tell("saved")
        tell(ledger.judged(find(store, Row(id=id))))
    except SDKException:
        tell("raised")
    except Exception as error:
        tell(f"RAW {type(error).__name__}")


def look(store: Any, ledgers: Sequence[Ledger]) -> Counter[str]:
    """Let every writer work on in calm, look at all rows, and say what was seen."""
    seen = Counter[str]()
    for ledger in ledgers:
        calm = Ledger(ledger.name, ledger.tried, ledger.saved)
        for _ in range(CALM):
            turn(store, calm, calm.take)
        ledger.tried, ledger.saved = calm.tried, calm.saved
        seen["NOT USABLE AFTERWARDS"] += calm.seen != {"saved": 2 * CALM, "right": 2 * CALM}
    found = rows(store)
    by_user = {one.user_name: one for one in found}
    for ledger in ledgers:
        seen[ledger.judged(by_user.get(ledger.name))] += 1
    last = [ledgers[-1].row(EVERYBODY, ledgers[-1].tried)]
    seen["WRONG ROWS"] += [by_user[EVERYBODY].but(id=None)] != last
    seen["WRONG ROWS"] += len({one.id for one in found}) != len(found) or len(found) != len(ledgers) + 1
    return seen


# Connections


def killer_of(name: str, server: Server) -> Callable[[], bool]:
    """What kills one connection of the stores, and says whether there was one."""
    if name == "RedisStore":
        admin = redis.Redis(port=server.port)
        chance = random.Random(1)

        def kill() -> bool:
            own = admin.client_id()
            others = [one["id"] for one in admin.client_list(_type="normal") if int(one["id"]) != own]
            return bool(others) and bool(admin.client_kill_filter(_id=chance.choice(others)))

        return kill
    kind = sql_stores.POSTGRESQL if "PostgreSQL" in name else sql_stores.MARIADB
    return lambda: sql_stores.kill_one(kind)


def cut_connections(place: Place, cuts: int) -> Counter[str]:
    """Kill so many connections while four threads save."""
    assert place.server is not None
    with place.server() as server, tempfile.TemporaryDirectory(prefix="tokenstore-") as base:
        stores = [place.open(Path(base)) for _ in range(2)]
        ledgers = [Ledger(f"writer {number}") for number in range(WRITERS)]
        over = threading.Event()

        def work(number: int) -> None:
            while not over.is_set():
                turn(stores[number % 2], ledgers[number], ledgers[number].take)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(WRITERS)]
        for thread in threads:
            thread.start()
        kill = killer_of(place.name, server)
        cut = begun = 0
        try:
            while cut < cuts:
                # Two turns for each cut: where a machine is slow, no save would live through more.
                if (tried := sum(ledger.tried for ledger in ledgers)) >= begun + 2:
                    begun = tried
                    cut += kill()
                over.wait(0.001)
        finally:
            over.set()
            for thread in threads:
                thread.join()
        looks = [look(store, ledgers) for store in stores]
        return sum((*looks, *(ledger.seen for ledger in ledgers)), Counter(cuts=cut))


# Processes


class Process:
    """A writer that can be killed, and told what it had done."""

    def __init__(self, place: Place, base: Path, ledger: Ledger) -> None:
        self._ledger = ledger
        fork = multiprocessing.get_context("fork")  # the SDK is imported once
        self._pipe, theirs = fork.Pipe(duplex=False)
        self._process = fork.Process(target=self._run, args=(place, base, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def _run(self, place: Place, base: Path, pipe: Connection) -> None:
        ledger = self._ledger

        def tell(*what: Any) -> None:
            ledger.take(*what)
            pipe.send(what)

        store = place.open(base)
        while True:
            turn(store, ledger, tell)

    def kill(self) -> None:
        """End it at once, and take in what it told."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()
        with contextlib.suppress(EOFError):
            while True:
                self._ledger.take(*self._pipe.recv())
        self._pipe.close()
        self._ledger.seen["in the middle of a turn"] += self._ledger.tried > self._ledger.saved


def kill_writers(place: Place, kills: int) -> Counter[str]:
    """Kill so many of four processes that save."""
    chance = random.Random(1)
    with tempfile.TemporaryDirectory(prefix="tokenstore-") as base:
        ledgers = [Ledger(f"writer {number}") for number in range(WRITERS)]
        processes = [Process(place, Path(base), ledger) for ledger in ledgers]
        for _ in range(kills - WRITERS):
            time.sleep(chance.uniform(0, 0.05))
            number = chance.randrange(WRITERS)
            processes[number].kill()
            processes[number] = Process(place, Path(base), ledgers[number])
        for process in processes:
            process.kill()
        seen = look(place.open(Path(base)), ledgers)
        return sum((ledger.seen for ledger in ledgers), seen + Counter(cuts=kills))


def main(cuts: int = CUTS, part: str = "") -> int:
    """Cut on every store whose name has the part in it.

    Returns:
        The exit status.
    """
    bad = False
    for name in STORES:
        if part in name:
            place = PLACES[name]
            seen = (cut_connections if place.server else kill_writers)(place, cuts)
            told = ", ".join(f"{what} {times}" for what, times in sorted(seen.items()) if times)
            print(f"{name}: {told}", flush=True)
            bad |= any(what[:3].isupper() for what in +seen)
    return int(bad)


if __name__ == "__main__":
    sys.exit(main(*(kind(given) for kind, given in zip((int, str), sys.argv[1:], strict=False))))
