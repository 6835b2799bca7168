"""Makes the description for a package index from ``README.md``: relative links would lead nowhere there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

# A fenced block, a code span, a comment (all kept as they are), or a link or an image.
_PIECE = re.compile(
    r"^```.*?^```$|<!--.*?-->|(?P<image>!?)\[(?P<label>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^)\s]+)\)|`[^`\n]*`",
    re.DOTALL | re.MULTILINE,
)


class Readme(MetadataHookInterface):
    """Gives hatchling the field ``readme``."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the description.

        Args:
            metadata: The table ``[project]``; ``urls.Source`` and ``version`` say where links lead.
        """
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        source = metadata.get("urls", {}).get("Source", "")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": description(text, source.rstrip("/"), metadata["version"]),
        }


def description(readme: str, source: str, version: str) -> str:
    """The README with links that work everywhere.

    Args:
        readme: Its text, in which links are relative to the repository.
        source: The address of the repository on GitHub; "" where it has none yet.
        version: The release, whose tag is ``v`` and this.

    Returns:
        The text with links to the files of that release. Without an address the labels of relative
        links stay, and the links and pictures go.
    """

    def absolute(piece: re.Match[str]) -> str:
        target = piece["target"]
        if target is None or "://" in target:
            return piece[0]
        if not source:
            return "" if piece["image"] else piece["label"]
        path = f"README.md{target}" if target.startswith("#") else target
        view = "raw" if piece["image"] else "blob"
        return f"{piece['image']}[{piece['label']}]({source}/{view}/v{version}/{path})"

    return _PIECE.sub(absolute, readme)
