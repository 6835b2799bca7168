"""Without any SDK the kit says in one line which package to install. Run by ``tox -e nosdk`` alone."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

INSTALL = "no Zoho CRM SDK is installed; run: python -m pip install zohocrmsdk8-0"
TEST_CLASS = """
from zoho_tokenstore_contract import TokenStoreContract

class TestStore(TokenStoreContract):
    def open_store(self, location):
        return object()
"""


def run_pytest(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )


def test_there_is_no_sdk_here() -> None:
    """Otherwise the tests below would show nothing."""
    assert importlib.util.find_spec("zohocrmsdk") is None


@pytest.mark.parametrize("target", ["zoho_reference_stores:ListStore", "store:Store"])
def test_a_named_store_ends_in_one_line(tmp_path: Path, target: str) -> None:
    """The bundled stores and those of other people alike: a usage error and no traceback."""
    (tmp_path / "store.py").write_text("class Store: pass\n")
    run = run_pytest(tmp_path, "--tokenstore", target)

    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    lines = [line for line in run.stderr.splitlines() if line.strip()]
    assert len(lines) == 1
    assert lines[0].startswith(f"ERROR: {INSTALL}")


def test_a_contract_class_says_it_too(tmp_path: Path) -> None:
    """The tests of a class that does not import the SDK itself."""
    (tmp_path / "test_store.py").write_text(TEST_CLASS)
    run = run_pytest(tmp_path)

    assert run.returncode == pytest.ExitCode.INTERRUPTED
    assert run.stdout.count(INSTALL) == 1
    assert "Traceback" not in run.stdout + run.stderr


def test_other_people_s_tests_run(tmp_path: Path) -> None:
    """The plugin is loaded, and does not ask for the SDK."""
    (tmp_path / "test_something.py").write_text("def test_something(): pass\n")
    run = run_pytest(tmp_path)

    assert run.returncode == pytest.ExitCode.OK, run.stdout + run.stderr
