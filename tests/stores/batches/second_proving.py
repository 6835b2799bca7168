"""What the proofs of the second batch share."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

from . import second_designs as core
from .second_designs import FIELDS


def T(user: Any = None, **k: Any) -> Any:
    e = k.pop("expires_in", None)
    t = OAuthToken(user_signature=UserSignature(user) if user is not None else None, **k)
    if e is not None:
        t.set_expires_in(e)
    return t


C = {"client_id": "c", "client_secret": "s"}
OLD = "1600000000000"


def full(user: Any, n: Any = "", **more: Any) -> Any:
    values = dict(
        C,
        refresh_token="r" + str(n or user),
        access_token="a" + str(n or user),
        redirect_url="u",
        api_domain="d",
    )
    values.update(more)
    return T(user, **values)


def save(store: Any, token: Any) -> Any:
    store.save_token(token)
    return token


def row(token: Any) -> Any:
    name = token.get_user_signature()
    found = {field: getattr(token, "get_" + field)() for field in FIELDS if field != "user_name"}
    found["user_name"] = name.get_name() if isinstance(name, UserSignature) else name
    return found


def rows(store: Any) -> Any:
    return [row(token) for token in store.get_tokens()]


def names(store: Any) -> Any:
    return sorted(str(r["user_name"]) for r in rows(store))


def error(call: Any, *args: Any) -> Any:
    try:
        call(*args)
    except BaseException as problem:
        return problem
    return None


def in_thread(call: Any) -> Any:
    box = []

    def run() -> None:
        try:
            box.append((True, call()))
        except BaseException as problem:
            box.append((False, problem))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    good, answer = box[0]
    if not good:
        raise answer
    return answer


def in_child(call: Any) -> Any:
    """What call answers (yes or no) in a forked process; None if it was killed."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        code = 3
        try:
            code = 1 if call() else 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return None
    code = os.WEXITSTATUS(status)
    assert code in (0, 1), code
    return code == 1


def executed(cls: Any, where: Path, code: Any, **env: Any) -> Any:
    """Exit code 0: no, 1: yes."""
    script = (
        f"from pathlib import Path\nfrom {__name__} import *\nfrom {cls.__module__} import {cls.__name__}\n"
        f"s = {cls.__name__}(Path({str(where)!r}))\n{code}"
    )
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-c", script], env=dict(os.environ, PYTHONPATH=root, **env), cwd="/", check=False
    )
    return done.returncode


def once(call: Any) -> Any:
    """A `pause` that calls once; .done() says whether, and calls if not."""
    state: Any = []

    def pause(*_: Any) -> None:
        if not state:
            state.append(1)
            call()

    pause.done = pause  # type: ignore[attr-defined]
    return pause


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_while(store: Any, token: Any) -> None:
    """A forked child saves, and is killed in the middle."""

    def run() -> None:
        store.pause = die
        put = core.SqlView.put

        def put_and_die(view: Any, row: Any) -> None:
            put(view, row)
            die()

        core.SqlView.put = put_and_die  # type: ignore[assignment, method-assign]
        os.replace = die
        store.save_token(token)

    assert in_child(run) is None


class Soft(Exception):
    pass


@contextlib.contextmanager
def alarm() -> Iterator[Any]:
    def stop(*_: Any) -> None:
        raise Soft

    before = signal.signal(signal.SIGALRM, stop)
    try:
        yield lambda *_: signal.raise_signal(signal.SIGALRM)
    finally:
        signal.signal(signal.SIGALRM, before)


def limited(size: Any) -> None:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
