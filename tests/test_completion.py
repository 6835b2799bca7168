"""``zoho-tokenstore completion SHELL``: what each shell offers after its script has been read."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.servers import program, skip_or_fail
from zoho_tokenstore_contract._cli import commands

pytestmark = pytest.mark.once

# What a shell does at a press of Tab, with the words typed so far as arguments, the last of them unfinished.
PRESSES = {
    "bash": """
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _zoho_tokenstore; printf '%s\\n' "${COMPREPLY[@]}"
    """,
    # Only in an editing zsh are these three more than names.
    "zsh": """
        words=("$@"); CURRENT=$#; PREFIX=$words[-1]
        compadd() { shift; print -l -- ${(M)@:#$PREFIX*} }
        _files() { print -l -- $PREFIX*(N) }
        _zoho_tokenstore
    """,
    "fish": """
        complete -C (string join -- ' ' $argv) | cut -f1
    """,
}


@pytest.fixture(params=PRESSES)
def shell(request: pytest.FixtureRequest) -> str:
    """Each of the shells, where it is installed."""
    name: str = request.param
    skip_or_fail("" if program(name) else f"there is no {name}")
    return name


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command prints for a shell."""
    assert commands.main(["completion", shell]) == 0
    return capsys.readouterr().out


def offered(shell: str, script: str, words: list[str], directory: Path) -> set[str]:
    """What a shell offers.

    Args:
        shell: Its name.
        script: The script of the command.
        words: What is typed, the last word unfinished.
        directory: Where the shell is.
    """
    text = ("compdef() { }\n" if shell == "zsh" else "") + script + PRESSES[shell]
    before = ["--"] if shell == "fish" else [shell]  # the others take a name of the script first
    done = subprocess.run(
        [shell, "-c", text, *before, *words],
        cwd=directory,
        env={"HOME": str(directory), "PATH": "/usr/bin:/bin", "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["cl"], {"clauses"}),
        (["--ver"], {"--version"}),
        (["clauses", "IFACE-"], {"IFACE-1", "IFACE-2"}),
        (["copy", "sqlite-"], {"sqlite-memory"}),
        (["check", "--rep"], {"--report", "--reproducers"}),
        (["check", "mine:Store", "--trans"], {"--transient"}),
        (["completion", "f"], {"fish"}),
    ],
    ids=lambda value: " ".join(sorted(value)),
)
def test_words_are_completed(
    shell: str, words: list[str], expected: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands, options, clauses, groups, stores and shells are offered where they can stand."""
    assert expected == offered(shell, script(shell, capsys), ["zoho-tokenstore", *words], tmp_path)


@pytest.mark.parametrize("name", ["check", "init"])
def test_all_options_of_the_help_are_offered(
    shell: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A new option is completed without a further word about it."""
    with pytest.raises(SystemExit):
        commands.main([name, "--help"])
    in_help = set(re.findall(r"(?<!\S)--[a-z-]+", capsys.readouterr().out.partition("options:")[2]))
    seen = offered(shell, script(shell, capsys), ["zoho-tokenstore", name, "--"], tmp_path)

    assert in_help <= seen
    assert len(in_help) > 3


def test_files_are_completed_for_a_destination(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], shell: str
) -> None:
    """Where no word fits, the shell offers files."""
    (tmp_path / "my_store.py").touch()
    text = script(shell, capsys)
    if shell == "bash":
        # bash itself does it, as it is asked to.
        assert "complete -o bashdefault -o default -F" in text
        assert offered(shell, text, ["zoho-tokenstore", "check", "my_"], tmp_path) == set()
    else:
        assert offered(shell, text, ["zoho-tokenstore", "check", "my_"], tmp_path) == {"my_store.py"}
