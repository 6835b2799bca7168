"""The first batch: mistakes of stores that append to a log."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import time
import uuid
import zlib
from pathlib import Path
from typing import Any

from ..catalogue import fault
from .first_designs import LogStore, merge, refuse

log = logging.getLogger("tokenlog")


@fault("DEL-4", says="one new row for")
class LogDeadIdsStayDead(LogStore):
    """Replaying skips every row whose id was deleted before, although a later save brought that id back."""

    def _load(self) -> Any:
        self._dead: Any = set()
        return super()._load()

    def _apply(self, state: Any, rec: Any) -> None:
        if rec["op"] == "del":
            self._dead.add(rec["id"])
        if rec["op"] == "put" and rec["row"]["id"] in self._dead:
            return
        super()._apply(state, rec)


@fault("CRASH-3", says="a file is refused when its first")
class LogGluesToTornTail(LogStore):
    """The half line of a killed save is not cut off: the next line is glued to it, and both are skipped."""

    def _load(self) -> Any:
        state: Any = {"next": 1, "rows": {}}
        if not self.dir.is_dir():
            raise refuse("the storage is out of reach")
        data = self.file.read_bytes() if self.file.exists() else b""
        for line in data.split(b"\n"):
            try:
                self._apply(state, self._parse(line))
            except (ValueError, LookupError, TypeError, AttributeError, zlib.error):
                continue
        self._torn = None
        return state


@fault("DEL-5", says="an id that no deleted row had")
class LogClearForgetsCounter(LogStore):
    """delete_tokens starts a new log file and, with it, the ids from 1."""

    def delete_tokens(self) -> None:
        with self._tx(False):
            for p in (self.mark, self.file):
                with contextlib.suppress(FileNotFoundError):
                    p.unlink()


@fault("PERSIST-2", "CRASH-3", says="delete_tokens is seen at once by the store that did not")
class LogOffsetReader(LogStore):
    """Reads on from where it stopped, though another store may have compacted the file."""

    def __init__(self, location: Path) -> None:
        self._at = 0
        self._known: Any = {"next": 1, "rows": {}}
        super().__init__(location)

    def _load(self) -> Any:
        if not self.dir.is_dir():
            raise refuse("the storage is out of reach")
        data = self.file.read_bytes() if self.file.exists() else b""
        self._torn = None
        whole = data.rfind(b"\n") + 1
        if whole != len(data):
            self._torn = whole
        try:
            for line in data[self._at : whole].split(b"\n")[:-1]:
                self._apply(self._known, self._parse(line))
        except (ValueError, LookupError, TypeError, AttributeError, zlib.error):
            raise refuse("the log is damaged") from None
        self._at = whole
        return {"next": self._known["next"], "rows": dict(self._known["rows"])}

    def _commit(self, size: Any) -> None:
        pass

    def delete_tokens(self) -> None:
        with self._tx(False) as state:
            tmp = self.dir / f".log.{uuid.uuid4().hex}.tmp"
            fd = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "wb") as f:
                f.write(self._line({"op": "clear", "next": state["next"]}))
            os.replace(tmp, self.file)
            self._at = 0
            self._known = {"next": state["next"], "rows": {}}


@fault("VALUE-1", says="every row still reads")
class LogSplitlines(LogStore):
    """The log is UTF-8 text split by str.splitlines(), which also breaks at U+2028 inside a value."""

    def _line(self, record: Any) -> Any:
        body = json.dumps(record, ensure_ascii=False)
        try:
            raw = body.encode("utf-8")
        except UnicodeError:
            raw = None
        if raw is None:
            raise refuse("a text that cannot be encoded")
        return b"%08x " % zlib.crc32(raw) + raw + b"\n"

    def _split(self, data: Any) -> Any:
        return [x.encode("utf-8") for x in data.decode("utf-8").splitlines()]


@fault("CRASH-1", "PERSIST-2", "PERSIST-1", says="no such row")
class LogFlushesAtClose(LogStore):
    """New lines are gathered in memory and written every eight saves and at close."""

    def __init__(self, location: Path) -> None:
        self._pending: Any = []
        self._guard = threading.RLock()
        super().__init__(location)

    def _load(self) -> Any:
        state = super()._load()
        for r in self._pending:
            self._apply(state, r)
        return state

    def _append(self, records: Any) -> None:
        self._pending += records
        if len(self._pending) >= 8:
            self.flush()

    def flush(self) -> None:
        records, self._pending = (self._pending, [])
        if records:
            super()._append(records)

    def close(self) -> None:
        with self._locked():
            super()._load()
            self.flush()


@fault("CLEAR-2", says="no rows")
class LogClearByTime(LogStore):
    """A clear is a time stamp in whole seconds: every row put not after it counts as deleted."""

    def _diff(self, before: Any, state: Any) -> Any:
        return [dict(r, at=int(time.time())) for r in super()._diff(before, state)]

    def _load(self) -> Any:
        self._puts: Any = {}
        self._cleared = -1
        state = super()._load()
        state["rows"] = {i: r for i, r in state["rows"].items() if self._puts[i] > self._cleared}
        return state

    def _apply(self, state: Any, rec: Any) -> None:
        if rec["op"] == "clear":
            self._cleared = max(self._cleared, rec["at"])
        elif rec["op"] == "put":
            self._puts[rec["row"]["id"]] = rec["at"]
        super()._apply(state, rec)


@fault("SAVE-14", "SAVE-15", says="one row, now under the name that its token brought")
class LogPatchesByName(LogStore):
    """Replay puts a row in the place of the one with its user name: who learns a name is two rows."""

    def _apply(self, state: Any, rec: Any) -> None:
        if rec["op"] == "put" and rec["row"]["user_name"]:
            rows, row = (state["rows"], rec["row"])
            state["next"] = rec.get("next", state["next"])
            for i, r in rows.items():
                if r["user_name"] == row["user_name"]:
                    rows[i] = dict(row, id=i)
                    return
            if row["id"] in rows:
                rows["~" + row["id"]] = dict(rows[row["id"]], id="~" + row["id"])
            rows[row["id"]] = row
            return
        super()._apply(state, rec)


@fault("CRASH-2", says="the log is damaged")
class LogHalfLineStays(LogStore):
    """A write that fails half-way leaves its half line, and every later call calls the log damaged."""

    def _append(self, records: Any) -> None:
        fd = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            data = b"".join(self._line(r) for r in records)
            for at in range(0, len(data), 64):
                os.write(fd, data[at : at + 64])
            self._commit(os.fstat(fd).st_size)
        finally:
            os.close(fd)

    def _load(self) -> Any:
        data = self.file.read_bytes() if self.file.exists() else b""
        if data and (not data.endswith(b"\n")):
            raise refuse("the log is damaged")
        return super()._load()


@fault("SECRET-2", says="no secret in what a log or a traceback may show")
class LogTellsRotation(LogStore):
    """A debug record tells which refresh token was replaced by which."""

    def _merge(self, old: Any, new: Any) -> Any:
        if old["refresh_token"] and new["refresh_token"] and (old["refresh_token"] != new["refresh_token"]):
            log.debug(
                "row %s: refresh token %s replaced by %s",
                old["id"],
                old["refresh_token"],
                new["refresh_token"],
            )
        return merge(old, new)


@fault("THREAD-5", says="explains every answer")
class LogCompactsOutsideLock(LogStore):
    """After a deletion the log is rewritten outside the lock from what was read before."""

    def _commit(self, size: Any) -> None:
        pass

    def delete_token(self, id: Any) -> None:
        if not isinstance(id, str):
            return
        with self._tx(True) as state:
            known = id in state["rows"]
            state["rows"].pop(id, None)
        if not known:
            return
        self._between()
        tmp = self.dir / f".log.{uuid.uuid4().hex}.tmp"
        fd = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as f:
            f.write(self._line({"op": "clear", "next": state["next"]}))
            for r in state["rows"].values():
                f.write(self._line({"op": "put", "row": r, "next": state["next"]}))
        os.replace(tmp, self.file)

    def _between(self) -> None:
        pass
