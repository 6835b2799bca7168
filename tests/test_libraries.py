"""What is imported ahead for the processes of a check: a store's libraries, and never its own modules."""

from __future__ import annotations

import sqlite3
import sys
import sysconfig
import types
from pathlib import Path

import pytest

from zoho_reference_stores import ListStore
from zoho_tokenstore_contract import TokenStoreContract
from zoho_tokenstore_contract._drivers.processes.preloaded_libraries import libraries_of
from zoho_tokenstore_contract._harness.store_source import StoreSource


def module(monkeypatch: pytest.MonkeyPatch, name: str, *, installed: bool) -> types.ModuleType:
    """A loaded module, that came with a package or is the user's own."""
    made = types.ModuleType(name)
    root = sysconfig.get_paths()["purelib"] if installed else "/srv/app"
    made.__file__ = str(Path(root, *name.split(".")).with_suffix(".py"))
    monkeypatch.setitem(sys.modules, name, made)
    return made


def store_in(place: types.ModuleType) -> None:
    """Define a store in a module."""
    place.__dict__["Store"] = type("Store", (ListStore,), {"__module__": place.__name__})


def test_libraries_are_found_behind_modules_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """The factory's module imports the store's, and that one a client library."""
    factory = module(monkeypatch, "app_settings", installed=False)
    place = module(monkeypatch, "app_store", installed=False)
    client = module(monkeypatch, "client_library.connection", installed=True)
    store_in(place)
    factory.__dict__["app_store"] = place
    place.__dict__["connection"] = client

    assert libraries_of(StoreSource("app_settings", "make", None)) == ["client_library.connection"]


def test_a_store_that_is_installed_is_not_imported_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is what else its package holds: each process has to do for itself what that does when imported."""
    factory = module(monkeypatch, "app_settings", installed=False)
    place = module(monkeypatch, "bought_store.store", installed=True)
    client = module(monkeypatch, "client_library", installed=True)
    store_in(place)
    factory.__dict__["Store"] = place.__dict__["Store"]
    place.__dict__["other"] = module(monkeypatch, "bought_store.other", installed=True)
    place.__dict__["client_library"] = client

    assert libraries_of(StoreSource("app_settings", "make", None)) == ["client_library"]


def test_what_a_contract_class_stands_on_is_imported_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python of other surroundings has no pytest, unless the store's own module needs it."""
    place = module(monkeypatch, "test_app", installed=False)
    place.__dict__.update(TokenStoreContract=TokenStoreContract, pytest=pytest)

    assert sorted(libraries_of(StoreSource("test_app", "TestApp", None))) == [
        "pytest",
        TokenStoreContract.__module__,
    ]


def test_modules_of_python_are_imported_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store on SQLite is killed dozens of times, and no process has to import that for itself."""
    place = module(monkeypatch, "app_store", installed=False)
    store_in(place)
    place.__dict__["sqlite3"] = sqlite3

    assert libraries_of(StoreSource("app_store", "Store", None)) == ["sqlite3"]
