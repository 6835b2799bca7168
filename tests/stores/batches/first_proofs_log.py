"""Proofs that the stores of `first_log` are wrong: each true of the store and of no correct one."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

from .first_proving import SECRET, folder, full, full_disk, hook, refused, row, rows, token, two


def prove_LogDeadIdsStayDead(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    a = full("a")
    s.save_token(full("b", 2))
    s.save_token(a)
    s.delete_token(a.get_id())
    s.save_token(a)
    return row(s, "a") is None


def prove_LogGluesToTornTail(tmp: Path, cls: Any) -> Any:
    d = folder(tmp)
    s = cls(d)
    s.save_token(full("a"))
    with open(s.file, "ab") as f:
        f.write(b'0badc0de {"op": "pu')
    s = cls(d)
    s.save_token(full("b", 2))
    return row(cls(d), "b") is None


def prove_LogClearForgetsCounter(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    a, b = (full("a"), full("b", 2))
    s.save_token(a)
    s.delete_tokens()
    s.save_token(b)
    return a.get_id() == b.get_id()


def prove_LogOffsetReader(tmp: Path, cls: Any) -> Any:
    s, t = two(cls, tmp)
    [s.save_token(full(u)) for u in "abc"]
    rows(t)
    s.delete_tokens()
    return rows(t) != []


def prove_LogSplitlines(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a", redirect_url="x\u2028y"))
    return refused(s.get_tokens)


def prove_LogFlushesAtClose(tmp: Path, cls: Any) -> Any:
    d = folder(tmp)
    s = cls(d)
    s.save_token(full("a"))
    return row(cls(d), "a") is None


def prove_LogClearByTime(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("z"))
    for _ in range(3):
        s.save_token(full("z"))
        s.delete_tokens()
        s.save_token(full("a"))
        if row(s, "a") is None:
            return True
    return False


def prove_LogPatchesByName(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    t = token(client_id="c", client_secret="s", refresh_token="r")
    s.save_token(t)
    t.set_user_signature(UserSignature("a"))
    s.save_token(t)
    return len(rows(s)) != 1


def prove_LogHalfLineStays(tmp: Path, cls: Any) -> Any:
    return full_disk(tmp, cls)


def prove_LogTellsRotation(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    got: Any = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            got.append(record.getMessage())

    h = Handler()
    lg = logging.getLogger()
    lv = lg.level
    lg.addHandler(h)
    lg.setLevel(1)
    try:
        s.save_token(full("a", refresh_token=SECRET))
        s.save_token(full("a", 2))
    finally:
        lg.removeHandler(h)
        lg.setLevel(lv)
    return any(SECRET in g for g in got)


def prove_LogCompactsOutsideLock(tmp: Path, cls: Any) -> Any:
    s, t = two(cls, tmp)
    a = full("a")
    s.save_token(a)
    hook(s, "_between", lambda: t.save_token(full("b", 2)))
    s.delete_token(a.get_id())
    if "_between" not in s.__dict__:
        return False
    return row(s, "b") is None
