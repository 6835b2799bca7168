"""The CSV file of the SDK's ``FileStore``, also one that threads and kills have damaged. It is only read."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from .._spec.sdk import load
from .._spec.tokens import FIELDS, Row
from .readers import (
    CUT,
    HEADER,
    NOT_LISTED,
    UNREADABLE,
    CannotRead,
    Changed,
    SourceRecord,
    found_by_id,
    shifted,
)

_WIDTH = len(FIELDS)  # the columns are the fields of a row, in this order
_REFRESH = FIELDS.index("refresh_token")
_MOST_LINES = 1000  # of one record: a value may hold line breaks


class FileReader:
    """Reads the file line by line, and the rows that `FileStore` finds by id through that store.

    `FileStore` is made without its constructor, which may write to the file. It gives a file of the oldest
    releases a column more; in one that lacks it, no row is asked for through the store.

    Raises:
        OSError: The file cannot be opened.
    """

    store = "FileStore"

    def __init__(self, path: str) -> None:
        self.path: str | None = path
        self._path = Path(path)
        with self._path.open("rb") as file:
            self._state = _state(file)
        cls = load().module("src.com.zoho.api.authenticator.store.file_store").FileStore
        self._store: Any = object.__new__(cls)
        self._store.file_path = path
        self._is_old = False

    def records(self) -> Iterator[SourceRecord]:
        """Every line of the file but the header and empty ones.

        Raises:
            Changed: The file is not as it was when it was opened.
            CannotRead: It does not read.
        """
        try:
            yield from self._records()
        except OSError as error:
            raise CannotRead(f"it does not read any more ({error.strerror})") from error

    def _records(self) -> Iterator[SourceRecord]:
        width = _WIDTH
        with self._path.open("rb") as file:
            self._check(file)
            if os.fstat(file.fileno()).st_size == 0:
                why = "it is empty, without the header that FileStore writes: a save was killed"
                yield SourceRecord("the file", None, UNREADABLE, why)
            for number, line, is_whole in _lines(file):
                place = f"line {number}"
                text = _decoded(line)
                if text is None:
                    yield SourceRecord(place, None, UNREADABLE, "it is no UTF-8 text")
                elif "\0" in text:
                    # A writer went on where another had emptied the file: NULs stand for what is missing.
                    before, *_, after = text.split("\0")
                    yield from _cut(place, _fields(before))
                    yield from _after_nul(place, _fields(after))
                elif number == 1 and _is_header(fields := _fields(text)):
                    width = max(len(fields), _WIDTH - 1)  # the oldest files have no api_domain
                    self._is_old = width < _WIDTH
                else:
                    for record in _read(place, _fields(text), width, is_whole=is_whole):
                        yield _unlisted(record) if number == 1 else record
            self._check(file)

    def _check(self, file: IO[bytes]) -> None:
        if _state(file) != self._state:
            raise Changed

    def by_id(self, id: str) -> Row | None:
        """The row that `FileStore` finds by an id."""
        if self._is_old:
            return next((one.row for one in self.records() if one.row and one.row.id == id), None)
        return found_by_id(self._store.find_token_by_id, id)

    def listing_fails(self) -> str:
        """Why `FileStore` cannot list the rows; "" where it can."""
        try:
            if not self._is_old:
                self._store.get_tokens()
        except Exception as error:
            return type(error.__cause__ or getattr(error, "cause", None) or error).__name__
        return ""

    def close(self) -> None:
        """Nothing: no file stays open."""


def _state(file: IO[bytes]) -> tuple[int, ...]:
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes, bool]]:
    """The lines of a file: number, bytes, and whether a line break ends it.

    A value in quotes may hold line breaks; its lines are one. Where a quote is never closed, it does not
    take the rest of the file with it.
    """
    number = 0
    waiting: list[bytes] = []
    while line := (waiting.pop(0) if waiting else file.readline()):
        number += 1
        joined = [line]
        while b"".join(joined).count(b'"') % 2 and len(joined) < _MOST_LINES:
            if not (further := waiting.pop(0) if waiting else file.readline()):
                break
            joined.append(further)
        if len(joined) > 1 and b"".join(joined).count(b'"') % 2:
            waiting = joined[1:] + waiting
            joined = joined[:1]
        whole = b"".join(joined)
        if whole.strip(b"\r\n"):
            yield number, whole.rstrip(b"\r\n"), whole.endswith(b"\n")
        number += len(joined) - 1


def _decoded(line: bytes) -> str | None:
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _fields(text: str) -> list[str]:
    try:
        return next(csv.reader([text]), [])
    except csv.Error:
        return []


def _is_header(fields: list[str]) -> bool:
    return fields[:2] in (["id", "user_name"], ["id"])


def _read(place: str, fields: list[str], width: int, *, is_whole: bool) -> Iterator[SourceRecord]:
    if _is_header(fields):
        yield SourceRecord(place, None, HEADER, "it is a header line")
    elif len(fields) < width or (not is_whole and len(fields) <= _WIDTH):
        yield from _cut(place, fields)
    elif len(fields) > _WIDTH:
        yield SourceRecord(place, None, UNREADABLE, f"it has {len(fields)} fields instead of {_WIDTH}")
    else:
        row = _row(fields)
        fault, why = _implausible(row)
        yield SourceRecord(place, None if fault else row, fault, why)


def _cut(place: str, fields: list[str]) -> Iterator[SourceRecord]:
    """A line that ends too early. Its last field may be cut as well, so that it is left out."""
    if not any(fields):
        return
    kept = fields[:-1]
    row = _row(kept)
    has_id = row.id is not None and row.id.isdecimal()
    if len(kept) > _REFRESH and has_id and row.refresh_token and not _implausible(row)[0]:
        why = f"it ends after {len(fields)} of {_WIDTH} fields; the last of them is left out"
        yield SourceRecord(place, row, CUT, why)
    else:
        yield SourceRecord(place, None, UNREADABLE, f"it has {len(fields)} of {_WIDTH} fields")


def _after_nul(place: str, fields: list[str]) -> Iterator[SourceRecord]:
    """The end of a line that begins with NULs: a whole row, or the rest of one."""
    if not any(fields):
        return
    row = _row(fields)
    if len(fields) == _WIDTH and not _implausible(row)[0]:
        # What is left of the id may be its last digits alone, the id of another user.
        yield SourceRecord(
            place, row.but(id=None), CUT, "NULs stand before it; its id may be cut and is left out"
        )
    else:
        yield SourceRecord(place, None, UNREADABLE, "NULs stand in place of its beginning")


def _unlisted(record: SourceRecord) -> SourceRecord:
    if record.fault or record.row is None:
        return record
    return SourceRecord(record.place, record.row, NOT_LISTED, "it stands where FileStore expects the header")


def _row(fields: list[str]) -> Row:
    return Row(**{name: value or None for name, value in zip(FIELDS, fields, strict=False)})


def _implausible(row: Row) -> tuple[str, str]:
    """The fault of a row that `FileStore` never wrote so."""
    if row.id is not None and not row.id.isdecimal() and len(row.id) > 10:
        return UNREADABLE, "its id is none, so its fields are shifted"
    if row.api_domain is not None and not row.api_domain.startswith("http"):
        return UNREADABLE, "its API domain is no address, so its fields are shifted"
    return shifted(row)
