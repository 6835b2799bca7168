"""The files for CI systems that ``docs/ci.md`` shows: each can be read, and runs what the page says."""

from __future__ import annotations

import configparser
import shlex
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.snippets import ROOT, fences, sessions

pytestmark = pytest.mark.once

PAGE = ROOT / "docs" / "ci.md"
FILES = {fence.name: fence.text for fence in fences(PAGE) if fence.name}
# What the page shows, and a test of it runs, with an option that makes it short.
SHOWN, _ = next(iter(sessions(PAGE))).commands[0]
COMMAND = SHOWN.removesuffix(" --collect-only -q")
REPORTS = [argument.partition("=")[2] for argument in shlex.split(COMMAND) if "=" in argument]
REQUIREMENT = "pytest-zoho-tokenstore[sdk]"


def actions() -> tuple[list[str], list[str]]:
    """Commands and kept files of the workflow for GitHub Actions."""
    steps = yaml.safe_load(FILES[".github/workflows/tokenstore.yml"])["jobs"]["tokenstore"]["steps"]
    (upload,) = [step for step in steps if "upload-artifact" in step.get("uses", "")]
    assert upload["if"] == "always()"
    return [step["run"] for step in steps if "run" in step], upload["with"]["path"].split()


def gitlab() -> tuple[list[str], list[str]]:
    """Commands and kept files of the job for GitLab."""
    job = yaml.safe_load(FILES[".gitlab-ci.yml"])["tokenstore"]
    assert job["artifacts"]["when"] == "always"
    return job["script"], [*job["artifacts"]["paths"], job["artifacts"]["reports"]["junit"]]


def tox() -> list[str]:
    """Commands of the environment for tox."""
    ini = configparser.ConfigParser()
    ini.read_string(FILES["tox.ini"])
    (environment,) = ini["tox"]["env_list"].split()
    section = ini[f"testenv:{environment}"]
    return [f"pip install {section['deps']}", *section["commands"].strip().splitlines()]


def nox() -> list[str]:
    """Commands of the sessions for nox, run with a stand-in for it."""
    commands: list[str] = []

    class Session:
        def install(self, *requirements: str) -> None:
            commands.append(shlex.join(["pip", "install", *requirements]))

        def run(self, *arguments: str) -> None:
            commands.append(shlex.join(arguments))

    def session(function: Callable[[Session], None]) -> Callable[[Session], None]:
        function(Session())
        return function

    module: Any = ModuleType("nox")
    module.session = session
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "nox", module)
        exec(FILES["noxfile.py"], {})  # noqa: S102 (a page of this project)
    return commands


def test_the_command_is_the_one_that_is_shown() -> None:
    """It is run by the tests of the page, and writes two reports."""
    assert COMMAND != SHOWN
    assert REPORTS == ["tokenstore.json", "junit.xml"]


@pytest.mark.parametrize(
    "commands", [actions()[0], gitlab()[0], tox(), nox()], ids=["actions", "gitlab", "tox", "nox"]
)
def test_a_file_installs_the_kit_and_runs_the_command(commands: list[str]) -> None:
    """By the name under which the project is built."""
    installing, running = commands

    assert running == COMMAND
    assert REQUIREMENT in shlex.split(installing)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'\nname = "{REQUIREMENT.removesuffix("[sdk]")}"\n' in project


@pytest.mark.parametrize("kept", [actions()[1], gitlab()[1]], ids=["actions", "gitlab"])
def test_what_the_command_writes_is_kept(kept: list[str]) -> None:
    """Both reports, and nothing that nobody writes."""
    assert kept == REPORTS


def test_the_action_takes_what_the_page_passes() -> None:
    """Its inputs are those of ``action.yml``, and the stores are given."""
    steps = yaml.safe_load(FILES[".github/workflows/tokenstore-action.yml"])["jobs"]["tokenstore"]["steps"]
    inputs = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["inputs"]

    assert {"targets"} <= set(steps[-1]["with"]) <= set(inputs)
