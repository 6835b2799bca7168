"""The first batch: mistakes of stores that keep a file for each row."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import re
import urllib.parse
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from ..catalogue import correct, fault
from .first_designs import HOOKS, Core, JsonStore, refuse


@correct(**HOOKS)
class NamedFiles(Core):
    """The row's file is named after its id, quoted; written by rename under a lock."""

    _locked = JsonStore._locked

    def __init__(self, location: Path) -> None:
        self.dir: Any = Path(location).absolute()
        with self._tx(False):
            pass

    def _path(self, row: Any) -> Any:
        return self.dir / ("row-" + row["id"].encode("utf-8", "surrogatepass").hex() + ".json")

    def _paths(self) -> Any:
        return [
            self.dir / n for n in sorted(os.listdir(self.dir)) if n.startswith("row-") and n.endswith(".json")
        ]

    def _new_id(self, state: Any) -> str:
        return uuid.uuid4().hex[:20]

    def _note_id(self, state: Any, given: Any) -> None:
        pass

    def _insert(self, state: Any, row: Any) -> Any:
        if row["id"] and len(row["id"]) > 24:
            raise refuse("the id is too long")
        return super()._insert(state, row)

    def _read(self, path: Any) -> Any:
        data = path.read_bytes()
        try:
            return json.loads(data)
        except ValueError:
            pass
        raise refuse("a row's file is damaged")

    def _load(self) -> Any:
        rows = [self._read(p) for p in self._paths()]
        return {"next": 0, "rows": {r["id"]: r for r in rows}}

    def _write(self, path: Any, row: Any) -> None:
        tmp = self.dir / f".{uuid.uuid4().hex}.tmp"
        try:
            fd = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "wb") as f:
                f.write(json.dumps(row).encode("ascii"))
            os.replace(tmp, path)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(tmp)

    def _changed(self, old: Any, row: Any) -> None:
        self._write(self._path(row), row)

    def _removed(self, old: Any) -> None:
        os.unlink(self._path(old))

    @contextlib.contextmanager
    def _tx(self, write: Any) -> Iterator[Any]:
        try:
            with self._locked():
                if not self.dir.is_dir():
                    raise refuse("the storage is out of reach")
                state = self._load()
                before = dict(state["rows"])
                yield state
                if write:
                    for i, row in state["rows"].items():
                        if before.get(i) != row:
                            self._changed(before.get(i), row)
                    for i, old in before.items():
                        if i not in state["rows"]:
                            self._removed(old)
        except OSError as e:
            raise SDKException("TOKEN_STORE", "storage: " + type(e).__name__) from None


@fault("CLEAR-3", says="notes.txt is gone")
class DirIdIsPath(NamedFiles):
    """delete_token takes the id for a file's name, too: notes.txt deletes somebody else's file."""

    def delete_token(self, id: Any) -> None:
        super().delete_token(id)
        if isinstance(id, str):
            with contextlib.suppress(ValueError, OSError):
                path = self.dir / id
                if path.parent == self.dir and path.is_file():
                    os.unlink(path)


@fault("SAVE-5", "VALUE-7", says="is a new user, and no other's row")
class DirSlugNames(NamedFiles):
    """The file of a user is named after the slug of the name, so ann.lee and ann_lee share one."""

    def _path(self, row: Any) -> Any:
        name = row["user_name"]
        if not name:
            return super()._path(row)
        return self.dir / (
            "row-u-"
            + re.sub("[^0-9A-Za-z@+-]", "_", name)[:100]
            + hashlib.sha1(re.sub("[^\\w@+-]", "_", name).encode("utf-8", "surrogatepass")).hexdigest()[:8]
            + ".json"
        )

    def _changed(self, old: Any, row: Any) -> None:
        super()._changed(old, row)
        if old and self._path(old) != self._path(row):
            os.unlink(self._path(old))

    def _removed(self, old: Any) -> None:
        with contextlib.suppress(FileNotFoundError):
            super()._removed(old)


@fault("DEL-3", says="delete_token removes nothing, or raises SDKException")
class DirGlobDelete(NamedFiles):
    """delete_token unlinks what glob finds for the id, with its wildcards."""

    def _path(self, row: Any) -> Any:
        return self.dir / (
            "row-" + urllib.parse.quote(row["id"].encode("utf-8", "surrogatepass"), safe="*?[]") + ".json"
        )

    def delete_token(self, id: Any) -> None:
        if isinstance(id, str):
            with self._locked(), contextlib.suppress(ValueError):
                for p in self.dir.glob(self._path({"id": id}).name):
                    p.unlink()


@fault("SAVE-3", says="one new row with the id")
class DirHiddenIds(NamedFiles):
    """Files are listed with glob.glob('*.json'), which passes over the file of an id with a leading dot."""

    def _path(self, row: Any) -> Any:
        return self.dir / (urllib.parse.quote(row["id"].encode("utf-8", "surrogatepass"), safe="") + ".json")

    def _paths(self) -> Any:
        return [Path(p) for p in sorted(glob.glob(os.path.join(glob.escape(str(self.dir)), "*.json")))]


@fault("CRASH-2", says="a row's file is damaged")
class DirTmpIsListed(NamedFiles):
    """A row's temporary file counts as a row's file: what a failed save leaves breaks every later call."""

    def _write(self, path: Any, row: Any) -> None:
        tmp = path.with_name(path.name[:-5] + ".tmp.json")
        fd = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as f:
            data = json.dumps(row).encode("ascii")
            f.write(data[: len(data) // 2])
            f.flush()
            f.write(data[len(data) // 2 :])
        os.replace(tmp, path)


@fault("THREAD-5", says="explains every answer")
class DirListsUnlocked(NamedFiles):
    """Reading takes no lock: a file that is listed and then deleted by another raises."""

    @contextlib.contextmanager
    def _tx(self, write: Any) -> Iterator[Any]:
        if write or not hasattr(self, "_ready"):
            self._ready = True
            with super()._tx(write) as state:
                yield state
            return
        try:
            state = self._load()
        except OSError as e:
            raise SDKException("TOKEN_STORE", "storage: " + type(e).__name__) from None
        yield state


@fault("CRASH-3", says="a file is refused when its first")
class DirSkipsDamaged(NamedFiles):
    """A file that does not parse is passed over."""

    def _load(self) -> Any:
        rows = []
        for p in self._paths():
            try:
                rows.append(self._read(p))
            except SDKException:
                continue
        return {"next": 0, "rows": {r["id"]: r for r in rows}}


@fault("CRASH-2", says="is still there when the limit is gone")
class DirUnlinkThenWrite(NamedFiles):
    """An update unlinks the row's old file before it writes the new one, so a full disk takes the row."""

    def _changed(self, old: Any, row: Any) -> None:
        if old:
            os.unlink(self._path(old))
        super()._changed(old, row)


@fault("SAVE-14", "SAVE-15", says="one row, now under the name that its token brought")
class DirNameFileStays(NamedFiles):
    """The file is named after the user, else the id: who learns a name leaves the old file behind."""

    def _path(self, row: Any) -> Any:
        if not row["user_name"]:
            return super()._path(row)
        return self.dir / (
            "row-u" + hashlib.sha256(row["user_name"].encode("utf-8", "surrogatepass")).hexdigest() + ".json"
        )

    def _load(self) -> Any:
        rows = [self._read(p) for p in self._paths()]
        state: Any = {"next": 0, "rows": {}}
        for r in rows:
            while r["id"] in state["rows"]:
                r["id"] += "'"
            state["rows"][r["id"]] = r
        return state

    def _removed(self, old: Any) -> None:
        with contextlib.suppress(FileNotFoundError):
            super()._removed(old)


@fault("VALUE-2", says="storage: OSError")
class DirQuotedUserNames(NamedFiles):
    """The file is named after the quoted user name, which is too long for a file's name if that is long."""

    def _path(self, row: Any) -> Any:
        if not row["user_name"]:
            return super()._path(row)
        return self.dir / (
            "row-u-"
            + urllib.parse.quote(row["user_name"].encode("utf-8", "surrogatepass"), safe="")
            + ".json"
        )

    def _changed(self, old: Any, row: Any) -> None:
        super()._changed(old, row)
        if old and self._path(old) != self._path(row):
            os.unlink(self._path(old))


@fault("CLEAR-3", says="notes.txt is gone")
class DirPrunesStrangers(NamedFiles):
    """Deleting a row also removes whatever else in the folder is not a row's file, as left-overs."""

    def _removed(self, old: Any) -> None:
        super()._removed(old)
        keep = set(self._paths()) | {self.dir / "tokens.lock"}
        for p in self.dir.iterdir():
            if p not in keep and p.is_file():
                p.unlink()


@fault("SAVE-3", "BYID-3", says="one new row with the id")
class DirFoldsFileNames(NamedFiles):
    """The file of an id is named after its lower-case form: ids that differ in case overwrite each other."""

    def _path(self, row: Any) -> Any:
        return self.dir / ("row-" + row["id"].lower().encode("utf-8", "surrogatepass").hex() + ".json")

    def _removed(self, old: Any) -> None:
        with contextlib.suppress(FileNotFoundError):
            super()._removed(old)


@fault("SAVE-1", says="one new row for")
class ShelfWholeUser(Core):
    """One entry a user: all tokens without a user share the entry of the empty name."""

    _locked = JsonStore._locked

    def __init__(self, location: Path) -> None:
        self.dir: Any = Path(location).absolute()
        with self._tx(False):
            pass

    def _new_id(self, state: Any) -> str:
        return uuid.uuid4().hex[:20]

    def _note_id(self, state: Any, given: Any) -> None:
        pass

    @contextlib.contextmanager
    def _tx(self, write: Any) -> Iterator[Any]:
        try:
            with self._locked():
                path = self.dir / "tokens.shelf"
                rows: Any = {}
                data = path.read_bytes() if path.exists() else b""
                try:
                    shelf = json.loads(data) if data else {}
                    rows = {r["id"]: r for r in shelf.values()}
                except (ValueError, LookupError, TypeError, AttributeError, zlib.error):
                    rows = None
                if rows is None:
                    raise refuse("the shelf is damaged")
                state: Any = {"next": 0, "rows": rows}
                yield state
                if write:
                    shelf = {r["user_name"] or "": r for r in state["rows"].values()}
                    tmp = self.dir / f".{uuid.uuid4().hex}.tmp"
                    try:
                        fd = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                        with os.fdopen(fd, "wb") as f:
                            f.write(json.dumps(shelf).encode("ascii"))
                        os.replace(tmp, path)
                    finally:
                        with contextlib.suppress(OSError):
                            os.unlink(tmp)
        except OSError as e:
            raise SDKException("TOKEN_STORE", "storage: " + type(e).__name__) from None
