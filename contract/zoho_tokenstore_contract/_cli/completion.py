"""The script with which a shell completes the words of the command.

The script holds all words, so that the shell starts no Python at each press of Tab. After the words, and for
what has none, such as a report, the shell completes the names of files.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from typing import Any


class Parser(argparse.ArgumentParser):
    """A parser that knows the words it takes.

    Attributes:
        options: The options, such as ``--help``.
        words: What can stand for an argument, where that is a choice of words.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self.options: list[str] = []
        self.words: list[str] = []
        super().__init__(*arguments, **settings)

    def add_argument(self, *names: str, words: Iterable[str] = (), **settings: Any) -> argparse.Action:
        """Add an argument or an option; see `argparse.ArgumentParser.add_argument`.

        Args:
            names: The option strings, or the name of the argument.
            words: What is offered for the argument; its ``choices`` are, too.
            settings: What argparse takes.

        Returns:
            The action that argparse made.
        """
        action = super().add_argument(*names, **settings)
        self.options += action.option_strings
        self.words += [*words, *(action.choices or ())]
        return action


def _bash(program: str, top: Parser, commands: Mapping[str, Parser]) -> str:
    """The script for bash."""
    cases = [_case(pattern, f'words="{" ".join(words)}"') for pattern, words in _patterns(commands)]
    return f"""\
{_function(program)}() {{
    local words="" current="${{COMP_WORDS[COMP_CWORD]}}"
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{" ".join([*commands, *top.options])}"
    else
        case "${{COMP_WORDS[1]}}:$current" in
{"".join(cases)}        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o bashdefault -o default -F {_function(program)} {program}
"""


def _zsh(program: str, top: Parser, commands: Mapping[str, Parser]) -> str:
    """The script for zsh, after ``compinit``."""
    cases = [_case(pattern, f"compadd -- {' '.join(words)}") for pattern, words in _patterns(commands)]
    return f"""\
{_function(program)}() {{
    if (( CURRENT == 2 )); then
        compadd -- {" ".join([*commands, *top.options])}
    else
        case "$words[2]:$PREFIX" in
{"".join(cases)}            *) _files ;;
        esac
    fi
}}
compdef {_function(program)} {program}
"""


def _fish(program: str, top: Parser, commands: Mapping[str, Parser]) -> str:
    """The script for fish."""
    first = f"complete -c {program} -n __fish_use_subcommand"
    lines = [f"{first} {_fish_option(option)}" for option in top.options]
    lines += [f"{first} -f -a {name} -d '{parser.description}'" for name, parser in commands.items()]
    for name, parser in commands.items():
        after = f"complete -c {program} -n '__fish_seen_subcommand_from {name}'"
        lines += [f"{after} {_fish_option(option)}" for option in parser.options]
        if parser.words:
            lines.append(f"{after} -f -a '{' '.join(parser.words)}'")
    return "\n".join(lines) + "\n"


SHELLS = {"bash": _bash, "zsh": _zsh, "fish": _fish}
"""What makes the script for a shell: from the name of the command, its parser, and those of its commands."""


def _function(program: str) -> str:
    return f"_{program.replace('-', '_')}"


def _patterns(commands: Mapping[str, Parser]) -> list[tuple[str, list[str]]]:
    """For each ``command:word`` that has words to offer, a pattern of the shell and these words."""
    patterns = []
    for name, parser in commands.items():
        patterns.append((f"{name}:-*", parser.options))
        if parser.words:
            patterns.append((f"{name}:*", parser.words))
    return patterns


def _case(pattern: str, does: str) -> str:
    return f"            {pattern}) {does} ;;\n"


def _fish_option(option: str) -> str:
    return f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
