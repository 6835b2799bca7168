"""Stores with one mistake that shows when their process is killed, or their storage fails."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from .catalogue import fault
from .right import RightStore, break_storage, refusal

EMPTY = {"last": 0, "used": [], "rows": []}


# CRASH-1, CRASH-2


@fault("CRASH-1", "CRASH-2", says="raised SDKException")
class WritesInPlace(RightStore):
    """Empties the file and then writes it anew."""

    def write(self, state: Any) -> None:
        self.write_file(self.file, self.encoded(state))


@fault("CRASH-1", says="every save that had returned is there")
class RemovesBeforeItRenamesInAThread(RightStore):
    """Has a thread write its files, which removes the old one before it renames the new one."""

    writers: ClassVar[dict[int, ThreadPoolExecutor]] = {}

    def write(self, state: Any) -> None:
        if os.getpid() not in self.writers:
            self.writers[os.getpid()] = ThreadPoolExecutor(1)
        self.writers[os.getpid()].submit(self.replace, self.encoded(state)).result()

    def replace(self, content: bytes) -> None:
        draft = self.location / "rows.json.draft"
        self.write_file(draft, content)
        self.file.unlink(missing_ok=True)
        draft.rename(self.file)


@fault("CRASH-1", says="every save that had returned is there")
class TakesARowOutToNameIt(RightStore):
    """Gives a row its name in two steps: one removes the row, the other adds it under the name."""

    def update(self, row: Any, sent: Any) -> None:
        if sent["user_name"] and not row["user_name"]:
            state = self.read()
            self.write({**state, "rows": [other for other in state["rows"] if other["id"] != row["id"]]})
        super().update(row, sent)


@fault("CRASH-1", says="every save that had returned is there")
class TakesARowOutToNameItAndWritesInPieces(TakesARowOutToNameIt):
    """The same, with files that are written in the more pieces, the more rows they hold."""

    def write_file(self, path: Path, content: bytes) -> None:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            for start in range(0, len(content), 100):  # noqa: FURB122 (each write is a moment)
                file.write(content[start : start + 100])


@fault("CRASH-1", "PERSIST-1", says="every save that had returned is there")
class WritesInTheBackground(RightStore):
    """Answers from memory, and leaves the writing to a thread."""

    state: Any = None

    def read(self) -> Any:
        if self.state is None:
            self.state = super().read()
        return copy.deepcopy(self.state)

    def write(self, state: Any) -> None:
        self.state = copy.deepcopy(state)
        if self.file.exists():
            threading.Thread(target=self.write_later, args=(self.state,)).start()
        else:
            super().write(state)

    def write_later(self, state: Any) -> None:
        time.sleep(0.002)
        with self.lock, contextlib.suppress(SDKException):
            if state is self.state:
                super().write(state)

    def close(self) -> None:
        with self.lock:
            super().write(self.state)


@fault("CRASH-1", "PERSIST-2", says="every save that had returned is there")
class WritesEverySecondUpdate(RightStore):
    """Writes inserts at once, but gathers updates and writes every second of them."""

    state: Any = None
    gathered = 0

    def read(self) -> Any:
        return copy.deepcopy(self.state) if self.gathered else super().read()

    def write(self, state: Any) -> None:
        insert = self.state is None or len(state["rows"]) != len(self.state["rows"])
        self.state = copy.deepcopy(state)
        self.gathered = 0 if insert or self.gathered else 1
        if not self.gathered:
            super().write(state)

    def close(self) -> None:
        if self.gathered:
            super().write(self.state)


@fault("CRASH-1", says="every save that had returned is there")
class MovesTheOldFileAway(RightStore):
    """Keeps the file before last as a backup, and has none at all for a moment."""

    def write(self, state: Any) -> None:
        if self.file.exists():
            self.file.replace(self.location / "rows.json.backup")
        super().write(state)


@fault("CRASH-2", says="save_token raises where it could not write")
class SwallowsWriteErrors(RightStore):
    """A write that fails is nobody's business."""

    def write(self, state: Any) -> None:
        with contextlib.suppress(SDKException):
            super().write(state)


@fault("CRASH-2", "PERSIST-2", says="save_token raises where it could not write")
class ReturnsInAFinally(RightStore):
    """Goes on with what it has in memory: a ``return`` in its ``finally`` swallows the error."""

    state: Any = None

    def read(self) -> Any:
        return super().read() if self.state is None else copy.deepcopy(self.state)

    def write(self, state: Any) -> None:
        try:
            super().write(state)
        finally:
            self.state = copy.deepcopy(state)
            return  # noqa: B012


@fault("CRASH-2", says="the storage is damaged")
class MakesDoWithoutADraft(RightStore):
    """Where there is no room for a draft, it writes over the file itself."""

    def write(self, state: Any) -> None:
        try:
            super().write(state)
        except SDKException:
            self.write_file(self.file, self.encoded(state))


# CRASH-3


@fault("CRASH-3", says="or every row is still there")
class StartsEmptyOverDamage(RightStore):
    """Takes a damaged file for an empty one."""

    def read(self) -> Any:
        try:
            return super().read()
        except SDKException:
            return copy.deepcopy(EMPTY)


@fault("CRASH-3", says="or every row is still there")
class PutsDamageAside(RightStore):
    """Keeps a damaged file under another name, and starts empty without a word."""

    def prepare(self) -> None:
        try:
            super().prepare()
        except SDKException:
            self.file.replace(self.location / "damaged")
            super().prepare()


@fault("CRASH-3", says="or every row is still there")
class SavesOverDamage(RightStore):
    """Refuses to read a damaged file, but the first save replaces it."""

    def prepare(self) -> None:
        if not self.file.exists():
            super().prepare()

    @contextlib.contextmanager
    def changing(self) -> Iterator[Any]:
        with self.locked():
            try:
                state = self.read()
            except SDKException:
                state = copy.deepcopy(EMPTY)
            yield state
            self.write(state)


@fault("CRASH-3", says="SDKException for a damaged file")
class StumblesOverDamage(RightStore):
    """Reads without looking, so that a damaged file is a ``ValueError``."""

    def read(self) -> Any:
        return json.loads(self.file.read_bytes().partition(b"\n")[2])


# CRASH-4


@fault("CRASH-4", says="find_token raises", break_storage=break_storage)
class FindsNothingInAnOutage(RightStore):
    """A file that is gone has no rows."""

    def read(self) -> Any:
        return super().read() if self.file.exists() else copy.deepcopy(EMPTY)


@fault("CRASH-4", says="save_token raises", break_storage=break_storage)
class MakesTheStorageAgain(RightStore):
    """A save makes the location and the file again, and so hides that they are gone."""

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        self.location.mkdir(exist_ok=True)
        with super().locked():
            yield

    @contextlib.contextmanager
    def changing(self) -> Iterator[Any]:
        with self.locked():
            state = self.read() if self.file.exists() else copy.deepcopy(EMPTY)
            yield state
            self.write(state)


@fault("CRASH-4", says="delete_token raises", break_storage=break_storage)
class DeletesWithoutAWord(RightStore):
    """What goes wrong while deleting is silence."""

    def delete_token(self, id: Any) -> None:
        with contextlib.suppress(SDKException):
            super().delete_token(id)


@fault("CRASH-4", says="find_token_by_id raises", break_storage=break_storage)
class RemembersIds(RightStore):
    """Answers for an id from memory where the file does not answer."""

    seen: Any = None

    def write(self, state: Any) -> None:
        super().write(state)
        self.seen = copy.deepcopy(state)

    def find_token_by_id(self, id: Any) -> Any:
        try:
            return super().find_token_by_id(id)
        except SDKException:
            return self.new_token(self.by_id(self.seen["rows"], id) or {})


@fault("CRASH-4", says="find_token raises", break_storage=break_storage)
class FindsNoLoneTokenInAnOutage(RightStore):
    """Answers None for an access token alone when the file cannot be read."""

    def find_token(self, token: Any) -> Any:
        try:
            return super().find_token(token)
        except SDKException:
            if token.get_access_token() and token.get_user_signature() is None:
                return None
            raise


@fault("CRASH-4", says="find_token_by_id raises", break_storage=break_storage)
class KnowsNoOtherIdsInAnOutage(RightStore):
    """Knows the ids of the rows by heart, and asks the file for these alone."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.ids = {row["id"] for row in self.read()["rows"]}

    def write(self, state: Any) -> None:
        super().write(state)
        self.ids = {row["id"] for row in state["rows"]}

    def find_token_by_id(self, id: Any) -> Any:
        return super().find_token_by_id(id) if id in self.ids else None


@fault("CRASH-4", says="find_token_by_id raises", break_storage=break_storage)
class KnowsTheIdsThatItGave(RightStore):
    """Answers None in an outage for every id but those that this object gave."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.given: set[str] = set()

    def saved(self, token: Any, row: Any) -> None:
        super().saved(token, row)
        self.given.add(row["id"])

    def find_token_by_id(self, id: Any) -> Any:
        try:
            return super().find_token_by_id(id)
        except SDKException:
            if id in self.given:
                raise
            return None


@fault("CRASH-1", says="every save that had returned is there")
class WritesItsRowsAnewByAScript(RightStore):
    """Deletes all rows and inserts them again in one script, each statement of which commits."""

    def prepare(self) -> None:
        with self.locked(), self.connected() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS parts (part TEXT)")

    def read(self) -> Any:
        with self.connected() as connection:
            parts = [json.loads(part) for (part,) in connection.execute("SELECT part FROM parts")]
        return {**(parts[0] if parts else EMPTY), "rows": parts[1:]}

    def write(self, state: Any) -> None:
        parts = [{**state, "rows": []}, *state["rows"]]
        texts = (json.dumps(part).replace("'", "''") for part in parts)
        script = "".join(f"INSERT INTO parts VALUES ('{text}');" for text in texts)  # noqa: S608
        with self.connected() as connection:
            connection.executescript(f"DELETE FROM parts; {script}")  # noqa: S608

    @contextlib.contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(sqlite3.connect(self.file, isolation_level=None)) as connection:
                yield connection
        except sqlite3.Error as error:
            raise refusal("the storage fails", error) from error


@fault("CRASH-3", says="or every row is still there")
class ListsNothingOfDamage(RightStore):
    """Refuses to change a damaged file, and lists nothing of it."""

    def prepare(self) -> None:
        if not self.file.exists():
            super().prepare()

    def get_tokens(self) -> list[Any]:
        try:
            return super().get_tokens()
        except SDKException:
            return []


@fault("CRASH-4", says="get_tokens raises", break_storage=break_storage)
class ListsFromMemoryUntilACallFails(RightStore):
    """Answers `get_tokens` from memory as long as no other call found the storage gone."""

    fails = False
    listed: Any = None

    def read(self) -> Any:
        self.fails = True
        state = super().read()
        self.fails = False
        self.listed = state["rows"]
        return state

    def get_tokens(self) -> list[Any]:
        rows = self.listed if not self.file.exists() and not self.fails else self.read()["rows"]
        return [self.new_token(row) for row in rows]


@fault("CRASH-4", says="get_tokens raises", break_storage=break_storage)
class ComplainsOfAnOutageOnce(RightStore):
    """Raises where it cannot list its tokens, and answers with none from then on."""

    complained = False

    def get_tokens(self) -> list[Any]:
        try:
            return super().get_tokens()
        except SDKException:
            if self.complained:
                return []
            self.complained = True
            raise
