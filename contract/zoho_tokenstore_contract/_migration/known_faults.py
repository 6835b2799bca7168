"""What the SDK's own stores are known to do to their rows; docs/published-stores.md has the proof."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownFault:
    """A fault of a store of the SDK.

    Attributes:
        store: The name of its class.
        clauses: What it breaks.
        meaning: What it does to tokens.
        traces: The kinds of findings of an audit that it leaves.
        first: The first release of ``zohocrmsdk8-0`` that has it; it is in every later one up to 7.0.0.
    """

    store: str
    clauses: tuple[str, ...]
    meaning: str
    traces: tuple[str, ...]
    first: int = 1


KNOWN_FAULTS = (
    KnownFault(
        "FileStore",
        ("THREAD-2", "THREAD-3", "PROC-1"),
        "threads and processes that save at the same time lose, double or cut rows of one another",
        ("doubled-user", "same-login", "doubled-id", "header", "cut", "unreadable"),
    ),
    KnownFault(
        "FileStore",
        ("CRASH-1", "CRASH-2"),
        "a process that is killed while it saves leaves a part of the file; what stood behind it leaves "
        "no trace",
        ("cut", "unreadable", "unlisted"),
    ),
    KnownFault(
        "FileStore",
        ("SAVE-3",),
        "while a line begins with anything but a number, such as a header line, no new user is saved",
        ("header", "odd-id", "unreadable"),
    ),
    KnownFault(
        "FileStore",
        ("SAVE-14", "SAVE-15"),
        "a login that is saved before its user is known gets a second row",
        ("doubled-user", "same-login"),
    ),
    KnownFault("FileStore", ("SECRET-1",), "the file is made readable for everybody", ("mode",)),
    KnownFault(
        "FileStore",
        ("FIND-5", "FLOW-8"),
        "revoke(id) does not find the row, so that the token stays valid",
        (),
        first=7,
    ),
    KnownFault(
        "DBStore",
        ("SAVE-3", "VALUE-8"),
        "ids are compared as text, in which '9' comes after '10': beyond ten rows no new user is saved",
        ("stuck-id",),
    ),
    KnownFault(
        "DBStore",
        ("THREAD-2", "THREAD-3", "PROC-1"),
        "two saves of one user at the same time leave two rows, or lose one of two users",
        ("doubled-user", "same-login"),
    ),
    KnownFault(
        "DBStore",
        ("SAVE-14", "SAVE-15", "FLOW-4"),
        "a login that is saved before its user is known gets a second row, or is not saved",
        ("doubled-user", "same-login"),
    ),
    KnownFault(
        "DBStore",
        ("FIND-5",),
        "a look-up with nothing but an id answers another row or raises: revoke(id) misses its token",
        (),
    ),
    KnownFault(
        "DBStore",
        ("SAVE-21", "FLOW-7"),
        "after an update the token has no id: remove() deletes nothing, and says that it worked",
        (),
    ),
    KnownFault(
        "DBStore",
        ("VALUE-6", "VALUE-7", "BYID-3"),
        "the server compares texts by its collation: names and tokens that differ in case or accents alone "
        "are one",
        ("not-by-id",),
    ),
    KnownFault(
        "DBStore",
        ("VALUE-3",),
        "values of more than 255 characters are refused, or cut where the server is not strict",
        ("width",),
    ),
)


def known_faults(store: str, release: str) -> list[KnownFault]:
    """The known faults of a store of the SDK.

    Args:
        store: ``FileStore``, ``DBStore``, or "" for any other.
        release: The release of the SDK that is installed.
    """
    number = release.partition(".")[0]
    return [
        fault
        for fault in KNOWN_FAULTS
        if fault.store == store and (not number.isdecimal() or int(number) >= fault.first)
    ]
