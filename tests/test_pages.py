"""Pages that are made from the code are up to date."""

from __future__ import annotations

import pytest

from tests.pages import DOCS, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_up_to_date(name: str) -> None:
    """``python -m tests.pages`` would change nothing."""
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name]()
