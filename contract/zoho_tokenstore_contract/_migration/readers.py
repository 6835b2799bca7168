"""Rows of a store in use, one after the other, and nothing written: from a store or from an SQL table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .._spec.tokens import FIELDS, SECRETS, Row, to_row

CUT, HEADER, NOT_LISTED, UNREADABLE = "cut", "header", "not-listed", "unreadable"
"""The faults that a reader sees. A record whose only fault is `CUT` or `NOT_LISTED` still has a row."""


@dataclass(frozen=True)
class SourceRecord:
    """What stands at one place of a store.

    Attributes:
        place: Where, such as ``line 7``.
        row: The row; ``None`` where nothing usable stands there.
        fault: What is wrong with it; "" for nothing.
        why: The same in words.
    """

    place: str
    row: Row | None
    fault: str = ""
    why: str = ""


def described(record: SourceRecord) -> str:
    """The place of a row, with its id and user. A damaged row may hold a secret in any field."""
    row = record.row
    if row is None or record.fault:
        return record.place
    parts = [f"{name} {shown(value)}" for name, value in (("id", row.id), ("user", row.user_name)) if value]
    if any(value in (row.id, row.user_name) for name in SECRETS if (value := getattr(row, name))):
        parts = []
    return f"{record.place} ({', '.join(parts)})" if parts else record.place


def shown(text: str) -> str:
    """An id or a user name for the output; hidden where it looks like a token or is too long."""
    if len(text) > 80 or text.startswith("1000.") or text.count(".") > 8:
        return f"of {len(text)} characters"
    return repr(text)


class CannotRead(Exception):
    """The store as a whole does not read; the text says why, without a secret."""


class Changed(CannotRead):
    """Somebody wrote to the store while it was read."""

    def __init__(self) -> None:
        super().__init__("somebody wrote to it while it was read; run the command again")


class Reader(Protocol):
    """What `audit` and `move` read a store through.

    Attributes:
        store: The name of the SDK's own store, where it is one of these: ``FileStore`` or ``DBStore``.
        path: The file that it keeps its rows in, where it is known.
    """

    store: str
    path: str | None

    def records(self) -> Iterator[SourceRecord]:
        """Every place of the store in its order, each time from the beginning.

        Raises:
            CannotRead: It does not read, or has `Changed` since the first time, where that can be seen.
        """

    def by_id(self, id: str) -> Row | None:
        """The row that the store finds by an id; ``None`` also where it raises."""

    def listing_fails(self) -> str:
        """Why the store itself cannot list its rows; "" where it can."""

    def close(self) -> None:
        """End it."""


class StoreReader:
    """Reads a store through `get_tokens` and `find_token_by_id` alone."""

    def __init__(self, store: Any, close: Callable[[], None] = lambda: None) -> None:
        self._get_tokens = store.get_tokens
        self._find_token_by_id = store.find_token_by_id
        self._close = close
        cls = type(store)
        is_of_sdk = cls.__module__.startswith("zohocrmsdk.") and cls.__name__ in ("FileStore", "DBStore")
        self.store = cls.__name__ if is_of_sdk else ""
        self.path = str(store.file_path) if self.store == "FileStore" else None

    def records(self) -> Iterator[SourceRecord]:
        """Every token of the store, in the order in which it lists them.

        Raises:
            CannotRead: The store cannot list them.
        """
        try:
            tokens = list(self._get_tokens())
        except Exception as error:
            raise CannotRead(f"get_tokens raises {type(error).__name__}") from error
        for number, token in enumerate(tokens, 1):
            yield _record(f"row {number}", token)

    def by_id(self, id: str) -> Row | None:
        """What `find_token_by_id` answers."""
        return found_by_id(self._find_token_by_id, id)

    def listing_fails(self) -> str:
        """Nothing: `records` says so itself."""
        return ""

    def close(self) -> None:
        """Close the store, where it can be closed."""
        self._close()


def found_by_id(find_token_by_id: Callable[[str], Any], id: str) -> Row | None:
    """The row that a store answers; ``None`` where it raises, as the SDK's own stores do on a miss.

    Args:
        find_token_by_id: The method of the store.
        id: The id.

    Returns:
        The row.
    """
    try:
        found = find_token_by_id(id)
        return None if found is None else to_row(found)
    except Exception:
        return None


def _record(place: str, token: Any) -> SourceRecord:
    try:
        row = to_row(token)
    except Exception as error:
        return SourceRecord(place, None, UNREADABLE, f"its token does not read: {type(error).__name__}")
    if row.id == "id" and row.client_secret == "client_secret":
        return SourceRecord(place, None, HEADER, "it is a header line")
    return SourceRecord(place, row, *shifted(row))


def shifted(row: Row) -> tuple[str, str]:
    """The fault of a row whose expiry is no number: its fields are not where they belong."""
    expiry = row.expires_in
    if expiry in (None, "") or isinstance(expiry, int) or (isinstance(expiry, str) and expiry.isdecimal()):
        return "", ""
    return UNREADABLE, "its expiry is no number, so its fields are shifted or damaged"


Select = Callable[[str, Sequence[str]], "tuple[Sequence[str], Iterator[Sequence[Any]]]"]
"""Runs ``select * from the table`` with a condition: the columns, and the rows one after the other."""


class TableReader:
    """Reads an SQL table with the columns of the SDK's ``DBStore``, or of a reference store."""

    def __init__(
        self, select: Select, close: Callable[[], None], *, path: str | None = None, server: str = ""
    ) -> None:
        self._select = select
        self._close = close
        self.path = path
        columns = self._columns()
        self.store = "DBStore" if server == "mysql" and columns and "number" not in columns else ""

    def records(self) -> Iterator[SourceRecord]:
        """Every row of the table, in the order in which the server answers them."""
        columns, rows = self._select("", ())
        for number, values in enumerate(rows, 1):
            row = _row(columns, values)
            yield SourceRecord(f"row {number}", row, *shifted(row))

    def by_id(self, id: str) -> Row | None:
        """The row whose id the server takes for equal; of several, the first."""
        columns, rows = self._select("id", (id,))
        found = [_row(columns, values) for values in rows]
        return found[0] if found else None

    def listing_fails(self) -> str:
        """Nothing: the table is read without the store."""
        return ""

    def close(self) -> None:
        """Close the connection."""
        self._close()

    def _columns(self) -> set[str]:
        columns, rows = self._select("id", ("",))
        list(rows)  # to the end, which closes the connection
        if columns and (missing := {"id", "user_name", "refresh_token", "access_token"} - set(columns)):
            raise CannotRead(f"the table has no column {', '.join(sorted(missing))}")
        return set(columns)


def _row(columns: Sequence[str], values: Sequence[Any]) -> Row:
    fields = dict(zip(columns, values, strict=True))
    fields.setdefault("expires_in", fields.get("expiry_time"))  # as the SDK's table calls it
    return Row(**{name: _text(fields.get(name)) for name in FIELDS})


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return bytes(value).decode(errors="replace") if isinstance(value, bytes | bytearray) else str(value)
