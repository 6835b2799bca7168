"""Stores with one mistake that shows in another zone, locale or hash seed, or after a fork."""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
from pathlib import Path
from typing import Any

from .catalogue import correct, fault
from .right import Fields, RightStore, refusal


@fault("PERSIST-5", says="expires_in")
class KeepsLocalTimes(RightStore):
    """Keeps expiry times as local times without a zone."""

    def encoded(self, state: Any) -> bytes:
        state = json.loads(json.dumps(state))
        for row in state["rows"]:
            if row["expires_in"] and row["expires_in"].isdecimal() and len(row["expires_in"]) == 13:
                seconds, rest = divmod(int(row["expires_in"]), 1000)
                row["expires_in"] = f"{dt.datetime.fromtimestamp(seconds).isoformat()}|{rest:03d}"  # noqa: DTZ006
        return super().encoded(state)

    def read(self) -> Any:
        state = super().read()
        for row in state["rows"]:
            text, bar, rest = (row["expires_in"] or "").partition("|")
            if bar:
                seconds = int(dt.datetime.fromisoformat(text).timestamp())
                row["expires_in"] = f"{seconds}{rest}"
        return state


@fault("PERSIST-5", says="raised UnicodeEncodeError")
class WritesInTheLocalesEncoding(RightStore):
    """Writes a copy for people to read, in whatever encoding the locale prefers."""

    def write(self, state: Any) -> None:
        super().write(state)
        fields = [row["user_name"] or "" for row in state["rows"]]
        path = self.location / "users.txt"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", errors="strict") as file:
            file.write("\n".join(fields).encode("utf-8", "surrogatepass").decode("utf-8", "replace"))


@fault("PERSIST-5", says="finds its row")
class FindsByHash(RightStore):
    """Keeps `hash` of a user's name as the key to look for."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        row = super().insert(state, sent)
        row["key"] = hash(row["user_name"])
        return row

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().match_to_find(rows, sent)
        return (
            row if row is None or not sent["user_name"] or row.get("key") == hash(sent["user_name"]) else None
        )


# PROC-2


class HoldsItsLockFile(RightStore):
    """The common part of those that open their lock file once: a forked process shares the very lock."""

    def prepare(self) -> None:
        self.handle = os.open(self.location / "held", os.O_RDWR | os.O_CREAT, 0o600)
        self.maker = os.getpid()
        super().prepare()

    def locked(self) -> Any:
        return _Held(self)

    def write(self, state: Any) -> None:
        draft = self.location / f"draft-{os.getpid()}"
        self.write_file(draft, self.encoded(state))
        draft.replace(self.file)


class _Held:
    def __init__(self, store: HoldsItsLockFile) -> None:
        self.store = store

    def __enter__(self) -> None:
        self.store.lock.acquire()
        fcntl.flock(self.store.handle, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self.store.handle, fcntl.LOCK_UN)
        self.store.lock.release()


@fault("PROC-2", says="opened before a fork")
class SharesItsLockWithItsChild(HoldsItsLockFile):
    """Opens its lock file once."""


@fault("PROC-2", says="before the fork stay as they were")
class RemovesItsFileWhenAChildCloses(RightStore):
    """Cleans up after itself when it is closed in another process than the one that opened it."""

    def __init__(self, location: Path) -> None:
        self.maker = os.getpid()
        super().__init__(location)

    def close(self) -> None:
        if os.getpid() != self.maker:
            self.write({"last": 0, "used": [], "rows": []})


@fault("PROC-2", says="refuses")
class RefusesInAChildAtFirst(RightStore):
    """Refuses the first call of a forked process, and goes on with the next."""

    def __init__(self, location: Path) -> None:
        self.maker = os.getpid()
        super().__init__(location)

    def read(self) -> Any:
        if os.getpid() != self.maker:
            self.maker = os.getpid()
            raise refusal("this store was opened in another process")
        return super().read()


@correct()
class RefusesInAChild(RightStore):
    """Refuses every call of a process that was forked after it was opened."""

    def __init__(self, location: Path) -> None:
        self.maker = os.getpid()
        super().__init__(location)

    def read(self) -> Any:
        if os.getpid() != self.maker:
            raise refusal("this store was opened in another process")
        return super().read()


@correct()
class KeepsTimesInUtc(RightStore):
    """Notes when it wrote, in UTC."""

    def write(self, state: Any) -> None:
        state["written"] = dt.datetime.now(dt.timezone.utc).isoformat()
        super().write(state)
