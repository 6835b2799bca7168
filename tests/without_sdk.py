"""Without any SDK the kit says in one line which package to install. Run by ``tox -e nosdk`` alone."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from zoho_tokenstore_contract import UsageError, check

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


def run_command(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "zoho_tokenstore_contract", *arguments],
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


@pytest.mark.parametrize("name", ["check", "init", "allow"])
def test_the_command_ends_in_that_line(tmp_path: Path, name: str) -> None:
    """With the status of a wrong use."""
    run = run_command(tmp_path, name, "store:Store")

    assert run.returncode == 2
    assert run.stderr.startswith(f"zoho-tokenstore: {INSTALL}")
    assert len(run.stderr.splitlines()) == 1


def test_the_function_raises_that_line() -> None:
    """As wrong use, before the factory is called."""
    with pytest.raises(UsageError, match=re.escape(INSTALL)):
        check(object)


def test_what_the_command_can_do_without_an_sdk_it_does(tmp_path: Path) -> None:
    """Tell the contract and its versions, and copy a store."""
    told = run_command(tmp_path, "clauses", "SAVE-1")
    versions = run_command(tmp_path, "--version")
    copied = run_command(tmp_path, "copy", "sqlite", "mine.py")

    assert [told.returncode, versions.returncode, copied.returncode] == [0, 0, 0]
    assert f"SDK: {INSTALL}" in versions.stdout
    assert (tmp_path / "mine.py").is_file()


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
