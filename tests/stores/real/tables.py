"""What is true of stores like those in real use: by clause, why a store breaks it.

A table is made by reading the store's code; the kit has no say in it. Every clause that applies and is not
in it is kept, also where what breaks it is what another clause speaks of: one cause is one entry.
"""

from __future__ import annotations

from collections.abc import Mapping

from zoho_tokenstore_contract._spec.clauses import CLAUSES

Table = Mapping[str, str]
"""A clause that a store breaks, and why; or one that cannot be asked, and the clause in the way."""

# The SDK's samples

_BY_HAND = {
    "SAVE-10": "client id and secret are not compared",
    "BYID-2": "an unknown id raises",
    "BYID-5": "tokens are made without the constructor",
    "DEL-5": "the greatest stored id plus one may have been a deleted row's",
    "VALUE-10": "an empty text is taken for a value",
    "MODEL-1": "already for two rows, as BYID-2 and FIND-5 say",
    "CRASH-6": "whatever is raised in a call comes out as SDKException",
    "FLOW-8": "revoke(id) looks for a token with nothing but an id, which is not found",
    "FLOW-10": "nothing keeps threads from renewing the same token",
}
"""What all stores break that were written after the SDK's own."""

_SQL = {
    **_BY_HAND,
    "SAVE-3": "int() of a stored id that is no number raises in each later insert",
    "SAVE-14": "an update by user name finds no row, and inserts under an id that is taken",
    "SAVE-15": "a user name that is not stored is inserted, whatever else is",
    "SAVE-20": "there is nothing to set and no condition: the statement is not SQL",
    "SAVE-21": "an update does not read the row's id",
    "FIND-5": "without a key the statement has no condition",
    "FIND-6": "an id that is not stored finds the first row, or raises",
    "FIND-7": "an empty user name finds the first row, or raises",
    "VALUE-8": "the greatest id as text is 9, so that 10 is given twice",
    "VALUE-9": "a lone surrogate raises UnicodeEncodeError where the driver's errors alone are caught",
    "FLOW-7": "remove() deletes by an id that is None after an update",
    "FLOW-9": "the renewed token with its user is inserted under the id that it has",
}
_PASTED = {
    "BYID-3": "a quote ends the text: ' or '1'='1",
    "DEL-1": "an id that is no number is read as the name of a column",
    "DEL-2": "an id like 1-0 is computed",
    "DEL-3": "the name of a column is each row's own value",
    "VALUE-1": "a quote in a text ends it",
    "SECRET-2": "the driver's message quotes the rest of the statement",
}
SQLITE_SAMPLE = {
    **_SQL,
    **_PASTED,
    "CLEAR-1": "it uses an attribute that does not exist",
    "PERSIST-1": "where no row is stored the table is made again",
    "PERSIST-4": "the path is relative",
    "CRASH-3": "opening a damaged file raises sqlite3.DatabaseError",
    "SECRET-1": "sqlite3 makes the file with the mode that the umask leaves",
}
MEMORY_SAMPLE = {
    **_SQL,
    **_PASTED,
    "THREAD-1": "the connection works in the thread that made it alone",
    "FLOW-6": "a thread cannot switch to its user",
}
ONE_THREAD = dict.fromkeys(("THREAD-2", "THREAD-3", "THREAD-4", "THREAD-5"), "THREAD-1")

_PLAIN = {
    **_BY_HAND,
    "SAVE-3": "int() of a stored id that is no number raises in each later insert",
    "SAVE-4": "a token with an id is matched by it alone: a stale one becomes a second row",
    "SAVE-9": "the first row counts that has the grant token or the refresh token",
    "SAVE-11": "a token with an id updates the row that has it, whosever it is",
    "SAVE-14": "a name that has a row already has two then",
    "SAVE-15": "a token with a user is matched by its name alone",
    "FIND-5": "an id is not looked for",
    "THREAD-2": "threads read, change and write without a lock",
    "THREAD-3": "two threads that find no row insert one each",
    "THREAD-5": "no order of the calls explains two rows of one user",
}
LIST_SAMPLE = {
    **_PLAIN,
    "SAVE-2": "the first row is left out when the greatest id is looked for: the second gets its id",
    "VALUE-8": "two users have one id",
    "FLOW-6": "the second user's id is that of the first, whose token is sent",
}
CSV_FILE = {
    **_PLAIN,
    "DEL-3": "the header line is a row whose id is id",
    "VALUE-1": "line breaks are translated when the file is read",
    "VALUE-9": "a text that cannot be encoded leaves the file cut",
    "PERSIST-5": "the file is written in the preferred encoding",
    "THREAD-4": "the file is empty while it is written",
    "PROC-1": "processes read, change and write without a lock",
    "CRASH-1": "the file is cut first, and written then",
    "CRASH-2": "the file is cut first, and written then",
    "CRASH-3": "a damaged file raises UnicodeDecodeError, or is read as far as it goes",
    "SECRET-1": "the file has the mode that the umask leaves",
    "SECRET-2": "UnicodeDecodeError has the file's content in its args",
    "FLOW-6": "threads that save different users lose rows",
}

# The SDK's own stores

FILE_STORE = {
    **CSV_FILE,
}

_DB_STORE = {
    **_BY_HAND,
    **{id: _SQL[id] for id in ("SAVE-3", "SAVE-14", "SAVE-15", "SAVE-20", "SAVE-21", "VALUE-8")},
    "SAVE-12": "the server counts changed rows: an update that changes none is followed by an insert",
    "FIND-5": "without a key the statement has no condition",
    "BYID-3": "the collation takes no account of case, accents and trailing space",
    "DEL-3": "the same",
    "VALUE-3": "columns have 255 characters",
    "VALUE-6": "the collation again",
    "VALUE-7": "the collation again",
    "THREAD-2": "of two first saves, each keeps the other from inserting: the server ends one",
    "THREAD-3": "the same",
    "THREAD-5": "no order of the calls explains that one of two saves fails",
    "PROC-1": "the same between processes",
    "SECRET-2": "UnicodeEncodeError has the whole text, and is the cause of the cause",
    "FLOW-4": "an id with a space at its end finds the row of the id without",
    "FLOW-6": "the first save of one of two users fails, and the SDK swallows that",
    "FLOW-7": "remove() deletes by an id that is None after an update",
    "FLOW-9": "the renewed token with its user is inserted under the id that it has",
}
_PASTED_IN = {id: _PASTED[id] for id in ("DEL-1", "DEL-2", "VALUE-1")}
_FINDS_SOME_ROW = {
    "FIND-6": "an id that is not stored finds the first row",
    "FIND-7": "an empty user name finds the first row",
}
_RAISES = dict.fromkeys(("FIND-6", "FIND-7"), "a parameter for a statement without a condition is an error")
_RETURNS_NONE = {
    **dict.fromkeys(("FIND-1", "FIND-2", "FIND-3", "FIND-4"), "what was found is not returned"),
    "FLOW-5": "a stored token is not found, and saved again",
}
NO_HIT = dict.fromkeys(("FIND-9", "FIND-10", "FIND-11", "FIND-13"), "FIND-1")
"""What no hit can show, where `find_token` returns none."""

# By the first release with this text.
DB_STORE = {
    "1.0.0": {**_DB_STORE, **_PASTED_IN, **_FINDS_SOME_ROW},
    "4.0.0": {
        **_DB_STORE,
        **_PASTED_IN,
        **_RETURNS_NONE,
        "FIND-12": "the token is filled in from the first row where nothing matches",
    },
    "5.0.0": {
        **_DB_STORE,
        **_RAISES,
        **_RETURNS_NONE,
        "VALUE-1": "what an update sets is still part of the statement: a quote ends it",
    },
    "7.0.0": {**_DB_STORE, **_RAISES},
}
DB_STORE_DIFFERS = {"FLOW-6": "kept: the threads' first saves are made beside rows, which one of them locks"}
PASTED_DIFFERS = {
    **DB_STORE_DIFFERS,
    "VALUE-9": "broken: an id with a NUL is deleted, which SQL reads as the number before it",
    **dict.fromkeys(("PERSIST-1", "PERSIST-2"), "not reached: an id that is no number is deleted"),
}
"""The same where `delete_token` pastes an id into SQL."""
NO_TOKEN_DIFFERS = {
    **PASTED_DIFFERS,
    **dict.fromkeys(
        ("FIND-6", "FIND-7", "PERSIST-1", "PERSIST-2", "THREAD-1", "THREAD-4", "CRASH-6", "SECRET-2"),
        "not reached: find_token is asked whether a row is there",
    ),
}
"""The same where `find_token` returns no token."""


def of_shipped(store: str, release: str) -> tuple[Table, Table]:
    """The table of one of the SDK's own stores.

    Args:
        store: ``FileStore`` or ``DBStore``.
        release: The SDK's release, as ``7.0.0``.

    Returns:
        What it breaks, and what cannot be asked of it.
    """
    if store == "FileStore":
        return FILE_STORE, {}
    major = int(release.partition(".")[0])
    first = max(one for one in DB_STORE if one <= release)  # one digit each
    return DB_STORE[first], NO_HIT if 4 <= major <= 6 else {}


def outcome_in(clause: str, broken: Table, beyond: Table) -> str:
    """What a table says of a clause that applies, in the words of a report."""
    return "not-reached" if clause in beyond else "broken" if clause in broken else "kept"


# Third-party shapes

LOOK = {
    "SAVE-14": "a token with a user is matched by its name alone: a second row",
    "SAVE-15": "the same",
    "VALUE-10": "a client id that is an empty text hinders the look for the access token",
    "MODEL-1": "two rows where the name is learned later",
    "THREAD-3": "two threads that find no row insert one each",
    "THREAD-5": "no order of the calls explains two rows of one user",
    "PROC-1": "two processes that find no row insert one each",
    "CRASH-3": "a damaged file raises sqlite3.DatabaseError",
    "SECRET-1": "sqlite3 makes the file with the mode that the umask leaves",
    "FLOW-9": "the renewed token with its user is a second row",
    "FLOW-10": "nothing keeps threads from renewing the same token",
}
LOOK_RAISES = {
    **LOOK,
    "SECRET-2": "the cause of an exception, UnicodeEncodeError, has the whole text",
}
ERRORS = {
    **LOOK,
    "VALUE-9": "a lone surrogate is not stored, and nobody is told",
    "CRASH-2": "a save that finds no room seems to have worked",
    "CRASH-4": "what is out of reach seems to be empty",
    "CRASH-6": "whatever is raised in a statement is swallowed",
}
FIRST_ROW = {
    **LOOK_RAISES,
    "FIND-6": "a look-up that matches nothing finds the first row",
    "FIND-7": "so does one without a key",
    "FIND-8": "so does one by the name of a user who is not stored",
    "BYID-2": "so does one by an unknown id",
    "FLOW-1": "the first row's token is used, and the code never exchanged",
    "FLOW-4": "an unknown id sends the first row's token",
    "FLOW-5": "an access token that is not stored finds the first row, and is not saved",
    "FLOW-6": "a user who signs in gets the first row's token",
    "FLOW-8": "revoke of an unknown id sends the first row's refresh token",
}
NO_MISS = {"FIND-12": "FIND-6"}
NO_IDS = {
    **LOOK_RAISES,
    "SAVE-2": "the passed token gets no id",
    "DEL-1": "what has no id cannot be deleted by it",
    "FLOW-7": "remove() deletes nothing",
}
WITHOUT_IDS = dict.fromkeys(
    ("FIND-5", "BYID-1", "BYID-3", "BYID-4", "DEL-4", "DEL-5", "FLOW-4", "FLOW-8"), "SAVE-2"
)
ONE_SLOT = {
    **{id: why for id, why in LOOK_RAISES.items() if id not in ("SAVE-14", "SAVE-15", "FLOW-9")},
    "SAVE-1": "a second token replaces the first",
    "SAVE-5": "a user's token updates the row of another user",
    "SAVE-11": "the same under another user's id",
    "SAVE-16": "a token without a credential updates the row of whoever is there",
    "FIND-6": "whatever is looked for, the one row is found",
    "FIND-7": "the same without a key",
    "FIND-8": "the same by the name of a user who is not stored",
    "VALUE-8": "a thousand users are one row",
    "FLOW-1": "a new code finds the one row, whose token is used, and is never exchanged",
    "FLOW-5": "an access token finds the one row, and is not saved",
    "FLOW-6": "all users share a token",
    "FLOW-8": "revoke of an unknown id sends the one row's refresh token",
}
# THREAD-2 is kept: two users are one row without threads, too, and threads lose nothing more.
ONE_ROW = {"SAVE-9": "SAVE-1", **NO_MISS}
ONE_SLOT_DIFFERS = {"FLOW-10": "not reached: the application starts as another user than the one renewed"}
PRIVATE_NAMES = {
    "SAVE-1": "no field of the token is stored",
    "SAVE-16": "nor is a token without a credential known by that",
    "MODEL-1": "no row has what was saved",
    "SECRET-1": LOOK["SECRET-1"],
}
_ASKED_OF_BARE_ROWS = ("IFACE-1", "IFACE-2", "LIST-2", "CLEAR-2", *PRIVATE_NAMES)
BARE_ROWS = {id: "SAVE-1" for id in CLAUSES if id not in _ASKED_OF_BARE_ROWS}
PRIVATE_NAMES_DIFFERS = {
    "SAVE-16": "not reached: whole rows are saved first",
}
