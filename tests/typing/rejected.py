"""Mistakes that type checkers find: in each line that ends in the word, and in no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoho_tokenstore_contract import TokenStoreContract, Verdict, check


class TestNoLocation(TokenStoreContract):
    def open_store(self) -> Any:  # error
        return None


class TestAnotherLocation(TokenStoreContract):
    def open_store(self, location: str) -> Any:  # error
        return None


class TestTooManyArguments(TokenStoreContract):
    def open_store(self, location: Path, name: str) -> Any:  # error
        return None


class TestAsynchronousClose(TokenStoreContract):
    def open_store(self, location: Path) -> Any:
        return None

    async def close_store(self, store: Any) -> None:  # error
        store.close()


class TestAttributes(TokenStoreContract):
    persistent = "no"  # error
    allowed = ["FLOW-10"]  # error

    def open_store(self, location: Path) -> Any:
        return None


def mistakes(verdict: Verdict) -> None:
    check(None)  # error
    check(dict, True)  # error
    check(dict, persistent="no")  # error
    check(dict, allowed=["FLOW-10"])  # error
    check(dict, only=7)  # error
    verdict.passed = True  # error
    verdict.word.upper()  # error
