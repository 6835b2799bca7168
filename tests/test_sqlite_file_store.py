"""What `SQLiteFileStore` does beyond the contract: taking over, refusing, forking, waiting."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from zoho_reference_stores import SQLiteFileStore
from zoho_tokenstore_contract._spec.tokens import Row, to_row, to_token

CLIENT = {"client_id": "client", "client_secret": "secret"}
ANN = Row(user_name="ann", **CLIENT, refresh_token="ann's refresh", access_token="ann's access")
BOB = Row(user_name="bob", **CLIENT, refresh_token="bob's refresh", access_token="bob's access")

PUBLISHED = (
    "CREATE TABLE oauthtoken (id varchar(10) NOT NULL, user_name varchar(255), client_id varchar(255), "
    "client_secret varchar(255), refresh_token varchar(255), access_token varchar(255), grant_token "
    "varchar(255), expiry_time varchar(20), redirect_url varchar(255), api_domain varchar(255), "
    "primary key (id))"
)
CALLS: dict[str, tuple[Any, ...]] = {
    "find_token": (to_token(ANN),),
    "save_token": (to_token(BOB),),
    "delete_token": ("1",),
    "get_tokens": (),
    "delete_tokens": (),
    "find_token_by_id": ("1",),
}


def save(store: SQLiteFileStore, row: Row) -> str:
    token = to_token(row)
    store.save_token(token)
    return str(token.get_id())


def rows(store: SQLiteFileStore) -> list[Row]:
    return [to_row(token) for token in store.get_tokens()]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def database(path: Path, *statements: str) -> Path:
    """Make an SQLite database."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    return path


def sample(path: Path, *values: tuple[Any, ...]) -> Path:
    """Make a database of the published sample with these rows, in the order of its columns."""
    database(path, PUBLISHED)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for row in values:
            places = ", ".join("?" * 10)
            connection.execute(f"INSERT INTO oauthtoken VALUES ({places})", row)  # noqa: S608
    return path


def refused(path: Path) -> str:
    """Open what must be refused and left alone; returns the message."""
    before = {one.name: one.read_bytes() for one in path.parent.iterdir() if one.is_file()}
    with pytest.raises(SDKException) as caught:
        SQLiteFileStore(path)

    assert caught.value.code == "TOKEN_STORE"
    assert before == {one.name: one.read_bytes() for one in path.parent.iterdir() if one.is_file()}
    return str(caught.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where no file is yet."""
    return tmp_path / "tokens.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteFileStore]:
    """An open store that holds one user."""
    with SQLiteFileStore(path) as opened:
        save(opened, ANN.but(id="1"))
        yield opened


# where the tokens are


def test_a_directory_holds_the_file(tmp_path: Path) -> None:
    """Under the name that the published sample gave it."""
    with SQLiteFileStore(tmp_path) as store:
        save(store, ANN.but(id="1"))
    with SQLiteFileStore(str(tmp_path / "zohooauth.db")) as store:
        assert rows(store) == [ANN.but(id="1")]


@pytest.mark.parametrize("name", ["a b", "50%", "what?", "#1", "%41", "ü", "'quoted'", ":memory:", "file:x"])
def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    """Also one that means something in a URI."""
    with SQLiteFileStore(tmp_path / name) as store:
        save(store, ANN)

    assert [one.name for one in tmp_path.iterdir()] == [name]
    with SQLiteFileStore(tmp_path / name) as store:
        assert len(rows(store)) == 1


def test_the_directory_must_exist(tmp_path: Path) -> None:
    """A store that made directories would start anew after a slip in the path."""
    with pytest.raises(SDKException, match="Cannot open") as caught:
        SQLiteFileStore(tmp_path / "missing" / "tokens.db")

    assert isinstance(caught.value.__cause__, FileNotFoundError)
    assert caught.value.cause is caught.value.__cause__


@pytest.mark.skipif(os.name == "nt", reason="no POSIX modes")
@pytest.mark.parametrize("link", [False, True], ids=["file", "link"])
def test_files_are_closed_to_group_and_others(tmp_path: Path, link: bool) -> None:
    """From the start, whatever the umask, and the two that SQLite keeps beside it as well."""
    path = tmp_path / "real" / "tokens.db"
    path.parent.mkdir()
    if link:
        path = tmp_path / "link.db"
        path.symlink_to(tmp_path / "real" / "tokens.db")
        SQLiteFileStore(tmp_path / "real" / "tokens.db").close()
    before = os.umask(0)
    try:
        with SQLiteFileStore(path) as store:
            save(store, ANN)
            files = {one.name: mode(one) for one in (tmp_path / "real").iterdir()}
    finally:
        os.umask(before)

    assert files == dict.fromkeys(("tokens.db", "tokens.db-wal", "tokens.db-shm"), 0o600)


@pytest.mark.skipif(os.name == "nt", reason="no POSIX modes")
def test_opening_closes_an_open_file(tmp_path: Path) -> None:
    """Files that somebody loosened, or that another store made, also what lies beside a link's target."""
    path, link = tmp_path / "tokens.db", tmp_path / "link" / "tokens.db"
    link.parent.mkdir()
    link.symlink_to(path)
    with SQLiteFileStore(path) as store:
        save(store, ANN)
        for name in ("tokens.db", "tokens.db-wal", "tokens.db-shm"):
            (tmp_path / name).chmod(0o644)
        with SQLiteFileStore(link):
            modes = {mode(one) for one in tmp_path.iterdir() if one.is_file()}

    assert modes == {0o600}


# the published sample's database


def test_the_database_of_the_published_sample_is_taken_over(path: Path) -> None:
    """With its rows, in their order, under their ids; empty texts are absent, any id will do."""
    sample(
        path,
        ("1", "ann", "client", "secret", "r1", "a1", "g1", "1900000000000", "https://a", "https://api"),
        ("7", None, "client", "secret", "r2", "", None, "", None, None),
        ("x'; --", "", "", None, None, "a3", None, None, None, None),
        ("3", "bob", "client", "secret", "r1", "a1", "g1", None, None, None),
    )
    expected = [
        Row("1", "ann", "client", "secret", "r1", "a1", "g1", "1900000000000", "https://a", "https://api"),
        Row("7", None, "client", "secret", "r2"),
        Row("x'; --", None, None, None, None, "a3"),
        Row("3", "bob", "client", "secret", "r1", "a1", "g1"),
    ]
    for _ in range(2):
        with SQLiteFileStore(path) as store:
            assert rows(store) == expected
            assert save(store, Row(user_name="bob", access_token="a1")) == "3"

    with SQLiteFileStore(path) as store:
        store.delete_tokens()
        given = {save(store, Row(access_token=f"new {number}")) for number in range(9)}
    assert len(given - {"1", "7", "3"}) == 9
    assert mode(path) == 0o600


def test_the_empty_database_of_the_published_sample_is_taken_over(path: Path) -> None:
    """It is a table without rows."""
    with SQLiteFileStore(sample(path)) as store:
        assert rows(store) == []
        save(store, ANN)
        assert len(rows(store)) == 1


CONTRADICTIONS: dict[str, list[tuple[str | None, ...]]] = {
    "one user": [("1", "ann", "c", "s", "r1"), ("2", "bob", "c", "s", "r1"), ("3", "ann", "c", "s", "r3")],
    "one access token": [("1", None, None, "", None, "secret a"), ("3", "", None, None, "r", "secret a")],
    "one grant token": [
        ("1", None, "c", "s", "r1", None, "secret g"),
        ("3", "", "c", "s", "r3", None, "secret g"),
    ],
    "one refresh token": [("1", None, "c", "s", "secret r"), ("3", None, "c", "s", "secret r", "a")],
}


@pytest.mark.parametrize("kind", CONTRADICTIONS)
def test_a_sample_whose_rows_contradict_one_another_is_refused(path: Path, kind: str) -> None:
    """It says which rows, and no secret, and leaves the file byte for byte."""
    padded = [(*row, *[None] * (10 - len(row))) for row in CONTRADICTIONS[kind]]
    message = refused(sample(path, *padded))

    assert "'1', '3'" in message
    assert "'2'" not in message
    assert "secret" not in message


@pytest.mark.parametrize("value", [b"secret", 1.5], ids=["bytes", "number"])
def test_a_sample_with_something_else_than_text_is_refused(path: Path, value: Any) -> None:
    """Nothing is converted on the way."""
    statement = PUBLISHED.replace("access_token varchar(255)", "access_token")
    database(path, statement)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO oauthtoken (id, access_token) VALUES ('5', ?)", (value,))

    message = refused(path)
    assert "'5'" in message
    assert "secret" not in message


def test_a_sample_with_text_that_is_no_unicode_is_refused(path: Path) -> None:
    """Without a word of that text, neither in the message nor in the traceback."""
    database(
        path, PUBLISHED, "INSERT INTO oauthtoken (id, access_token) VALUES ('5', CAST(x'736563ff' AS TEXT))"
    )
    with pytest.raises(SDKException) as caught:
        SQLiteFileStore(path)

    assert "sec" not in "".join(traceback.format_exception(caught.value))
    refused(path)


@pytest.mark.parametrize("id", ["", None])
def test_a_sample_with_a_row_without_id_is_refused(path: Path, id: str | None) -> None:
    """No call could address it."""
    database(path, PUBLISHED.replace(" NOT NULL", ""))
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO oauthtoken (id, access_token) VALUES (?, 'a')", (id,))

    assert "id" in refused(path)


# what is no such database


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    """Whatever its length."""
    for length in (2, 20, 99, 100, 511, 512, 5000):
        path.write_bytes(b"some text " * (length // 10) + b"." * (length % 10))
        assert "not a database" in refused(path)


@pytest.mark.parametrize(
    "statements",
    [
        ("CREATE TABLE notes (text)",),
        ("CREATE VIEW notes AS SELECT 1",),
        (PUBLISHED, "CREATE TABLE notes (text)"),
        ("CREATE TABLE oauthtoken (id, user_name)",),
        (PUBLISHED.replace("expiry_time", "expires"),),
        ("PRAGMA user_version = 1",),
        ("PRAGMA application_id = 1",),
        (PUBLISHED, "PRAGMA user_version = 3"),
    ],
    ids=lambda statements: statements[-1][:40],
)
def test_a_database_of_something_else_is_refused(path: Path, statements: tuple[str, ...]) -> None:
    """Another program's tables are nobody's to change."""
    assert "is not a token database" in refused(database(path, *statements))


def test_another_version_of_the_table_is_refused(path: Path) -> None:
    """A newer store may keep there what this one would lose."""
    with SQLiteFileStore(path) as store:
        save(store, ANN)
    database(path, "PRAGMA user_version = 2")
    assert "version 2" in refused(path)

    database(path, "PRAGMA user_version = 1", "ALTER TABLE oauthtoken ADD COLUMN note")
    assert "other columns" in refused(path)


@pytest.mark.parametrize("damage", ["head", "half", "page", "text"])
def test_a_damaged_file_is_refused(path: Path, damage: str) -> None:
    """And left as it is, for whoever can mend it."""
    with SQLiteFileStore(path) as store:
        for number in range(50):
            save(store, Row(user_name=f"user {number}", access_token="a" * 1000))
    content = path.read_bytes()
    path.write_bytes(
        {
            "head": b"\0" * 100 + content[100:],
            "half": content[: len(content) // 2],
            "page": content[:4096],
            "text": b"tokens\n" * 100,
        }[damage]
    )
    refused(path)


def test_a_directory_or_pipe_of_that_name_is_refused(tmp_path: Path) -> None:
    """Opening neither hangs nor makes anything."""
    (tmp_path / "zohooauth.db").mkdir()
    with pytest.raises(SDKException, match="is not a file"):
        SQLiteFileStore(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(SDKException, match="is not a file"):
            SQLiteFileStore(tmp_path / "pipe")


def test_a_log_without_its_database_is_refused(path: Path) -> None:
    """SQLite would delete it, and with it what was saved last."""
    with SQLiteFileStore(path) as store:
        save(store, ANN)
        log = path.with_name("tokens.db-wal").read_bytes()
    path.unlink()
    path.with_name("tokens.db-wal").write_bytes(log)

    assert "is missing" in refused(path)
    path.touch()
    assert "is missing" in refused(path)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no POSIX modes")
@pytest.mark.parametrize("out_of_reach", ["file", "directory"])
def test_a_file_that_may_not_be_written_is_refused(out_of_reach: str) -> None:
    """At opening: a store that cannot save is no use, and the SDK would not say so."""
    script = """
        import os, sys
        from zoho_reference_stores import SQLiteFileStore
        from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
        if os.geteuid() == 0:
            os.setuid(65534)  # modes mean nothing to root
        try:
            SQLiteFileStore(sys.argv[1])
        except SDKException as refusal:
            print(refusal)
    """
    with tempfile.TemporaryDirectory() as place:  # unlike pytest's, in a directory that all may enter
        path = Path(place) / "tokens.db"
        Path(place).chmod(0o755)
        with SQLiteFileStore(path) as store:
            save(store, ANN)
        if os.geteuid() == 0:
            os.chown(path, 65534, 65534)
        before = path.read_bytes()
        if out_of_reach == "file":
            path.chmod(0o400)
        else:
            Path(place).chmod(0o400)
        printed = output_of(script, str(path))
        Path(place).chmod(0o755)

        assert ("readonly" if out_of_reach == "file" else "Permission denied") in printed
        assert path.read_bytes() == before


def output_of(script: str, *arguments: str) -> str:
    """What a fresh interpreter prints that runs this script."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# while the store is open


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize("how", ["deleted", "moved", "replaced", "emptied directory"])
def test_every_call_raises_when_the_file_has_gone(
    store: SQLiteFileStore, path: Path, how: str, method: str
) -> None:
    """Instead of going on with a file that nobody will find again."""
    if how == "deleted":
        path.unlink()
    elif how == "moved":
        path.rename(path.with_name("moved.db"))
    elif how == "replaced":
        other = path.with_name("other.db")
        SQLiteFileStore(other).close()
        other.replace(path)
    else:
        shutil.rmtree(path.parent)

    with pytest.raises(SDKException) as caught:
        getattr(store, method)(*CALLS[method])
    assert caught.value.code == "TOKEN_STORE"


def test_a_save_that_waited_while_the_file_went_away_raises(store: SQLiteFileStore, path: Path) -> None:
    """What is acknowledged is in the file that the next one opens."""
    answers: list[Any] = []

    def wait_and_save() -> None:
        try:
            answers.append(save(store, BOB))
        except SDKException as error:
            answers.append(error)

    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        saver = threading.Thread(target=wait_and_save)
        saver.start()
        time.sleep(0.2)  # it waits for the other one by now; if not, it raises all the sooner
        path.rename(path.with_name("moved.db"))
        other.execute("COMMIT")
        saver.join()

    assert isinstance(answers[0], SDKException)
    path.with_name("moved.db").rename(path)
    assert rows(store) == [ANN.but(id="1")]


def test_a_save_waits_for_another_process(store: SQLiteFileStore, path: Path) -> None:
    """Contention is no error."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        saver = threading.Thread(target=save, args=(store, BOB))
        saver.start()
        saver.join(0.2)
        assert saver.is_alive()
        assert len(rows_of_file(path)) == 1
        other.execute("COMMIT")
        saver.join()

    assert len(rows(store)) == 2


def test_opening_waits_for_another_process(path: Path) -> None:
    """Also where SQLite itself does not: the log cannot be switched on while somebody reads."""
    SQLiteFileStore(path).close()
    database(path, "PRAGMA journal_mode = DELETE")
    opened: list[SQLiteFileStore] = []
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM oauthtoken").fetchall()
        opener = threading.Thread(target=lambda: opened.append(SQLiteFileStore(path)))
        opener.start()
        opener.join(0.2)
        assert opener.is_alive()
        other.execute("COMMIT")
        opener.join()

    opened[0].close()


def rows_of_file(path: Path) -> list[Any]:
    """What another process reads."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT id FROM oauthtoken").fetchall()


@pytest.mark.parametrize("method", CALLS)
def test_a_closed_store_raises(path: Path, method: str) -> None:
    """Every method but `close`, which may be called again."""
    with SQLiteFileStore(path) as store:
        save(store, ANN)
    store.close()

    with pytest.raises(SDKException, match="the store is closed"):
        getattr(store, method)(*CALLS[method])
    assert [one.name for one in path.parent.iterdir()] == ["tokens.db"]


def test_text_that_cannot_be_stored_is_refused_and_found_nowhere(store: SQLiteFileStore) -> None:
    """A lone surrogate, in each field; the text is in no exception."""
    for name in (
        "user_name",
        "client_id",
        "client_secret",
        "refresh_token",
        "access_token",
        "api_domain",
        "id",
    ):
        token = to_token(BOB.but(**{name: "hidden \ud800"}))
        with pytest.raises(SDKException) as caught:
            store.save_token(token)
        assert "hidden" not in "".join(traceback.format_exception(caught.value))
        assert store.find_token(to_token(Row(**{name: "hidden \ud800"}))) is None
    store.delete_token("hidden \ud800")

    assert store.find_token_by_id("1\ud800") is None
    assert rows(store) == [ANN.but(id="1")]


def test_a_thousand_saves_leave_a_small_log(path: Path) -> None:
    """The log is worked into the file now and then, so that it does not grow for ever."""
    with SQLiteFileStore(path) as store:
        for number in range(1000):
            save(store, Row(user_name="ann", access_token=f"{number} " * 500))

        assert path.with_name("tokens.db-wal").stat().st_size < 20_000_000
        assert len(rows(store)) == 1


# processes


def test_processes_that_open_a_new_file_at_once(tmp_path: Path) -> None:
    """Each makes the table or finds it made, and nobody's tokens are lost."""
    script = """
        import sys
        from zoho_reference_stores import SQLiteFileStore
        from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
        name = sys.argv[1]
        print("ready", flush=True)
        for line in sys.stdin:
            # Opened and closed again each time: the last to leave deletes the log.
            for number in range(5):
                with SQLiteFileStore(line.strip()) as store:
                    store.save_token(OAuthToken(access_token=f"{name} {number}"))
            print("saved", flush=True)
    """
    names = ("one", "two", "three", "four")
    children = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    try:
        for round_number in range(10):
            path = tmp_path / f"{round_number}.db"
            assert all(expect(child, "ready" if round_number == 0 else "saved") for child in children)
            for child in children:
                assert child.stdin is not None
                child.stdin.write(f"{path}\n")
                child.stdin.flush()
        for child in children:
            child.communicate(timeout=60)
    finally:
        for child in children:
            child.kill()
            child.wait()

    for round_number in range(10):
        with SQLiteFileStore(tmp_path / f"{round_number}.db") as store:
            saved = rows(store)
        assert {row.access_token for row in saved} == {f"{name} {n}" for name in names for n in range(5)}
        assert len({row.id for row in saved}) == len(saved) == 20


def expect(child: subprocess.Popen[str], line: str) -> bool:
    assert child.stdout is not None
    return child.stdout.readline() == f"{line}\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_shares_the_store(tmp_path: Path) -> None:
    """Parent and child go on with the same object, also when threads were saving at the fork."""
    script = f"""
        import os, sys, threading, warnings
        warnings.simplefilter("ignore")
        from zoho_reference_stores import SQLiteFileStore
        from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
        store = SQLiteFileStore({str(tmp_path / "tokens.db")!r})
        closed = SQLiteFileStore({str(tmp_path / "other.db")!r})
        closed.close()
        def save(name, times):
            for number in range(times):
                store.save_token(OAuthToken(access_token=f"{{name}} {{number}}"))
        threads = [threading.Thread(target=save, args=(f"thread{{n}}", 40)) for n in range(3)]
        for thread in threads:
            thread.start()
        children = []
        for n in range(8):
            child = os.fork()
            if not child:
                status = 1
                try:
                    save(f"child{{n}}", 10)
                    if n % 2:
                        store.close()
                    status = 0
                finally:
                    os._exit(status)
            children.append(child)
            save(f"parent{{n}}", 2)
        for thread in threads:
            thread.join()
        assert all(os.waitpid(child, 0)[1] == 0 for child in children)
        tokens = store.get_tokens()
        print(len(tokens), len({{token.get_id() for token in tokens}}))
        store.close()
    """
    expected = 3 * 40 + 8 * 10 + 8 * 2
    assert output_of(script).split() == [str(expected)] * 2
    with SQLiteFileStore(tmp_path / "tokens.db") as store:
        assert len(rows(store)) == expected
