"""Lines of Python that a reader likes: folded at a width, with long texts shortened."""

from __future__ import annotations

import io
import itertools
import tokenize

_WIDTH = 100


def folded(line: str) -> list[str]:
    """A long line of code on several, broken inside its longest brackets."""
    if len(line) <= _WIDTH:
        return [line]
    pairs, opened = [], []
    commas: dict[int, list[int]] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(line.strip()).readline):
            place = token.start[1]
            if token.string in ("(", "[", "{"):
                opened.append(place)
            elif token.string in (")", "]", "}"):
                pairs.append((place - opened[-1], opened.pop(), place))
            elif token.string == "," and opened:
                commas.setdefault(opened[-1], []).append(place)
    except (tokenize.TokenError, IndexError):  # a part of a statement, as in "with suppress():"
        pass
    if not pairs:
        return [line]
    indent, code = line[: len(line) - len(line.lstrip())], line.strip()
    _, start, end = max(pairs)
    breaks = commas.get(start, [])
    edges = [start, *breaks, end]
    parts = [code[one + 1 : other].strip() for one, other in itertools.pairwise(edges)]
    made = [indent + code[: start + 1]]
    for part in filter(None, parts):
        made += folded(f"{indent}    {part}{',' if breaks else ''}")
    return [*made, indent + code[end:]]


def raising_lines(lines: list[str], message: str) -> list[str]:
    """The last of the lines, with what it raises as a failing assertion.

    Args:
        lines: Lines of Python; the last one is a call that raises.
        message: The message, as the inside of an f-string that may use ``error``.

    Returns:
        The lines.
    """
    *before, call = lines
    return [
        *before,
        "try:",
        f"    {call}",
        "except Exception as error:",
        f'    raise AssertionError(f"{message}") from error',
    ]


def long_text(text: str) -> str:
    """A long text as the repetition that it is, where it is one."""
    for width in range(1, 9):
        unit = text[:width]
        times = len(text) // width
        for tail in range(3):
            head = unit * (times - tail)
            if times > tail and text.startswith(head) and len(text) - len(head) < 30:
                rest = text[len(head) :]
                return f"{unit!r} * {times - tail}" + (f" + {rest!r}" if rest else "")
    return repr(text)
