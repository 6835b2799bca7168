"""Right stores that keep their rows where, or in a way that, few stores do."""

from __future__ import annotations

import asyncio
import contextlib
import dbm.dumb
import fcntl
import json
import os
import queue
import shelve
import shutil
import sqlite3
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, ClassVar

from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore

from .catalogue import correct
from .right import Fields, RightStore, refusal
from .unusual import InMemory, copied

# in files


class ReadsUnderItsLock(RightStore):
    """Lets readers wait for a change that takes several steps."""

    def load(self) -> Any:
        return super().read()

    def read(self) -> Any:
        with self.locked():
            return self.load()

    def prepare(self) -> None:
        with self.locked():
            if self.file.exists():
                self.load()
            else:
                self.write({"last": 0, "used": [], "rows": []})

    @contextlib.contextmanager
    def changing(self) -> Iterator[Any]:
        with self.locked():
            state = self.load()
            yield state
            self.write(state)


@correct()
class OpensLate(RightStore):
    """Looks at nothing before the first call, and makes no file before the first change."""

    seen = False

    def prepare(self) -> None:
        """Nothing, until somebody asks."""

    def read(self) -> Any:
        if not self.seen and not self.file.exists():
            return {"last": 0, "used": [], "rows": []}
        self.seen = True  # from now on a missing file is an error
        return super().read()


@correct()
class ClosesADirectory(RightStore):
    """Its files are readable by all, in a directory of its own that nobody else may enter."""

    def __init__(self, location: Path) -> None:
        inner = Path(location) / "tokens"
        inner.mkdir(mode=0o700, exist_ok=True)
        super().__init__(inner)

    def write_file(self, path: Path, content: bytes) -> None:
        super().write_file(path, content)
        path.chmod(0o644)


@correct()
class LocksTheWholeProcess(RightStore):
    """One lock for all its stores in a process, and a record lock against other processes."""

    everybody = threading.RLock()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        with (
            self.everybody,
            open(os.open(self.location / "lock", os.O_RDWR | os.O_CREAT, 0o600), "wb") as file,
        ):
            fcntl.lockf(file, fcntl.LOCK_EX)
            yield


@correct()
class CachesWhatItRead(RightStore):
    """Reads its file again when another one has taken its place, and otherwise remembers it."""

    cached: tuple[Any, Any] | None = None

    def read(self) -> Any:
        try:
            with self.lock:
                status = self.file.stat()
                if self.cached is None or not os.path.samestat(status, os.fstat(self.cached[0].fileno())):
                    # The file stays open, so that no later one can get its number. It is opened before
                    # it is read: should it be replaced meanwhile, the next call sees that.
                    file = self.file.open("rb")
                    self.close()
                    self.cached = (file, super().read())
                return copied(self.cached[1])
        except OSError as error:
            raise refusal("the storage cannot be read", error) from error

    def close(self) -> None:
        if self.cached is not None:
            self.cached[0].close()
            self.cached = None


@correct()
class AppendsToALog(RightStore):
    """Writes each change behind the others, and makes its rows of all of them.

    What a killed process left unfinished at the end is cut off by the next change. A file that was
    cut in the middle looks the same, which CRASH-3, a SHOULD, would have it notice.
    """

    def prepare(self) -> None:
        self.file = self.location / "changes.log"
        self.length = 0
        self.state: Any = {"last": 0, "used": [], "rows": []}
        os.close(os.open(self.file, os.O_WRONLY | os.O_CREAT, 0o600))
        self.read()

    def read(self) -> Any:
        with self.lock:
            try:
                with self.file.open("rb") as file:
                    file.seek(self.length)
                    news = file.read()
            except OSError as error:
                raise refusal("the storage cannot be read", error) from error
            for line in news[: news.rfind(b"\n") + 1].splitlines(keepends=True):
                digest, _, text = line.partition(b" ")
                if digest != b"%08x" % zlib.crc32(text):
                    raise refusal("the storage is damaged")
                self.apply(json.loads(text))
                self.length += len(line)
            return copied(self.state)

    def apply(self, change: Any) -> None:
        self.state["last"] = change["last"]
        self.state["used"] += change["used"]
        places = {row["id"]: place for place, row in enumerate(self.state["rows"])}
        for row in change["rows"]:
            if row["id"] in places:
                self.state["rows"][places[row["id"]]] = row
            else:
                self.state["rows"].append(row)
        self.state["rows"] = [row for row in self.state["rows"] if row["id"] not in change["gone"]]

    def write(self, state: Any) -> None:
        before = {row["id"]: row for row in self.state["rows"]}
        ids = {row["id"] for row in state["rows"]}
        change = {
            "last": state["last"],
            "used": state["used"][len(self.state["used"]) :],
            "rows": [row for row in state["rows"] if row != before.get(row["id"])],
            "gone": [id for id in before if id not in ids],
        }
        text = json.dumps(change).encode() + b"\n"
        try:
            with self.file.open("r+b", buffering=0) as file:
                file.truncate(self.length)
                file.seek(self.length)
                self.write_all(file, b"%08x %s" % (zlib.crc32(text), text))
        except OSError as error:
            raise refusal("the storage cannot be written", error) from error

    def write_all(self, file: Any, content: bytes) -> None:
        try:
            while content:
                content = content[file.write(content) :]
        except OSError:
            file.truncate(self.length)
            raise


@correct()
class KeepsAFileForEachToken(ReadsUnderItsLock):
    """A directory of small files, each named after a row's place and the number of the change.

    A changed row is a new file, so that a kill leaves the old one or both, and then the newer counts.
    """

    def __init__(self, location: Path) -> None:
        self.known: dict[tuple[int, int], Fields] = {}  # a file of one name never has two contents
        super().__init__(location)

    def load(self) -> Any:
        state = super().load()
        newest = dict(sorted(self.files()))
        return {**state, "rows": [self.row(place, change) for place, change in newest.items()]}

    def write(self, state: Any) -> None:
        before = self.files()
        number = state.get("change", 0) + 1
        super().write({**state, "change": number, "rows": []})
        kept = []
        for row in state["rows"]:
            file = row.pop("file", (number, 0))
            if self.known.get(file) != row:
                file = (file[0], number)
                self.write_row(self.path(*file), json.dumps(row).encode())
            kept.append(file)
        for file in set(before) - set(kept):
            self.path(*file).unlink()
            self.known.pop(file, None)

    def files(self) -> list[tuple[int, int]]:
        names = [path.name.split("-") for path in self.location.glob("*-*")]
        return [(int(place), int(change)) for place, change in names]

    def path(self, place: int, change: int) -> Path:
        return self.location / f"{place}-{change}"

    def row(self, place: int, change: int) -> Fields:
        if (place, change) not in self.known:
            try:
                digest, _, text = self.path(place, change).read_bytes().partition(b" ")
            except OSError as error:
                raise refusal("the storage cannot be read", error) from error
            if digest != b"%08x" % zlib.crc32(text):
                raise refusal("the storage is damaged")
            self.known[place, change] = json.loads(text)
        return {**self.known[place, change], "file": (place, change)}

    def write_row(self, path: Path, text: bytes) -> None:
        draft = self.location / "row.draft"
        try:
            self.write_file(draft, b"%08x %s" % (zlib.crc32(text), text))
            draft.replace(path)
        except OSError as error:
            raise refusal("the storage cannot be written", error) from error


@correct()
class KeepsADbm(ReadsUnderItsLock):
    """A new `dbm.dumb` database for each change, and a pointer to the one that counts."""

    def load(self) -> Any:
        try:
            with self.database(super().load()["generation"], "r") as database:
                return {name: json.loads(database[name]) for name in ("last", "used", "rows")}
        except OSError as error:
            raise refusal("the storage cannot be read", error) from error

    def write(self, state: Any) -> None:
        generation = super().load()["generation"] + 1 if self.file.exists() else 0
        try:
            with self.database(generation, "n") as database:
                for name, value in state.items():
                    database[name] = json.dumps(value)
            super().write({"generation": generation})
        except OSError as error:
            shutil.rmtree(self.directory(generation), ignore_errors=True)
            raise refusal("the storage cannot be written", error) from error
        shutil.rmtree(self.directory(generation - 1), ignore_errors=True)

    @contextlib.contextmanager
    def database(self, generation: int, flag: Any) -> Iterator[Any]:
        directory = self.directory(generation)
        if flag == "n":
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(mode=0o700)
        with contextlib.closing(dbm.dumb.open(str(directory / "rows"), flag, 0o600)) as database:
            yield database

    def directory(self, generation: int) -> Path:
        return self.location / f"generation-{generation}"


@correct()
class HasAConnectionForEachThread(RightStore):
    """An SQLite table, and a connection of its own for every thread that comes along."""

    def prepare(self) -> None:
        self.file = self.location / "rows.sqlite"
        self.threads = threading.local()
        os.close(os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600))
        with self.transaction() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS rows (place INTEGER PRIMARY KEY, fields TEXT)")
            connection.execute("CREATE TABLE IF NOT EXISTS ids (last INTEGER, used TEXT)")
            if not connection.execute("SELECT * FROM ids").fetchall():
                connection.execute("INSERT INTO ids VALUES (0, '[]')")

    def connection(self) -> sqlite3.Connection:
        if not hasattr(self.threads, "connection"):
            self.threads.connection = sqlite3.connect(
                f"{self.file.as_uri()}?mode=rw", uri=True, timeout=60, isolation_level=None
            )
        connection: sqlite3.Connection = self.threads.connection
        return connection

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self.connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise refusal("the database fails", error) from error

    def read(self) -> Any:
        with self.transaction() as connection:
            return self.load(connection)

    def load(self, connection: sqlite3.Connection) -> Any:
        ((last, used),) = connection.execute("SELECT last, used FROM ids").fetchall()
        rows = connection.execute("SELECT fields FROM rows ORDER BY place").fetchall()
        return {"last": last, "used": json.loads(used), "rows": [json.loads(fields) for (fields,) in rows]}

    @contextlib.contextmanager
    def changing(self) -> Iterator[Any]:
        with self.transaction() as connection:
            state = self.load(connection)
            yield state
            connection.execute("DELETE FROM rows")
            rows = [(json.dumps(row),) for row in state["rows"]]
            connection.executemany("INSERT INTO rows (fields) VALUES (?)", rows)
            connection.execute(
                "UPDATE ids SET last = ?, used = ?", (state["last"], json.dumps(state["used"]))
            )

    def close(self) -> None:
        self.connection().close()
        del self.threads.connection


@correct(thread_safe=False)
class BelongsToOneThread(HasAConnectionForEachThread):
    """A connection that no other thread may use, and it says so."""

    def prepare(self) -> None:
        super().prepare()
        self.own = super().connection()

    def connection(self) -> sqlite3.Connection:
        return self.own if hasattr(self, "own") else super().connection()


# in memory


@correct(persistent=False)
class KeepsAShelf(InMemory):
    """A `shelve.Shelf` over a dict."""

    def write(self, state: Any) -> None:
        if not hasattr(self, "shelf"):
            self.shelf: Any = shelve.Shelf({})
        self.shelf["state"] = state

    def read(self) -> Any:
        return self.shelf["state"]


@correct(persistent=False)
class SharesMemoryByLocation(InMemory):
    """Transient, yet two stores on one location have the same rows."""

    places: ClassVar[dict[Path, Any]] = {}
    everybody = threading.RLock()

    def prepare(self) -> None:
        self.lock = self.everybody
        with self.lock:
            if self.location not in self.places:
                super().prepare()

    def read(self) -> Any:
        return copied(self.places[self.location])

    def write(self, state: Any) -> None:
        self.places[self.location] = copied(state)


@correct(persistent=False, own_storage=False)
class HasOneStorageForAll(SharesMemoryByLocation):
    """Wherever it is opened, it is the same one table."""

    places: ClassVar[dict[Path, Any]] = {}

    def __init__(self, location: Path) -> None:
        super().__init__(Path("/"))


@correct(persistent=False)
class KeepsWhatItDeletes(InMemory):
    """Deleted rows are marked and stay."""

    def remove(self, state: Any, id: Any) -> None:
        row = self.by_id(state["rows"], id)
        if row is not None:
            row["deleted"] = True

    def clear(self, state: Any) -> None:
        for row in state["rows"]:
            row["deleted"] = True

    def read(self) -> Any:
        state = super().read()
        state["buried"] = state.get("buried", []) + [row for row in state["rows"] if "deleted" in row]
        state["rows"] = [row for row in state["rows"] if "deleted" not in row]
        return state


# served from elsewhere


class Served(TokenStore):  # type: ignore[misc]
    """Passes its calls on to another thread, which has the store."""

    def ask(self, method: str, *arguments: Any) -> Any:
        raise NotImplementedError

    def find_token(self, token: Any) -> Any:
        return self.ask("find_token", token)

    def save_token(self, token: Any) -> None:
        self.ask("save_token", token)

    def delete_token(self, id: Any) -> None:
        self.ask("delete_token", id)

    def get_tokens(self) -> Any:
        return self.ask("get_tokens")

    def delete_tokens(self) -> None:
        self.ask("delete_tokens")

    def find_token_by_id(self, id: Any) -> Any:
        return self.ask("find_token_by_id", id)


@correct()
class IsServedByOneThread(Served):
    """One thread does everything, in the order in which it was asked; a forked process has its own."""

    def __init__(self, location: Path) -> None:
        self.location = location
        self.start()
        self.ask("find_token", None)  # raises where the store could not be opened

    def start(self) -> None:
        self.questions: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.worker = threading.Thread(
            target=self.work, args=(BelongsToOneThread, self.location), daemon=True
        )
        self.worker.start()

    def work(self, factory: Any, location: Path) -> None:
        store, failure = None, None
        try:
            store = factory(location)
        except Exception as error:
            failure = error
        for answer, method, arguments in iter(self.questions.get, None):
            try:
                if failure is not None:
                    raise failure
                answer.set_result(getattr(store, method)(*arguments))
            except Exception as error:
                answer.set_exception(error)
        if store is not None:
            store.close()

    def ask(self, method: str, *arguments: Any) -> Any:
        if not self.worker.is_alive():
            self.start()
        answer: Future[Any] = Future()
        self.questions.put((answer, method, arguments))
        return answer.result()

    def close(self) -> None:
        self.questions.put(None)
        self.worker.join()


@correct(persistent=False)
class IsServedByAnEventLoop(Served):
    """Coroutines inside, in a loop of its own; plain answers outside."""

    def __init__(self, location: Path) -> None:
        self.store = InMemory(location)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def ask(self, method: str, *arguments: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(self.answer(method, arguments), self.loop).result()

    async def answer(self, method: str, arguments: tuple[Any, ...]) -> Any:
        await asyncio.sleep(0)
        return await asyncio.to_thread(getattr(self.store, method), *arguments)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
