"""What only the README says. Its commands, snippets and links are those of `test_docs.py`."""

from __future__ import annotations

import pytest

from tests.snippets import README, ROOT
from zoho_tokenstore_contract._spec.clauses import CLAUSES, GROUPS

pytestmark = pytest.mark.once

TEXT = README.read_text(encoding="utf-8")


def test_the_numbers_are_right() -> None:
    """The README and the first page of the docs count as the registry does."""
    assert f"{len(CLAUSES)} clauses in {len(GROUPS)} groups" in TEXT
    assert f"a contract of {len(CLAUSES)} clauses" in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_has_a_link(group: str) -> None:
    """And the page that it leads to has the heading."""
    assert f"[{group}](docs/contract.md#{group.lower()})" in TEXT
    assert f"\n## {group}\n" in (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
