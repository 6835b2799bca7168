"""The kit and the stores without what Windows lacks, as `tests/without_posix.py` takes it away."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.snippets import ROOT
from zoho_reference_stores import SQLiteFileStore
from zoho_tokenstore_contract._harness.store_source import StoreSource
from zoho_tokenstore_contract._harness.store_under_test import StoreUnderTest, close_by_default
from zoho_tokenstore_contract._harness.workspace import Effort
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._spec.clause_results import Outcome

pytestmark = pytest.mark.once

IMPORT_ALL = """
from tests.without_posix import remove
remove()
import django, pkgutil, zoho_reference_stores, zoho_tokenstore_contract
from django.conf import settings
contrib = [f"django.contrib.{name}" for name in ("admin", "auth", "contenttypes", "messages", "sessions")]
settings.configure(INSTALLED_APPS=[*contrib, "zoho_reference_stores.django_store"])
django.setup()
for package in (zoho_tokenstore_contract, zoho_reference_stores):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            __import__(module.name)
print("done")
"""


def test_every_module_is_imported() -> None:
    """No module of the kit or of the stores needs a POSIX module or function to be imported."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.stdout == "done\n", done.stderr


def test_a_store_conforms_by_the_clauses_that_apply(tmp_path: Path) -> None:
    """Clauses that need processes, limits or modes are not applicable, with the reason; no other is."""
    report = tmp_path / "report.json"
    target = "zoho_reference_stores:SQLiteFileStore"
    done = subprocess.run(
        [sys.executable, "-m", "tests.without_posix", "check", target, "--report", str(report)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (store,) = json.loads(report.read_text("utf-8"))["stores"]
    left_out = {
        clause["id"]: clause["reason"] for clause in store["clauses"] if clause["outcome"] == "not-applicable"
    }

    assert store["verdict"] == "conforms"
    assert {"PROC-1", "CRASH-1", "CRASH-2", "SECRET-1"} <= set(left_out)
    assert {id for id, reason in left_out.items() if not reason.endswith("here")} == set()
    others = {id for id in left_out if id.partition("-")[0] not in ("PROC", "CRASH", "SECRET", "FLOW")}
    assert others == {"PERSIST-5"}


def test_a_storage_that_windows_keeps_in_its_place() -> None:
    """Where an open file cannot be taken away, the clause is not applicable; another failure is an error."""

    class InUse(PermissionError):
        winerror = 32

    def outcome(error: OSError) -> Outcome:
        def break_storage(store: object, location: Path) -> None:
            raise error

        sut = StoreUnderTest(
            target="store",
            open=SQLiteFileStore,
            close=close_by_default,
            source=StoreSource.of(SQLiteFileStore),
            break_storage=break_storage,
        )
        return check_clause("CRASH-4", sut, Effort()).outcome

    assert outcome(InUse()) is Outcome.NOT_APPLICABLE
    assert outcome(PermissionError()) is Outcome.ERROR
