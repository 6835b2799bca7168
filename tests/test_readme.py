"""Every command and every snippet of the README does what it says."""

from __future__ import annotations

import fnmatch
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from zoho_tokenstore_contract._clauses import CLAUSES, GROUPS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)```", README, re.DOTALL))
BLOCKS = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
SHOWN = {
    command: wanted
    for block in BLOCKS
    for command, wanted in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
}
# Installing and the whole matrix are what `.ci/run` and the environment `package` of tox run.
ELSEWHERE = {
    'python -m pip install ".[sdk]"': "tests/built_package.py",
    "python -m pip install tox && tox": ".ci/run",
}
STARTS = {
    "python": [],
    "pytest": ["-m", "pytest", "-p", "no:randomly"],
    "zoho-tokenstore": ["-m", "zoho_tokenstore_contract"],
}


def test_every_snippet_is_named() -> None:
    """A snippet without a file name would not be run."""
    assert README.count("```python") == len(FILES)


def test_the_numbers_are_right() -> None:
    """The README counts as the registry does."""
    assert f"{len(CLAUSES)} clauses in {len(GROUPS)} groups" in README


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_has_a_link(group: str) -> None:
    """And the page that it leads to has the heading."""
    assert f"[{group}](docs/contract.md#{group.lower()})" in README
    assert f"\n## {group}\n" in (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)", README))))
def test_every_link_leads_somewhere(target: str) -> None:
    """Files that the README names are there."""
    assert (ROOT / target).is_file()


@pytest.mark.parametrize("command", ELSEWHERE)
def test_commands_that_are_run_elsewhere(command: str) -> None:
    """They stand there as they stand here."""
    assert command in SHOWN
    assert command in (ROOT / ELSEWHERE[command]).read_text(encoding="utf-8")


@pytest.mark.parametrize("command", [command for command in SHOWN if command not in ELSEWHERE])
def test_a_command_prints_what_the_readme_shows(command: str, tmp_path: Path) -> None:
    """Each shown line is printed, in this order."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    program, *arguments = shlex.split(command)
    start = [sys.executable, *STARTS[program]]
    result = subprocess.run(
        [*start, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    printed = iter(result.stdout.splitlines())
    missing = [
        wanted
        for wanted in SHOWN[command].splitlines()
        if wanted.strip() != "..." and not any(_same(line, wanted) for line in printed)
    ]

    assert [] == missing, result.stdout + result.stderr
    assert ("VIOLATES" in SHOWN[command]) == (result.returncode != 0)


def _same(line: str, wanted: str) -> bool:
    pattern = re.sub(r"([\[*?])", r"[\1]", wanted).replace("...", "*")
    return fnmatch.fnmatchcase(line.rstrip(), pattern.rstrip())
