"""Count the token requests of callers that meet one expired token, with and without `SingleFlightStore`.

Run it from the project's root::

    python -m benchmarks.single_flight [file | postgresql | mariadb | redis]

That is where the inner store keeps its tokens and leases; servers are private ones, which it starts and
stops. The callers go through the real SDK, to a Zoho on loopback that gives ten access
tokens for a refresh token in ten minutes. It keeps its answers back until every caller has met the
expired token, so nothing depends on time. Exits with 1 where the wrapper does not keep what it promises.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.many_writers import SERVERS
from tests.flights import Flight, meet
from tests.leasing import LeasingSQLiteFileStore

LEASE = 5.0  # seconds, where a caller is killed
CALLERS = (  # what they are, processes, threads in each
    ("12 threads", 1, 12),
    ("4 processes", 4, 1),
    ("2 nodes of 2 processes of 3 threads", 4, 3),
)


def run(open_inner: Callable[[Path], Any], inner: str) -> int:
    """Print the table.

    Args:
        open_inner: Opens the inner store on a directory, in each process anew.
        inner: What it is called.

    Returns:
        The exit status.
    """
    print(f"inner store: {inner}\n")
    print("| callers | wrapped | token requests | refused | callers that worked |")
    print("| --- | --- | ---: | ---: | ---: |")
    kept = True
    for callers, processes, threads in CALLERS:
        for wrapped in (False, True):
            flight = meet(open_inner, processes=processes, threads=threads, wrapped=wrapped)
            _print(callers, flight, processes * threads, wrapped=wrapped)
            kept = kept and (not wrapped or (flight.requests, flight.worked) == (1, processes * threads))
    flight = meet(open_inner, processes=4, wrapped=True, lease_seconds=LEASE, killed=True)
    _print(f"4 processes, the one that renews is killed, lease {LEASE:g} s", flight, 3, wrapped=True)
    kept = kept and (flight.requests, flight.worked) == (2, 3)
    return 0 if kept else 1


def _print(callers: str, flight: Flight, alive: int, *, wrapped: bool) -> None:
    yes = "yes" if wrapped else "no"
    print(f"| {callers} | {yes} | {flight.requests} | {flight.refused} | {flight.worked} of {alive} |")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.single_flight", description=__doc__.split("\n")[0]
    )
    parser.add_argument("inner", choices=["file", *SERVERS], nargs="?", default="file")
    inner = parser.parse_args().inner
    if inner == "file":
        return run(LeasingSQLiteFileStore, LeasingSQLiteFileStore.__name__)
    place = SERVERS[inner]
    with place.server() if place.server else contextlib.nullcontext():
        return run(place.open, place.name)


if __name__ == "__main__":
    sys.exit(main())
