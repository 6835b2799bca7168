"""What a Markdown page shows, taken out of it to be run: its files and its console blocks.

A file stands below a comment that names it; a comment with ``, continued`` adds to the file of that
name above. A console block has its commands after ``$``, each with what it prints. ``...`` stands for
what is left out. Comments of other kinds hide what they hold.
"""

from __future__ import annotations

import fnmatch
import itertools
import re
import shlex
import subprocess
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

# Loaded here once, so that each run inside a test does not load the SDK and Hypothesis again.
import zoho_reference_stores  # noqa: F401
import zoho_tokenstore_contract._drivers.hypothesis_examples
import zoho_tokenstore_contract._runner.targets  # noqa: F401

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))

_COMMENT = re.compile(r"<!--(?! file: \S+(?:, continued)? -->\n```).*?-->", re.DOTALL)
_FENCE = re.compile(
    r"(?:^<!-- file: (?P<name>\S+?)(?P<continued>, continued)? -->\n)?"
    r"^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_COMMAND = re.compile(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
# What a block must show where one of its commands fails, unless it shows the exit status itself.
_FAILURES = re.compile(r"VIOLATES|Error\b|\bfailed\b|\(MUST\) broken|without a result|Root cause")


@dataclass(frozen=True)
class Fence:
    """A fenced block: the file that it is or adds to, if it names one, its language and its text."""

    name: str
    continued: bool
    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Session:
    """A console block: the commands with what each prints, and the files that stand above it."""

    page: str
    line: int
    files: dict[str, str]
    commands: list[tuple[str, str]]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    def without(self, commands: Collection[str]) -> Session:
        """The session without these commands."""
        left = [(command, shown) for command, shown in self.commands if command not in commands]
        return replace(self, commands=left)


def fences(page: Path) -> Iterator[Fence]:
    """Each fenced block that readers see."""
    text = _COMMENT.sub(lambda hidden: "\n" * hidden[0].count("\n"), page.read_text(encoding="utf-8"))
    for found in _FENCE.finditer(text):
        yield Fence(
            found["name"] or "",
            bool(found["continued"]),
            found["language"],
            found["text"],
            text.count("\n", 0, found.start("text")),
        )


def sessions(page: Path) -> Iterator[Session]:
    """Each console block, with the files as they are where it stands."""
    files: dict[str, str] = {}
    for fence in fences(page):
        if fence.name:
            files[fence.name] = (files[fence.name] if fence.continued else "") + fence.text
        elif fence.language == "console":
            yield Session(page.name, fence.line, dict(files), _COMMAND.findall(fence.text))


def write(files: dict[str, str], directory: Path) -> None:
    """Write files into a directory."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def run(command: str, pytester: pytest.Pytester) -> tuple[int, list[str]]:
    """Run a command of a page where the test is.

    ``pytest`` runs in this process, which has the SDK loaded; other programs are those beside this Python.

    Returns:
        The exit status, and the lines that were printed.
    """
    program, *arguments = shlex.split(command)
    if program == "pytest":
        result = pytester.runpytest_inprocess("-p", "no:randomly", *arguments)
        return int(result.ret), result.outlines + result.errlines
    python = Path(sys.executable)
    done = subprocess.run(
        [python if program == "python" else python.parent / program, *arguments],
        cwd=pytester.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    return done.returncode, done.stdout.splitlines()


def play(session: Session, pytester: pytest.Pytester) -> list[str]:
    """Run the commands of a session, one after another in one directory.

    Returns:
        What is not as the page shows it: each shown line has to be printed, in this order. A command
        ends with 0, unless what it shows tells of a failure, or ``echo $?`` after it shows another status.
    """
    write(session.files, pytester.path)
    wrong: list[str] = []
    for (command, shown), (next_command, status) in itertools.pairwise([*session.commands, ("", "")]):
        if command == "echo $?":
            continue
        ended, lines = run(command, pytester)
        printed = iter(lines)
        missing = [
            line
            for line in shown.splitlines()
            if line.strip() != "..." and not any(_same(seen, line) for seen in printed)
        ]
        if next_command == "echo $?":
            as_shown = ended == int(status)
        else:
            as_shown = (ended != 0) == bool(_FAILURES.search(shown))
        if missing or not as_shown:
            wrong += [f"$ {command}", *(f"not printed: {line}" for line in missing)]
            wrong += [f"exit status {ended}", *lines]
    return wrong


def _same(line: str, wanted: str) -> bool:
    pattern = re.sub(r"([\[*?])", r"[\1]", wanted).replace("...", "*")
    return fnmatch.fnmatchcase(line.rstrip(), pattern.rstrip())
