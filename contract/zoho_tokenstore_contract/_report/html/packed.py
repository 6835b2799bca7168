"""Long parts of a page, packed together: calls and scripts repeat one another, and few of them are read."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence

from .markup import Markup, code_block, element, legible


class Packed:
    """The parts of one page; its script puts each in its place."""

    def __init__(self) -> None:
        self._parts: list[str | list[str] | list[list[str]]] = []

    def listed(self, lines: Sequence[str]) -> Markup:
        """The place of a numbered list of lines of code.

        Args:
            lines: The lines.

        Returns:
            The list, which is empty until the page's script has run.
        """
        return element("ol", data_part=self._number([legible(line) for line in lines]))

    def code(self, text: str, label: str) -> Markup:
        """The place of a text of code.

        Args:
            text: The text.
            label: What it is called, for those who do not see it.

        Returns:
            The block, which is empty until the page's script has run.
        """
        return code_block(label, data_part=self._number(legible(text)))

    def findings(self, findings: Sequence[Sequence[str]]) -> Markup:
        """The place of further findings of a clause.

        Args:
            findings: Of each: its words, a remark, what was expected and seen, a heading, and the calls.

        Returns:
            The place, which is empty until the page's script has run.
        """
        return element("div", data_part=self._number([[legible(text) for text in one] for one in findings]))

    def _number(self, part: str | list[str] | list[list[str]]) -> str:
        self._parts.append(part)
        return str(len(self._parts) - 1)

    def markup(self) -> Markup:
        """All parts, as data for the page's script: JSON, deflated, in Base64."""
        packed = zlib.compress(json.dumps(self._parts).encode(), 9)
        return element(
            "script", base64.b64encode(packed).decode(), type="application/octet-stream", id="packed"
        )
