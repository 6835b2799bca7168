"""What a release needs beside the code: ``python -m tests.release v0.1.0 --notes notes.md``.

It ends with status 1, and says what is missing, where tag, metadata and changelog do not fit together.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomllib

ROOT = Path(__file__).resolve().parent.parent
UNRELEASED = "Unreleased"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"


def project(root: Path = ROOT) -> dict[str, Any]:
    """The table ``[project]`` of ``pyproject.toml``.

    Args:
        root: The directory of the project.
    """
    table: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def notes(changelog: str, version: str) -> str:
    """What the changelog says of one release.

    Args:
        changelog: Its text, in the form of Keep a Changelog.
        version: The release, or `UNRELEASED`.

    Returns:
        The section without its heading; "" where there is none. A release counts with its date alone.
    """
    heading = rf"\[{version}\]" if version == UNRELEASED else rf"\[{re.escape(version)}\] - {_DATE}"
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", changelog, re.DOTALL | re.MULTILINE)
    return section[1].strip() + "\n" if section and section[1].strip() else ""


def missing(metadata: Mapping[str, Any], changelog: str, tag: str) -> list[str]:
    """What has to be done before a tag can be released.

    Args:
        metadata: The table ``[project]``.
        changelog: The text of ``CHANGELOG.md``.
        tag: The name of the tag.

    Returns:
        A sentence for each thing; none where the release can go out.
    """
    version = metadata["version"]
    found = []
    if tag != f"v{version}":
        found.append(f"pyproject.toml: the version is {version}, so the tag has to be v{version}, not {tag}")
    if not any(author.get("name") and author.get("email") for author in metadata.get("authors", [])):
        found.append("pyproject.toml: authors are not filled in, with the address that SECURITY.md promises")
    if not metadata.get("urls", {}).get("Source", "").startswith("https://"):
        found.append("pyproject.toml: urls.Source, the address of the repository, is not filled in")
    if not notes(changelog, version):
        found.append(f"CHANGELOG.md: there is no section '## [{version}] - YYYY-MM-DD' with text")
    if notes(changelog, UNRELEASED):
        found.append(f"CHANGELOG.md: what stands under [{UNRELEASED}] belongs to [{version}]")
    return found


def main() -> int:
    """Run the command.

    Returns:
        The exit status: 1 where something is missing.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tag")
    parser.add_argument("--notes", type=Path, help="write the changelog's section to this file")
    given = parser.parse_args()
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    metadata = project()
    found = missing(metadata, changelog, given.tag)
    sys.stderr.writelines(f"{line}\n" for line in found)
    if not found and given.notes:
        given.notes.write_text(notes(changelog, metadata["version"]), encoding="utf-8")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
