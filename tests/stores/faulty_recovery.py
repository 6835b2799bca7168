"""Stores with one mistake that shows when their storage is in reach again."""

from __future__ import annotations

import contextlib
import copy
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from .catalogue import correct, fault
from .right import RightStore, break_storage, mend_storage, refusal

HOOKS: dict[str, Any] = {"break_storage": break_storage, "mend_storage": mend_storage}


@fault("CRASH-5", says="works on", **HOOKS)
class IsDeadForEver(RightStore):
    """Remembers that its storage could not be read, and does not try again."""

    dead = False

    def read(self) -> Any:
        if self.dead:
            raise refusal("the storage is gone")
        try:
            return super().read()
        except SDKException:
            self.dead = True
            raise


@fault("CRASH-5", says="find_token_by_id finds", **HOOKS)
class RemembersAnOutageForEachId(RightStore):
    """Keeps the failure of a lookup by id, and answers with it from then on."""

    def __init__(self, location: Path) -> None:
        self.failed: dict[Any, Exception] = {}
        super().__init__(location)

    def find_token_by_id(self, id: Any) -> Any:
        if id in self.failed:
            raise self.failed[id]
        try:
            return super().find_token_by_id(id)
        except SDKException as error:
            self.failed[id] = error
            raise


@fault("CRASH-5", says="the same store has every row", **HOOKS)
class EmptiesItsFileAfterAnOutage(RightStore):
    """Starts over with an empty file once it could not write."""

    starts_over = False

    @contextlib.contextmanager
    def locked(self) -> Any:
        try:
            with super().locked():
                yield
        except SDKException:
            self.starts_over = not self.location.exists()
            raise

    def read(self) -> Any:
        state = super().read()
        if self.starts_over:
            state["rows"] = []
        return copy.deepcopy(state)


@fault("CRASH-5", says="works on", **HOOKS)
class GivesUpAfterThreeFailures(RightStore):
    """Counts failures, and opens its circuit for good at the third."""

    failures = 0

    def read(self) -> Any:
        if self.failures >= 3:
            raise refusal("the circuit is open")
        try:
            return super().read()
        except SDKException:
            self.failures += 1
            raise


@correct(**HOOKS)
class OpensItsFileAnew(RightStore):
    """Counts failures, and forgets them when it can read again."""

    failures = 0

    def read(self) -> Any:
        try:
            state = super().read()
        except SDKException:
            self.failures += 1
            raise
        self.failures = 0
        return state
