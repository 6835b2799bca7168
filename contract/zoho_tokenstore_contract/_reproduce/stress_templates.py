"""Programs for what no short sequence of calls shows: threads, processes, kills, files, many rows.

Each uses ``open_store``, ``close_store`` and ``where`` as `_script` writes them, and ends in an assertion.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass


@dataclass(frozen=True)
class ScriptTemplate:
    """One program.

    Attributes:
        code: Its lines.
        chance: Why it may have to run more than once; such a program is not tried before it is shown.
    """

    code: str
    chance: str = ""


_programs: dict[str, list[ScriptTemplate]] = {}


def texts_of(clause: str) -> tuple[ScriptTemplate, ...]:
    """The programs for a clause, the plainest first."""
    return tuple(_programs.get(clause, ()))


def reason_no_script(clause: str) -> str:
    """Why nothing short shows that a clause is broken, in one sentence; "" where something may."""
    if clause.startswith("FLOW-"):
        return "it takes a Zoho that answers: the SDK makes the calls, against the kit's server on loopback"
    return ""


def _shows(*clauses: str, code: str, chance: str = "") -> None:
    for clause in clauses:
        _programs.setdefault(clause, []).append(ScriptTemplate(textwrap.dedent(code).strip() + "\n", chance))


_THREADS = "Threads meet by chance: it tries many rounds, and may have to run again."
_KILLS = "A kill has to hit the right moment: it tries many, and may have to run again."
_ROWS = "Needs POSIX (fork, signals, limits)."

_shows(
    "IFACE-1",
    code="""
    store = open_store()
    assert isinstance(store, TokenStore), type(store).__mro__
    """,
)
_shows(
    "ISO-1",
    code="""
    one, other = open_store(), open_store("location 2")
    for number in range(3):
        user = UserSignature(f"user{number}")
        for store in (one, other):
            store.save_token(OAuthToken(user_signature=user, access_token=f"a{number}"))
    for store in (one, other):
        seen = len(store.get_tokens())
        assert seen == 3, seen
    """,
)
_shows(
    "IFACE-2",
    code="""
    import asyncio

    store = open_store()


    async def main():
        ann = UserSignature("ann")
        token = OAuthToken(user_signature=ann, access_token="a")
        seen = [store.save_token(token), store.find_token(OAuthToken(user_signature=ann))]
        seen += [store.find_token_by_id(token.get_id()), store.get_tokens()]
        seen += [store.delete_token(token.get_id()), store.delete_tokens()]
        assert not any(hasattr(one, "__await__") for one in seen), seen
        assert isinstance(seen[1], OAuthToken), seen
        assert len(seen[3]) == 1, seen


    try:
        asyncio.run(main())
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(f"in a running event loop: {error!r}") from error
    """,
)
_shows(
    "SAVE-19",
    code="""
    class Lookalike:
        def __init__(self, token):
            self.token = token

        def __getattr__(self, name):
            return getattr(self.token, name)


    store = open_store()
    token = OAuthToken(user_signature=UserSignature("ann"), access_token="a")
    for thing in (None, "text", 42, {"id": "1"}, object(), [], OAuthToken, [token], Lookalike(token)):
        with suppress(SDKException):
            store.save_token(thing)
    seen = len(store.get_tokens())
    assert seen == 0, seen
    """,
)
_shows(
    "SAVE-19",
    code="""
    store = open_store()
    token = OAuthToken(user_signature=UserSignature("ann"), access_token="a")
    for thing in (None, "text", 42, {"user_name": "ann"}, object(), [], OAuthToken, [token]):
        try:
            store.save_token(thing)
        except SDKException:
            pass
        except Exception as error:
            raise AssertionError(f"save_token({thing!r}) raised {error!r}") from error
    """,
)
for _number in (11, 12, 101, 120, 257, 513, 1000):
    _shows(
        "VALUE-8",
        "LIST-1",
        code=f"""
        store = open_store()
        for number in range({_number}):
            user = UserSignature(f"user{{number}}")
            try:
                store.save_token(OAuthToken(user_signature=user, access_token=f"a{{number}}"))
            except Exception as error:
                raise AssertionError(f"saving user{{number}} raised {{error!r}}") from error
        tokens = store.get_tokens()
        assert len(tokens) == {_number}, len(tokens)
        assert len({{token.get_id() for token in tokens}}) == {_number}, "two of them have one id"
        """,
    )
_shows(
    "THREAD-1",
    code="""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as maker:
        made = maker.submit(open_store, "location 2").result()
    for store in (open_store(), made):
        ann = UserSignature("ann")
        token = OAuthToken(user_signature=ann, access_token="a")
        try:
            store.save_token(token)
            with ThreadPoolExecutor(1) as other:
                found = other.submit(store.find_token, OAuthToken(user_signature=ann)).result()
                assert found is not None, "find_token finds nothing in another thread"
                found = other.submit(store.find_token_by_id, token.get_id()).result()
                assert found is not None, "find_token_by_id finds nothing in another thread"
                seen = len(other.submit(store.get_tokens).result())
                assert seen == 1, seen
                other.submit(store.delete_token, token.get_id()).result()
                other.submit(store.save_token, OAuthToken(user_signature=ann, access_token="b")).result()
                seen = [token.get_access_token() for token in store.get_tokens()]
                assert seen == ["b"], seen
                other.submit(store.delete_tokens).result()
        except AssertionError:
            raise
        except Exception as error:
            raise AssertionError(f"in another thread: {error!r}") from error
        seen = len(store.get_tokens())
        assert seen == 0, seen
    """,
)
_ROUNDS = """
import threading
import time
from concurrent.futures import ThreadPoolExecutor



def let_others(frame, event, arg):
    time.sleep(0)  # at every line, another thread may go on
    return let_others


threading.settrace(let_others)


def at_once(*calls):
    barrier = threading.Barrier(len(calls))

    def run(call):
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        futures = [threads.submit(run, call) for call in calls]
    errors = [error for future in futures if (error := future.exception())]
    assert errors == [], errors
    return [future.result() for future in futures]


def token(user, number):
    made = OAuthToken(user_signature=UserSignature(user))
    made.set_refresh_token(f"{number} refresh")
    made.set_access_token(f"{number} access")
    return made


def is_whole(token):
    return token.get_refresh_token().split()[0] == token.get_access_token().split()[0]


store = open_store()
"""
_shows(
    "THREAD-2",
    chance=_THREADS,
    code=_ROUNDS
    + """
for _ in range(100):
    store.delete_tokens()
    at_once(*(lambda n=n: store.save_token(token(f"user{n}", n)) for n in range(8)))
    seen = store.get_tokens()
    assert len(seen) == 8, len(seen)
    assert len({one.get_id() for one in seen}) == 8, [one.get_id() for one in seen]
""",
)
_shows(
    "THREAD-3",
    chance=_THREADS,
    code=_ROUNDS
    + """
for round in range(100):
    if round % 2:
        store.delete_tokens()
    at_once(*(lambda n=n: store.save_token(token("ann", n)) for n in range(8)))
    seen = [(one.get_refresh_token(), one.get_access_token()) for one in store.get_tokens()]
    assert len(seen) == 1, seen
    assert is_whole(store.get_tokens()[0]), seen
""",
)
_shows(
    "THREAD-4",
    chance=_THREADS,
    code=_ROUNDS
    + """
store.save_token(token("ann", 0))
store.save_token(token("bob", 0))


def write(round):
    for number in range(20):
        store.save_token(token("ann", 20 * round + number))


def read():
    for _ in range(20):
        listed = store.get_tokens()
        assert len(listed) == 2, len(listed)
        found = store.find_token(OAuthToken(user_signature=UserSignature("ann")))
        assert found is not None, "ann is stored, and was not found"
        for one in (*listed, found):
            assert is_whole(one), (one.get_refresh_token(), one.get_access_token())


for round in range(100):
    at_once(lambda: write(round), read, read)
""",
)
_shows(
    "THREAD-5",
    chance=_THREADS,
    code=_ROUNDS
    + """
ann = UserSignature("ann")
for round in range(100):
    store.delete_tokens()
    at_once(*(lambda n=n: store.save_token(token(f"user{n % 6}", n)) for n in range(12)))
    seen = len(store.get_tokens())
    assert seen == 6, seen
    # All of them are there, or none.
    [_, seen] = at_once(store.delete_tokens, lambda: [len(store.get_tokens()) for _ in range(9)])
    assert set(seen) <= {0, 6}, seen
    # Each of two updates of one row stays, for they are of different fields.
    store.save_token(token("ann", 0))
    at_once(
        lambda: store.save_token(OAuthToken(user_signature=ann, access_token="new access")),
        lambda: store.save_token(OAuthToken(user_signature=ann, refresh_token="new refresh")),
    )
    [one] = store.get_tokens()
    seen = one.get_refresh_token(), one.get_access_token()
    assert seen == ("new refresh", "new access"), seen
""",
)
_shows(
    "PROC-1",
    chance=f"Processes meet by chance: it tries many rounds, and may have to run again. {_ROWS}",
    code="""
    import multiprocessing

    context = multiprocessing.get_context("fork")


    def save(barrier, round, number):
        store = open_store()
        barrier.wait()
        for user in ("shared", f"user{number}"):
            signature = UserSignature(f"{user} of round {round}")
            store.save_token(OAuthToken(user_signature=signature, access_token=f"{number} access"))


    for round in range(100):
        barrier = context.Barrier(4)
        children = [context.Process(target=save, args=(barrier, round, number)) for number in range(4)]
        for child in children:
            child.start()
        for child in children:
            child.join()
        assert [child.exitcode for child in children] == [0] * 4, "a save raised"
        tokens = open_store().get_tokens()
        seen = [one for one in tokens if one.get_user_signature().get_name().endswith(f" {round}")]
        assert len(seen) == 5, len(seen)
        assert len({one.get_id() for one in tokens}) == len(tokens), "two tokens have one id"
    """,
)
_shows(
    "CRASH-1",
    chance=f"{_KILLS} {_ROWS}",
    code="""
    import multiprocessing
    import time

    context = multiprocessing.get_context("fork")
    ann = UserSignature("ann")


    def save(acknowledged, first):
        store = open_store()
        for number in range(first, first + 10_000):
            store.save_token(OAuthToken(user_signature=ann, access_token=str(number)))
            acknowledged.value = number


    store = open_store()
    store.save_token(OAuthToken(user_signature=ann, access_token="0"))
    store.save_token(OAuthToken(user_signature=UserSignature("bob"), access_token="of bob"))
    close_store(store)
    acknowledged = context.Value("q", 0)
    for kill in range(300):
        first = acknowledged.value + 1
        child = context.Process(target=save, args=(acknowledged, first))
        child.start()
        while acknowledged.value < first and child.is_alive():
            time.sleep(0.0001)
        time.sleep(kill % 30 / 10_000)
        child.kill()
        child.join()
        try:
            store = open_store()
            seen = {one.get_user_signature().get_name(): one.get_access_token() for one in store.get_tokens()}
        except Exception as error:
            raise AssertionError(f"after {kill + 1} kills it does not open: {error!r}") from error
        assert seen.get("bob") == "of bob", seen
        last = acknowledged.value
        assert int(seen.get("ann", -1)) in (last, last + 1), (seen, last)
        close_store(store)
    """,
)
_shows(
    "CRASH-2",
    chance=_ROWS,
    code="""
    import resource
    import signal

    store = open_store()
    for number in range(20):
        user = UserSignature(f"user{number}")
        store.save_token(OAuthToken(user_signature=user, access_token=f"{number} " + "a" * 400))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit fails, as on a full disk
    size = max(path.stat().st_size for path in where().rglob("*") if path.is_file())
    seen = []
    for limit in (size // 2, size, size + 100):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        raised = False
        try:
            for number in range(20, 60):
                user = UserSignature(f"user{number}")
                store.save_token(OAuthToken(user_signature=user, access_token=f"{number} " + "a" * 400))
        except Exception:
            raised = True
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        try:
            again = {one.get_user_signature().get_name() for one in open_store().get_tokens()}
        except Exception as error:
            raise AssertionError(f"its storage reads no more: {error!r}") from error
        lost = {f"user{number}" for number in range(20 if raised else 60)} - again
        assert not lost, f"save_token {'raised' if raised else 'came back'}, and lost are {sorted(lost)}"
    """,
)
_shows(
    "CRASH-3",
    code="""
    def overwritten(content):
        return b"\\x00\\xff" * 32 + content[64:]


    def halved(content):
        return content[: len(content) // 2]


    def replaced(content):
        return b"Remember the milk.\\n" * 20


    for damage in (overwritten, halved, replaced):
        place = damage.__name__
        store = open_store(place)
        for number in range(40):
            user = UserSignature(f"user{number}")
            store.save_token(OAuthToken(user_signature=user, access_token=f"{number} " + "a" * 400))
        close_store(store)
        files = [path for path in where(place).rglob("*") if path.is_file() and not path.is_symlink()]
        files = [path for path in files if not path.name.endswith(("-wal", "-shm", "-journal"))]
        file = max(files, key=lambda path: path.stat().st_size)
        damaged = damage(file.read_bytes())
        file.write_bytes(damaged)
        try:
            store = open_store(place)
            seen = len(store.get_tokens())
        except SDKException:
            assert file.exists() and file.read_bytes() == damaged, f"{place}: the file is not left as it is"
            continue
        except Exception as error:
            raise AssertionError(f"{place}: it is not SDKException: {error!r}") from error
        assert seen == 40, f"{place}: {seen} of 40 rows"
    """,
)
_shows(
    "CRASH-4",
    code="""
    methods = ("find_token", "find_token_by_id", "get_tokens", "save_token", "delete_token", "delete_tokens")
    for method in methods:
        store = open_store(method)
        token = OAuthToken(user_signature=UserSignature("ann"), access_token="a")
        store.save_token(token)
        question = OAuthToken(user_signature=UserSignature("ann"), access_token="b")
        arguments = {"find_token": [question], "save_token": [question]}.get(method)
        if arguments is None:
            arguments = [] if method.endswith("s") else [token.get_id()]
        break_storage(store, where(method))
        try:
            seen = getattr(store, method)(*arguments)
        except Exception:
            continue
        raise AssertionError(f"{method} returned {seen!r}, though the storage is out of reach")
    """,
)
_shows(
    "SECRET-1",
    code="""
    before = os.umask(0o022)
    store = open_store()
    token = OAuthToken(user_signature=UserSignature("ann"), access_token="a")
    store.save_token(token)
    store.save_token(OAuthToken(user_signature=UserSignature("bob"), access_token="b"))
    store.delete_token(token.get_id())
    os.umask(before)
    seen = {
        path.name: oct(path.stat().st_mode & 0o777)
        for path in where().rglob("*")
        if path.is_file() and path.stat().st_size and path.stat().st_mode & 0o066 and path.parent == where()
    }
    assert seen == {}, seen
    """,
)
_shows(
    "SECRET-2",
    code="""
    import io
    import logging
    import traceback
    import warnings
    from contextlib import redirect_stderr, redirect_stdout

    printed = io.StringIO()
    handler, root = logging.StreamHandler(printed), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(1)
    with redirect_stdout(printed), redirect_stderr(printed), warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_: printed.write(f"{message}")
        store = open_store()
        ann, bob, cleo, dan, eve = map(UserSignature, ("ann", "bob", "cleo", "dan", "eve"))
        first = OAuthToken("ID", "hidden-0", user_signature=ann, access_token="hidden-1")
        store.save_token(first)
        printed.write(f"{store!r} {store}")
        long = OAuthToken("ID", "hidden-2" * 1000, user_signature=bob, refresh_token="hidden-3")
        taken = OAuthToken("ID", "hidden-4", id=first.get_id(), user_signature=cleo, access_token="hidden-5")
        nobody = OAuthToken("ID", "hidden-9", id=first.get_id(), refresh_token="hidden-A")
        none = OAuthToken("ID", "hidden-6", user_signature=dan)
        odd = OAuthToken("ID", "hidden-7", user_signature=eve, access_token="hidden-8 \\0 \\ud800")
        for token in (long, taken, nobody, none, odd, first):
            try:
                store.save_token(token)
            except Exception as error:
                printed.write("".join(traceback.format_exception(type(error), error, error.__traceback__)))
                printed.write(f"{error.args} {vars(error)}")
    root.removeHandler(handler)
    root.setLevel(level)
    seen = printed.getvalue()
    # The traceback quotes lines of this script, none of which has a secret in it.
    assert "hidden-" not in seen, [line for line in seen.splitlines() if "hidden-" in line]
    """,
)
