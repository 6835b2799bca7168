"""The awkward texts that checks draw from."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings

from zoho_tokenstore_contract._checks.sample_tokens import WIDTH
from zoho_tokenstore_contract._checks.tricky_strings import FAMILIES, TRAPS, lookalikes, texts


@settings(max_examples=500, database=None, derandomize=True)
@given(lookalikes())
def test_lookalikes_are_two_texts_that_every_store_takes(pair: tuple[str, str]) -> None:
    """A store that refuses more than the contract asks it to take is not flagged for it."""
    first, second = pair

    assert first != second
    assert max(len(first), len(second)) <= WIDTH


@settings(max_examples=500, database=None, derandomize=True)
@given(texts())
def test_drawn_texts_are_such_that_every_store_takes(text: str) -> None:
    """Neither empty nor too wide, without NUL and lone surrogates."""
    assert 0 < len(text) <= WIDTH
    assert "\0" not in text
    text.encode()


def test_families_have_nothing_in_common() -> None:
    """No text is in two of them, nor twice in one; and every fixed text is one that every store takes."""
    for one, other in combinations(FAMILIES, 2):
        assert not set(one) & set(other)
    for family in FAMILIES:
        assert len(set(family)) == len(family)
    assert max(map(len, [*TRAPS, *(text for family in FAMILIES for text in family)])) <= WIDTH
