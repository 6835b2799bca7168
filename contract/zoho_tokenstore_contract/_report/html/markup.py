"""HTML and XML in which text can only be text."""

from __future__ import annotations

import html
import re

_ILLEGIBLE = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f"  # controls but tab and newline: XML has none of them
    "\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069"  # what turns or breaks the line around it
    "\\ud800-\\udfff\\ufffe\\uffff]"  # no characters at all
)


class Markup(str):
    """A string that is markup already, and is not escaped again."""

    __slots__ = ()


def legible(text: str) -> str:
    """A text whose control characters are shown as Python writes them: an escape sequence for a terminal."""
    return _ILLEGIBLE.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def joined(*content: str) -> Markup:
    """The markup of several pieces; every one that is no `Markup` is text, and escaped."""
    return Markup("".join(one if isinstance(one, Markup) else _text(one) for one in content))


def _text(text: str) -> str:
    return html.escape(legible(text), quote=False)


def element(name: str, *content: str, **attributes: str | bool) -> Markup:
    """An element.

    Args:
        name: Its name.
        content: What is in it: text, escaped here, or `Markup`.
        attributes: By their names, with ``_`` for ``-``, and after a name that Python reserves.
            False leaves one out.
    """
    return Markup(f"{_start(name, attributes)}>{joined(*content)}</{name}>")


def empty(name: str, **attributes: str | bool) -> Markup:
    """An element that has no content in any document, such as ``wbr``."""
    return Markup(f"{_start(name, attributes)}/>")


def code_block(label: str, *text: str, **attributes: str | bool) -> Markup:
    """A block of code, which may be wider than the screen, and is then moved with the keyboard too.

    Args:
        label: What it is called, for those who do not see it.
        text: The code.
        attributes: Those of the element with the code.
    """
    return element("pre", element("code", *text, **attributes), tabindex="0", role="region", aria_label=label)


def _start(name: str, attributes: dict[str, str | bool]) -> str:
    written = [
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(legible("" if value is True else value))}"'
        for key, value in attributes.items()
        if value is not False
    ]
    return f"<{name}{''.join(written)}"
