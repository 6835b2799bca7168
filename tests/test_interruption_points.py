"""Where the kit raises what a signal's handler could raise, and whether that reached the store."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from zoho_tokenstore_contract._drivers.raise_in_call import Interrupts, interruption_points

LIBRARY = """
import os

def helper():
    return [number for number in range(3)]

def ask(path):
    helper()
    return os.stat(path)

def ask_and_hide(path):
    try:
        os.stat(path)
    except Exception:
        pass
"""
STORE = """
import driver_of_tests

class Store:
    def find(self, path):
        return self.answer(driver_of_tests.ask(path))

    def answer(self, found):
        return found

    def hide(self, path):
        driver_of_tests.ask_and_hide(path)
        return len(path)
"""


class Raised(Exception):
    """What the handler raises."""


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed library, and a store that uses it, beside the project and installed as well."""
    installed = tmp_path / "site-packages"
    installed.mkdir()
    (installed / "driver_of_tests.py").write_text(LIBRARY, encoding="utf-8")
    (installed / "installed_store_of_tests.py").write_text(STORE, encoding="utf-8")
    (tmp_path / "store_of_tests.py").write_text(STORE, encoding="utf-8")
    for path in (tmp_path, installed):
        monkeypatch.syspath_prepend(str(path))
    yield tmp_path
    for name in ("driver_of_tests", "installed_store_of_tests", "store_of_tests"):
        sys.modules.pop(name, None)


def places_of(module: ModuleType, call: str, path: Path) -> tuple[Any, Interrupts]:
    """A store, and what a call of it comes by."""
    store = module.Store()
    watched, method, argument = Interrupts(store), getattr(store, call), str(path)
    with watched.watching():
        method(argument)
    return store, watched


@pytest.mark.parametrize("name", ["store_of_tests", "installed_store_of_tests"])
def test_a_library_is_interrupted_only_where_it_reaches_out(name: str, modules: Path) -> None:
    """In the store's own code everywhere, also where the store is installed beside the library."""
    _, watched = places_of(importlib.import_module(name), "find", modules)

    seen = [(Path(one.code.co_filename).stem, one.code.co_name, one.what) for one in watched.places]
    assert seen == [
        (name, "find", "begins"),
        ("driver_of_tests", "ask", "stat()"),
        (name, "answer", "begins"),
    ]


def test_what_a_library_keeps_to_itself_did_not_reach_the_store(modules: Path) -> None:
    """What is raised in the store's own code or passes it did reach it."""
    store, watched = places_of(importlib.import_module("store_of_tests"), "hide", modules)
    reached = {}
    argument = str(modules)
    for point in interruption_points(watched.places, 10):
        interrupts = Interrupts(store, point, Raised())
        try:
            with interrupts.watching():
                store.hide(argument)
        except Raised:
            came_out = True
        else:
            came_out = False
        assert interrupts.raised
        reached[point[0].what] = (came_out, interrupts.reached_the_store)

    assert reached == {"begins": (True, True), "stat()": (False, False), "len()": (True, True)}


def test_where_a_call_was_interrupted_is_told_with_the_callers(modules: Path) -> None:
    """A helper, or a library, is told with the method of the store that called it."""
    store, watched = places_of(importlib.import_module("store_of_tests"), "find", modules)
    told: list[str] = []
    for point in interruption_points(watched.places, 10):
        interrupts = Interrupts(store, point, Raised())
        with pytest.raises(Raised), interrupts.watching():
            store.find(str(modules))
        told += map(str, interrupts.places)

    find = "store_of_tests.py:6 in find -> "
    assert find not in told[0]
    assert told[1].endswith(f"{find}driver_of_tests.py:9 in ask, right after stat()")
    assert told[2].endswith(f"{find}store_of_tests.py:8 in answer, as it begins")
