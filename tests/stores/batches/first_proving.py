"""What the proofs of the first batch share."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

from .first_designs import row_of

_n = [0]
SECRET = "TOP" + "SECRET"
CS = dict(client_id="c", client_secret="s")


class TimeLimit(BaseException):
    """Raised in the middle of a call, as a signal handler would."""


def token(user: Any = None, **k: Any) -> Any:
    t = OAuthToken(id=k.pop("id", None), access_token="x")
    t.set_access_token(None)
    if user is not None:
        t.set_user_signature(UserSignature(user))
    for f, v in k.items():
        getattr(t, "set_" + f)(v)
    return t


def full(user: Any, n: Any = 1, **k: Any) -> Any:
    d = dict(
        client_id="c",
        client_secret="s",
        refresh_token=f"r{n}",
        access_token=f"a{n}",
        grant_token=f"g{n}",
        expires_in=str(1700000000000 + n),
        redirect_url=f"http://u{n}",
        api_domain=f"http://d{n}",
    )
    d.update(k)
    return token(user, **d)


def rows(s: Any) -> Any:
    return sorted((row_of(t) for t in s.get_tokens()), key=lambda r: r["id"])


def folder(tmp: Path, name: Any = None) -> Any:
    _n[0] += 1
    d = Path(tmp) / f"p{os.getpid()}-{_n[0]}"
    d.mkdir()
    if name:
        d = d / name
        d.mkdir()
    return d


def refused(f: Any, *a: Any) -> Any:
    try:
        f(*a)
    except SDKException:
        return True
    return False


def row(s: Any, user: Any) -> Any:
    t = token(user)
    r = s.find_token(t)
    return None if r is None else row_of(r)


def at_once(*fs: Any, timeout: float = 20) -> Any:
    errs: Any = []

    def run(f: Any) -> None:
        try:
            f()
        except BaseException as e:
            errs.append(e)

    ts = [threading.Thread(target=run, args=(f,), daemon=True) for f in fs]
    for t in ts:
        t.start()
    end = time.time() + timeout
    for t in ts:
        t.join(max(0, end - time.time()))
    return (errs, any(t.is_alive() for t in ts))


def hook(s: Any, name: Any, f: Any) -> Any:
    """Sets the pause that a racy store calls between two steps; None where the store has none."""
    if not hasattr(type(s), name):
        return False
    setattr(s, name, f)
    return True


def limited(cls: Any, tmp: Path, fn: Any, size: Any) -> Any:
    """fn(store) in a child whose files may not grow beyond size; True where saving raised."""
    d = folder(tmp)
    s = cls(d)
    fn(s, 0)
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        try:
            fn(s, 1)
        except Exception:
            os._exit(7)
        os._exit(0)
    return (os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7, d, s)


def py(code: Any, d: Any, cls: Any, **env: Any) -> Any:
    """Runs code in a new process, with the store as C and its location as d; true where it fails."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                f"from {cls.__module__} import {cls.__name__} as C\n"
                f"from {__name__} import row\nd = {str(d)!r}\n{code}"
            ),
        ],
        env=dict(os.environ, PYTHONPATH=str(Path(__file__).parents[3]), **env),
        capture_output=True,
        check=False,
    )
    return done.returncode != 0


def two(cls: Any, tmp: Path) -> Any:
    d = folder(tmp)
    return (cls(d), cls(d))


def full_disk(tmp: Path, cls: Any, size: Any = 6000, second: Any = "b") -> Any:

    def fn(s: Any, step: Any) -> None:
        if step == 0:
            s.save_token(full("a", 1, redirect_url="x" * 3000))
        else:
            s.save_token(full(second, 2, redirect_url="y" * 20000))

    raised, d, _ = limited(cls, tmp, fn, size)
    try:
        return not raised or row(cls(d), "a") is None or row(cls(d), "a")["redirect_url"] != "x" * 3000
    except SDKException:
        return True


def damaged(tmp: Path, cls: Any) -> Any:
    d = folder(tmp)
    s = cls(d)
    s.save_token(full("a"))
    s.save_token(full("b", 2))
    s.close()
    fs = [p for p in d.iterdir() if p.is_file()]
    p = max(fs, key=lambda p: p.stat().st_size)
    p.write_bytes(b"hello\n")
    try:
        return row(cls(d), "a") is None or row(cls(d), "b") is None
    except SDKException:
        return p.read_bytes() != b"hello\n"


def modes(tmp: Path, cls: Any) -> Any:
    d = folder(tmp)
    old = os.umask(0o022)
    try:
        s = cls(d)
        for u in "abc":
            s.save_token(full(u))
    finally:
        os.umask(old)
    return any(p.stat().st_mode & 0o077 for p in d.iterdir() if p.stat().st_size)


def strangers(tmp: Path, cls: Any, act: Any) -> Any:
    d = folder(tmp)
    s = cls(d)
    (d / "notes.txt").write_text("mine")
    a = full("a")
    s.save_token(a)
    act(s, a)
    return not (d / "notes.txt").exists()


def interrupt(s: Any, token: Any) -> Any:
    """Raises an exception inside a save, as a signal handler would."""

    def tr(frame: Any, ev: Any, arg: Any) -> Any:
        if frame.f_code.co_name in ("merge", "_insert", "_check_insert") and ev == "call":
            sys.settrace(None)
            raise TimeLimit
        return tr

    sys.settrace(tr)
    try:
        s.save_token(token)
    except TimeLimit:
        return True
    finally:
        sys.settrace(None)
    return False


def after_interrupt(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a", 1))
    if not interrupt(s, full("b", 2)) and (not interrupt(s, full("a", 2))):
        return None
    errs, hung = at_once(lambda: s.save_token(full("c", 3)), timeout=15)
    return bool(errs) or hung


def other(tmp: Path, cls: Any, f: Any, x: Any, y: Any) -> Any:
    s = cls(folder(tmp))
    k = dict(client_id="c", client_secret="s") if f != "access_token" else {}
    s.save_token(token(**{f: x}, **k))
    return s.find_token(token(**{f: y}, **k)) is not None
