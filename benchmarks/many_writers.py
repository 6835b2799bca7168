"""Have 8 processes save into one server at once, and look at what rows they leave.

Run it from the project's root::

    python -m benchmarks.many_writers postgresql [USERS [SAVES]]

It starts a private server and stops it again. First the processes save 1,000 users, each of them two
processes at the same time; then all of them save one user, 1,000 times together. It prints what it saw, and
exits with 1 when there are other rows than there should be: one for each user, whole, with an id of its
own, as one of the processes saved it last.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.reference_list import PLACES, Place
from zoho_tokenstore_contract._spec.tokens import Row, to_row, to_token

PROCESSES = 8
SERVERS = {
    "postgresql": PLACES["SQLAlchemyStore on PostgreSQL"],
    "mariadb": PLACES["SQLAlchemyStore on MariaDB"],
    "redis": PLACES["RedisStore"],
}


def row(user: str, writer: str) -> Row:
    """A user's row of which every field tells who wrote it."""
    return Row(
        user_name=user,
        client_id=f"client of {writer}",
        client_secret=f"secret of {writer}",
        refresh_token=f"refresh token of {user} by {writer}",
        access_token=f"access token of {user} by {writer}",
        expires_in=f"19{zlib.crc32(f'{user} {writer}'.encode()):011d}",
    )


@dataclass(frozen=True)
class Work:
    """What the processes do.

    Attributes:
        place: The name of the store among the reference stores.
        location: What it is opened on.
        users: How many users are saved.
        saves: How often the one user is saved.
    """

    place: str
    location: Path
    users: int
    saves: int

    def of(self, number: int) -> list[list[tuple[str, str]]]:
        """What a process saves in each phase: user and writer. Its share, and that of the one before it."""
        share = self.users // PROCESSES
        places = [(number - back) % PROCESSES * share + one for one in range(share) for back in (0, 1)]
        return [
            [(f"user {place}", f"process {number}") for place in places],
            [("everybody", f"process {number}, save {turn}") for turn in range(self.saves // PROCESSES)],
        ]


def write(work: Work, number: int, meeting: Any, results: Any) -> None:
    """What one process does."""
    store = PLACES[work.place].open(work.location)
    took: list[list[float]] = []
    for phase in work.of(number):
        took.append([])
        meeting.wait()
        for user, writer in phase:
            token = to_token(row(user, writer))
            began = time.perf_counter()
            store.save_token(token)
            took[-1].append(time.perf_counter() - began)
    meeting.wait()
    results.put(took)


def wrong_rows(rows: Sequence[Row], work: Work) -> list[str]:
    """What is wrong with the rows that are there."""
    last: dict[str, dict[int, str]] = {}  # what each process saved last of each user
    for number in range(PROCESSES):
        for user, writer in (saved for phase in work.of(number) for saved in phase):
            last.setdefault(user, {})[number] = writer
    wrong = []
    if len({one.id for one in rows}) != len(rows):
        wrong.append("two rows have the same id")
    for user, writers in last.items():
        own = [one.but(id=None) for one in rows if one.user_name == user]
        if len(own) != 1 or own[0] not in [row(user, writer) for writer in writers.values()]:
            wrong.append(f"{user} has {len(own)} rows: {own}")
    if len(rows) != len(last):
        wrong.append(f"{len(rows)} rows instead of {len(last)}")
    return wrong


def run(place: Place, users: int, saves: int) -> int:
    """Write and look.

    Returns:
        The exit status.
    """
    assert place.server is not None
    processes = multiprocessing.get_context("spawn")
    with place.server() as server, tempfile.TemporaryDirectory() as location:
        print(f"{place.name} {server.version}, {PROCESSES} processes")
        place.open(Path(location))
        work = Work(place.name, Path(location), users, saves)
        meeting, results = processes.Barrier(PROCESSES + 1), processes.Queue()
        writers = [
            processes.Process(target=write, args=(work, number, meeting, results), daemon=True)
            for number in range(PROCESSES)
        ]
        for writer in writers:
            writer.start()
        moments = []
        for _ in range(3):
            meeting.wait(600)
            moments.append(time.perf_counter())
        took = [results.get(timeout=60) for _ in writers]
        for writer in writers:
            writer.join()
        rows = [to_row(token) for token in place.open(Path(location)).get_tokens()]
    for phase, what in enumerate((f"{users} users, each twice", f"one user, {saves} times")):
        times = sorted(seconds for one in took for seconds in one[phase])
        seconds = moments[phase + 1] - moments[phase]
        print(
            f"{what}: {len(times)} saves in {seconds:.1f} s, {len(times) / seconds:.0f} a second; one takes "
            f"{1000 * times[len(times) // 2]:.1f} ms (median), {1000 * times[-1]:.0f} ms (longest)"
        )
    wrong = wrong_rows(rows, work)
    print(
        f"{len(rows)} rows: " + ("exactly those that there should be" if not wrong else "; ".join(wrong[:5]))
    )
    return int(bool(wrong))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.many_writers", description=__doc__.split("\n")[0]
    )
    parser.add_argument("server", choices=SERVERS)
    parser.add_argument("users", type=int, nargs="?", default=1000, help="a multiple of 8")
    parser.add_argument("saves", type=int, nargs="?", default=1000, help="a multiple of 8")
    options = parser.parse_args()
    return run(SERVERS[options.server], options.users, options.saves)


if __name__ == "__main__":
    sys.exit(main())
