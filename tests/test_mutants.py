"""The page of the mechanical mutants: `tests.mutants` itself is an environment of tox."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.once
def test_the_page_tells_of_every_listed_mutant() -> None:
    """With the reason why it is right; and no other mutant survived."""
    import tomllib  # not in Python 3.10

    listed = tomllib.loads((HERE / "equivalent_mutants.toml").read_text(encoding="utf-8"))
    page = (HERE.parent / "docs" / "mutants.md").read_text(encoding="utf-8")
    rows = [line.rpartition("|")[0].strip("| ") for line in page.splitlines() if line.startswith("| ")][2:]

    assert [(row.partition(" | ")[0], row.rpartition(" | ")[2]) for row in rows] == [
        (module, one["why"]) for module in listed for one in listed[module]
    ]
    assert [page.count(f"- `{module}`") for module in listed] == [1] * len(listed)
    assert page.count(", 0 survived.") == len(listed)
