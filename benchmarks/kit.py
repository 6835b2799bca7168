"""How long the kit takes, and what its plugin costs where it is not used.

Run it from the project's root, with what the dependency group ``benchmarks`` names::

    python -m benchmarks.kit

It runs pytest in processes of their own, in turn, and writes the figures into the page
``docs/benchmarks.md``. How soon the kit finds the fault of a faulty store is told by
``python -m tests.exam``.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import page

RUNS, STARTS = 3, 20
WITH_PROCESSES = ("PROC", "CRASH", "FLOW")
"""Groups whose checks start processes or servers."""
OFF = ("-p", "no:cacheprovider", "-p", "no:randomly")
TWO_CORES = ("--numprocesses", "2")

SLOW_STORE = '''
import time

from zoho_reference_stores import ListStore


def slowed(name):
    def call(self, *arguments):
        time.sleep(0.005)
        return getattr(super(SlowStore, self), name)(*arguments)

    return call


class SlowStore(ListStore):
    """Takes 5 ms for every call, as a server does that is not far away."""


for method in ("find_token", "save_token", "delete_token", "get_tokens", "delete_tokens", "find_token_by_id"):
    setattr(SlowStore, method, slowed(method))
'''

UNUSED = """
import sys


def test_nothing_is_loaded(request):
    assert request.config.pluginmanager.has_plugin("zoho_tokenstore") is {there}
    assert not {{"zohocrmsdk", "hypothesis"}} & set(sys.modules)
"""


def pytest(place: Path, *arguments: str, fine: Sequence[int] = (0,)) -> float:
    """Run pytest in a directory.

    Args:
        place: The directory.
        arguments: What is given to pytest.
        fine: The exit statuses to be expected.

    Returns:
        The seconds that it took, start and end of the interpreter included.

    Raises:
        RuntimeError: It ended otherwise; with what it printed.
    """
    began = time.perf_counter()
    done = subprocess.run(  # noqa: S603 (this program)
        [sys.executable, "-m", "pytest", "--quiet", *OFF, *arguments],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began
    if done.returncode not in fine:
        raise RuntimeError(f"pytest {shlex.join(arguments)}: {done.returncode}\n{done.stdout[-3000:]}")
    return seconds


def in_turn(rounds: int, runs: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Make all runs in turn, so many times, and tell how far it is."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        for name, run in runs.items():
            seconds[name].append(run())
        told = ", ".join(f"{name} {page.duration(taken[-1])}" for name, taken in seconds.items())
        print(f"{number + 1} of {rounds}: {told}", flush=True)
    return seconds


def check_stores(place: Path, rounds: int) -> list[dict[str, str]]:
    """How long the kit takes on a store, with two processes of pytest-xdist."""
    (place / "slow_store.py").write_text(SLOW_STORE, encoding="utf-8")
    transient = ("--tokenstore-transient", *TWO_CORES)
    reference = ("--tokenstore", "zoho_reference_stores:ListStore", *transient)
    without = ("-k", " and ".join(f"not test_{group}_" for group in WITH_PROCESSES))
    runs = {
        "`ListStore`, every group": (reference, 5.0),
        f"`ListStore`, without {', '.join(WITH_PROCESSES)}": ((*reference, *without), 2.0),
        "a store that takes 5 ms for every call, every group": (
            ("--tokenstore", "slow_store:SlowStore", *transient),
            60.0,
        ),
    }
    seconds = in_turn(
        rounds, {name: partial(pytest, place, *arguments) for name, (arguments, _) in runs.items()}
    )
    return [
        _figure(
            name, seconds[name], page.duration, f"< {limit:.0f} s", statistics.median(seconds[name]) < limit
        )
        for name, (_, limit) in runs.items()
    ]


def start_without_a_store(place: Path, rounds: int) -> list[dict[str, str]]:
    """What the plugin adds to a run of pytest that does not use it."""
    nothing = place / "nothing"
    nothing.mkdir()
    without = ("-p", "no:zoho_tokenstore")
    # Whatever else is installed is left out, so that it hides nothing.
    others = ("-p", "no:hypothesispytest", "-p", "no:xdist", "-p", "no:benchmark")
    for there, arguments in ((True, ()), (False, without)):
        project = place / f"there_{there}"
        project.mkdir()
        (project / "test_unused.py").write_text(UNUSED.format(there=there), encoding="utf-8")
        pytest(project, *others, *arguments)
    empty = (5,)  # no tests collected
    seconds = in_turn(
        rounds,
        {
            "with the plugin": lambda: pytest(nothing, *others, fine=empty),
            "without it": lambda: pytest(nothing, *others, *without, fine=empty),
        },
    )
    more = [one - other for one, other in zip(*seconds.values(), strict=True)]

    def milliseconds(seconds: float) -> str:
        return f"{1000 * seconds:+.1f} ms"

    return [
        *(
            _figure(f"pytest on an empty project, {name}", taken, page.duration)
            for name, taken in seconds.items()
        ),
        _figure("the difference", more, milliseconds, "< 10 ms", statistics.median(more) < 0.01),
        {
            "what": "the SDK and Hypothesis, with the plugin unused",
            "median": "not imported",
            "spread": "",
            "goal": "not imported",
            "met": "yes",  # otherwise the test above fails
        },
    ]


def _figure(
    what: str, taken: Sequence[float], unit: Callable[[float], str], goal: str = "", met: bool | None = None
) -> dict[str, str]:
    return {
        "what": what,
        "median": unit(statistics.median(taken)),
        "spread": f"{unit(min(taken))} to {unit(max(taken))}, {len(taken)} runs",
        "goal": goal,
        "met": {True: "yes", False: "**no**", None: ""}[met],
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kit", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--runs", type=int, default=RUNS, help="how often each store is checked (%(default)s)"
    )
    parser.add_argument(
        "--starts", type=int, default=STARTS, help="how often pytest is started without a store (%(default)s)"
    )
    parser.add_argument(
        "--docs", type=Path, default=page.DOCS, help="where the page is written (%(default)s)"
    )
    options = parser.parse_args(arguments)
    made: dict[str, Any] = {
        "command": shlex.join(["python", "-m", "benchmarks.kit", *(arguments or sys.argv[1:])]),
        **page.machine(),
    }
    with tempfile.TemporaryDirectory(prefix="tokenstore-") as place:
        made["figures"] = [
            *start_without_a_store(Path(place), options.starts),
            *check_stores(Path(place), options.runs),
        ]
    for one in made["figures"]:
        print(*(value for value in one.values() if value), sep=", ")
    print(page.write(options.docs, kit=made))
    print("time to the first failure: python -m tests.exam")


if __name__ == "__main__":
    main()
