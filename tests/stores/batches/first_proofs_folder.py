"""Proofs that the stores of `first_folder` are wrong: each true of the store and of no correct one."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from .first_proofs_log import prove_LogPatchesByName
from .first_proving import damaged, folder, full, full_disk, refused, row, rows, strangers, token, two


def prove_DirIdIsPath(tmp: Path, cls: Any) -> Any:
    return strangers(tmp, cls, lambda s, _: s.delete_token("notes.txt"))


def prove_DirSlugNames(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("ann.lee"))
    s.save_token(full("ann_lee", 2))
    return row(s, "ann.lee") is None


def prove_DirGlobDelete(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a"))
    s.delete_token("*")
    return rows(s) == []


def prove_DirHiddenIds(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a", id=".a"))
    return s.find_token_by_id(".a") is None


def prove_DirTmpIsListed(tmp: Path, cls: Any) -> Any:
    return full_disk(tmp, cls)


def prove_DirListsUnlocked(tmp: Path, cls: Any) -> Any:
    s, t = two(cls, tmp)
    a = full("a")
    s.save_token(a)
    s.save_token(full("b", 2))
    o = s._read
    done: Any = []

    def slow(p: Any) -> Any:
        if not done:
            done.append(1)
            th = threading.Thread(target=t.delete_tokens, daemon=True)
            th.start()
            th.join(1)
        return o(p)

    s._read = slow
    return refused(s.get_tokens)


def prove_DirSkipsDamaged(tmp: Path, cls: Any) -> Any:
    return damaged(tmp, cls)


def prove_DirUnlinkThenWrite(tmp: Path, cls: Any) -> Any:
    return full_disk(tmp, cls, second="a")


def prove_DirNameFileStays(tmp: Path, cls: Any) -> Any:
    return prove_LogPatchesByName(tmp, cls)


def prove_DirQuotedUserNames(tmp: Path, cls: Any) -> Any:
    return refused(cls(folder(tmp)).save_token, full("w" * 255))


def prove_DirPrunesStrangers(tmp: Path, cls: Any) -> Any:
    return strangers(tmp, cls, lambda s, a: s.delete_token(a.get_id()))


def prove_DirFoldsFileNames(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(full("a", id="Ab"))
    s.save_token(full("b", 2, id="aB"))
    return s.find_token_by_id("Ab") is None


def prove_ShelfWholeUser(tmp: Path, cls: Any) -> Any:
    s = cls(folder(tmp))
    s.save_token(token(access_token="x"))
    s.save_token(token(access_token="y"))
    return len(rows(s)) == 1
