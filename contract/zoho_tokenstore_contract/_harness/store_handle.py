"""An open store in the kit's hands: every call is recorded, every row can be compared."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._spec.clause_results import Violation
from .._spec.junk_answers import tame_field
from .._spec.tokens import (
    CREDENTIALS,
    FIELDS,
    Row,
    UnreadableToken,
    absent,
    field_as_far_as_it_reads,
    is_token,
    to_row,
    to_row_as_far_as_it_reads,
    to_token,
)
from .calls import Answer, CallRecord, TokenCall, rows_of
from .differences import CHANGING
from .messages import format_rows
from .observer import Observer
from .row_comparison import RowComparison, matched_rows
from .store_limits import active, first_with_an_id, way_to_read

if TYPE_CHECKING:
    from .workspace import Workspace


class StoreHandle:
    """An open store on its location, with every call recorded.

    Rows are read with ``get_tokens``. Where that cannot show what was just stored but
    ``find_token_by_id`` can, rows are read by id instead, so that a fault of ``get_tokens`` is
    reported under its own clauses alone.

    Attributes:
        kept: All rows that the store should hold, as `holding` and `expect` saw them last.
        found_empty: This very store was seen to be empty when it was opened.
        proven: Its storage may be written to.
        out_of_reach: The check has put its storage out of reach.
        closed: The check has closed it.
        reads_by_id: Its rows are read by their ids: the list has not shown them.
    """

    def __init__(self, workspace: Workspace, store: Any, location: Path, number: int) -> None:
        self.workspace = workspace
        self.store = store
        self.location = location
        self.number = number
        self.kept: list[Row] = []
        self._now: dict[Row, Row] = {}  # what was arranged or became a new row, and how it reads now
        self._observer: Observer | None = None
        self._after = ""
        self.reads_by_id = not active().lists
        self._ids = workspace.ids(location)
        self.found_empty = False
        self.proven = False
        self.out_of_reach = False
        self.closed = False

    # calls

    def call(self, method: str, *arguments: Any, cwd: Path | None = None) -> Answer:
        """Call a method by name with positional arguments, recorded.

        What the store raises is an answer.

        Args:
            method: The name of the method.
            arguments: What is passed.
            cwd: The current directory meanwhile; by default the location.

        Returns:
            What came back.

        Raises:
            StoreUnavailable: The call would write to a storage that may be somebody's.
        """
        argument: Any = ...
        if arguments:
            token = is_token(arguments[0])
            argument = to_row_as_far_as_it_reads(arguments[0]) if token else arguments[0]
        self.workspace.before_writing(self, method, argument)
        record = CallRecord(self.number, method, argument)
        if isinstance(argument, Row):
            record.passed = arguments[0]
        self.workspace.calls.append(record)
        stored = self.workspace.stored(self.location)
        began = time.monotonic()
        answer = self.workspace.guarded(
            method, lambda: getattr(self.store, method)(*arguments), cwd or self.location
        )
        if answer.raised is None:
            self.workspace.sut.pace.took(method, time.monotonic() - began)
        if isinstance(argument, Row) and answer.raised is None:
            left = field_as_far_as_it_reads(arguments[0], "id")
            if not absent(left):
                stored.add(left)
                self._ids[left] = None  # also one that the token brought: it may be a new row's
                record.id_after = left if left != argument.id else None
        record.answer = str(answer)
        record.returned = answer.returned
        record.raised = answer.raised
        asked = argument if isinstance(argument, Row) else tame_field(argument)
        if answer.raised is not None or method.startswith("delete"):  # which may do nothing and say so
            known = {*stored, *(row.id for row in self.kept)}  # a save may tell nobody the id
            record.blame = active().blame(method, asked, known)
        if answer.raised is None and not record.blame:  # what is known to delete nothing leaves them
            if method == "delete_tokens":
                stored.clear()
            elif method == "delete_token":
                stored.discard(asked)
        return answer

    def try_save(self, row: Row) -> TokenCall:
        """Pass a new token with these fields to ``save_token``; any answer will do."""
        if not self.workspace.stored(self.location):
            [row] = first_with_an_id([row])
        return self.try_save_token(to_token(row))

    def try_save_token(self, token: Any) -> TokenCall:
        """Pass this very token to ``save_token``; any answer will do."""
        sent = to_row_as_far_as_it_reads(token)
        self.remember(sent)
        return TokenCall(token, sent, self.call("save_token", token))

    def save(self, row: Row) -> TokenCall:
        """Save a new token with these fields; raising breaks the clause."""
        return self._stored(self.try_save(row))

    def save_token(self, token: Any) -> TokenCall:
        """Save this very token; raising breaks the clause."""
        return self._stored(self.try_save_token(token))

    def _stored(self, passed: TokenCall) -> TokenCall:
        """A save that worked; raising breaks the clause."""
        if passed.answer.raised is not None:
            self.workspace.fail("save_token stores the token", str(passed.answer))
        return passed

    def find(self, row: Row) -> TokenCall:
        """Pass a new token with these fields to ``find_token``; raising breaks the clause."""
        passed = self.try_find(row)
        if passed.answer.raised is not None:
            self.workspace.fail("find_token returns a token or None", str(passed.answer))
        return passed

    def try_find(self, row: Row) -> TokenCall:
        """Pass a new token with these fields to ``find_token``; any answer will do."""
        token = to_token(row)
        return TokenCall(token, row, self.call("find_token", token))

    def find_quietly(self, row: Row) -> Answer:
        """The same; only the answer."""
        return self.try_find(row).answer

    def found(self, row: Row) -> Row | None:
        """The fields of what ``find_token`` returns for such a token, ``None`` for a miss."""
        if not active().finds(row):  # FIND-1 to FIND-4 tell it
            fields = row.present().items()
            return next((one for one in self.rows() if fields <= one.present().items()), None)
        return self.row_or_none("find_token", self.find(row).answer)

    def found_by_id(self, id: Any) -> Row | None:
        """The fields of what ``find_token_by_id`` returns; raising breaks the clause."""
        answer = self.call("find_token_by_id", id)
        if answer.raised is not None:
            self.workspace.fail("find_token_by_id returns a token or None", str(answer))
        return self.row_or_none("find_token_by_id", answer)

    def listed(self) -> list[Row]:
        """The rows that ``get_tokens`` shows; anything but a list of tokens breaks the clause."""
        rows = rows_of(self.call("get_tokens"))
        if isinstance(rows, str):
            self.workspace.fail("get_tokens returns a list of OAuthToken objects", rows)
        return rows

    def clear(self) -> Answer:
        """Call ``delete_tokens``."""
        return self.call("delete_tokens")

    # rows

    def rows(self) -> list[Row]:
        """Every stored row as it reads now, in no particular order."""
        if self.reads_by_id:
            listed = rows_of(self.quietly("get_tokens"))
            if not isinstance(listed, str):  # what no call was given the id of is found by it as well
                self._ids.update(dict.fromkeys(row.id for row in listed))
            return self._found_by_id(self._ids, [] if isinstance(listed, str) else listed)
        rows = rows_of(self.call("get_tokens"))
        if isinstance(rows, str):
            if not active().lists_nothing:
                return []  # it shows rows, if there are any
            if self.workspace.shows_rows:
                # What worked before no longer does, after what the clause speaks of.
                self.workspace.fail("every row still reads", rows)
            self.workspace.fail("get_tokens shows the rows", rows, precondition_failed=True)
        self.workspace.shows_rows |= bool(rows)
        return rows

    def _found_by_id(self, ids: Iterable[Any], listed: Sequence[Row]) -> list[Row]:
        """The rows with these ids; where another id's row is found [BYID-3], the list says which it is."""
        rows = []
        for id in ids:
            token = self.quietly(*way_to_read(id)).returned
            row = to_row(token) if is_token(token) else None
            if row is not None and row.id != id and not absent(row.id):
                row = next((one for one in listed if one.id == id), None)
            rows += [] if row is None else [row]
        return rows

    def holding(self, *rows: Row) -> list[Row]:
        """Arrange: save these rows as new tokens; returns them as they read, in this order.

        This is the precondition of what follows: each is really there, as one row.
        """
        passed = []
        for row in rows:
            saved = self.try_save(row)
            if saved.answer.raised is not None:
                self.workspace.fail("a new token is stored", str(saved.answer), precondition_failed=True)
            passed.append(saved)
        before = self.kept
        held = self.showing(passed)
        self._now.update(zip(rows, held, strict=True))  # the first of them may have been sent with an id
        self.kept = [*before, *held]
        return held

    def stored(self, row: Row) -> Row:
        """A row that was arranged, or came as a new one, as `expect` saw it last.

        Args:
            row: Its fields as `holding` got them, or as `expect` returned them.

        Raises:
            Violation: There is no such row, or it is gone.
        """
        there = self._now.get(row)
        return there or self.workspace.fail("a row is there", format_rows([row]), precondition_failed=True)

    def observe(self, *rows: Row, after: str) -> None:
        """Look for rows by every way that there is, now and at each `expect` from now on.

        Args:
            rows: Those of `kept` that are looked for; by default all.
            after: What is going to be done, in words, for the message.
        """
        self._observer, self._after = Observer(self, self.kept, rows or None), after

    def showing(self, passed: Sequence[TokenCall]) -> list[Row]:
        """The stored rows of tokens that were just inserted, in their order: all that there are."""
        self.kept = self._shown(passed)
        self._now.update(zip((saved.sent for saved in passed), self.kept, strict=True))
        return list(self.kept)

    def _shown(self, passed: Sequence[TokenCall]) -> list[Row]:
        answer = self.call("get_tokens")
        listing = rows_of(answer)
        if not isinstance(listing, str) and active().lists:
            matched = matched_rows([saved.sent for saved in passed], listing)
            if matched is not None:
                self.workspace.shows_rows |= bool(matched)
                return matched
        # Two tokens with one id are one row.
        ids = dict.fromkeys(field_as_far_as_it_reads(saved.token, "id") for saved in passed)
        found = self._found_by_id(ids, [] if isinstance(listing, str) else listing)
        matched = matched_rows([saved.sent for saved in passed], found)
        if matched is not None:
            self.reads_by_id = True
            return matched
        seen = listing if isinstance(listing, str) else format_rows(listing)
        return self.workspace.fail(
            f"{len(passed)} rows, one for each token that was saved",
            seen,
            precondition_failed=True,
            blame="SAVE-1" if active().apart else "",
        )

    def expect(
        self,
        before: Sequence[Row] | None = None,
        *,
        changed: Iterable[tuple[Row, Row]] = (),
        gone: Iterable[Row] = (),
        new: int = 0,
        fields: Sequence[str] = FIELDS,
        because: str = "",
    ) -> list[Row]:
        """Compare all rows with what they were; anything else breaks the clause.

        Where the store is observed, look for them by every way as well.

        Args:
            before: All rows before the call; by default those that were `kept`.
            changed: Pairs of a row before, and as it should be now.
            gone: Rows that should not be there any more.
            new: How many new rows there should be.
            fields: Which fields of the changed rows count; all fields of the others do.
            because: What the expectation is, in words, for the message.

        Returns:
            The new rows.
        """
        before = list(self.kept if before is None else before)
        changed, gone = list(changed), list(gone)
        rows = [row for row in before if row not in gone]
        # Where they are known, they are looked for before they are listed, which may renew the answers.
        stale = None if changed or new else self._stale(rows)
        comparison = RowComparison(self.workspace, before, self.rows(), changed, gone, new, fields, because)
        added, matches = comparison.made()
        self.workspace.compared += 1
        self._keep([matches.get(row, row) for row in rows], added, matches)
        if changed or new:
            stale = self._stale(self.kept, [*matches.values(), *added])
        if stale is not None:
            raise stale
        return added

    def look(self, rows: Sequence[Row]) -> None:
        """Look for rows by every way, where the store is observed and they were compared without `expect`.

        Args:
            rows: All rows that there are now.
        """
        self.kept = list(rows)
        if (stale := self._stale(rows, rows)) is not None:
            raise stale

    def _keep(self, rows: list[Row], new: list[Row], changed: Mapping[Row, Row]) -> None:
        """Count these rows and the new ones as those that the store holds."""
        self.kept = [*rows, *new]
        now = {sample: changed.get(row, row) for sample, row in self._now.items()}
        self._now = {sample: row for sample, row in now.items() if row in rows}
        self._now.update({row: row for row in new})

    def _stale(self, rows: Sequence[Row], also: Sequence[Row] = ()) -> Violation | None:
        """Where the store is observed: what a way that worked before leads to now, and should not.

        Args:
            rows: The rows that there should be.
            also: Those of them that were not there before.
        """
        if self._observer is None:
            return None
        sent = next(one.argument for one in reversed(self.workspace.calls) if one.method in CHANGING)
        if isinstance(sent, Row):
            also = [*also, sent.but(id=None)]  # refused or not; beside another's id it is FIND-8's
        try:
            self._observer.look(rows, f"after {self._after}", also)
        except Violation as violation:
            return violation
        return None

    def close(self) -> None:
        """Close the store through its author's hook; recorded."""
        self.workspace.close(self)

    def remember(self, row: Row) -> None:
        """Count a row as the kit's own: it is about to be saved."""
        self.workspace.sut.saved.update(marks_of(row))

    def is_ours(self, row: Row) -> bool:
        """Whether a row holds something that the kit has saved."""
        return bool(marks_of(row) & self.workspace.sut.saved)

    def quietly(self, method: str, *arguments: Any) -> Answer:
        """Call a method without a record of it; never raises what the method raises."""
        return self.workspace.guarded(method, lambda: getattr(self.store, method)(*arguments), self.location)

    def row_or_none(self, method: str, answer: Answer) -> Row | None:
        """The fields of a token that a method returned, ``None`` for ``None``; else the clause is broken.

        Args:
            method: The method that was called.
            answer: What came back.

        Returns:
            The row or ``None``.
        """
        if answer.returned is None:
            return None
        if not is_token(answer.returned):
            self.workspace.fail(f"{method} returns an OAuthToken or None", str(answer))
        try:
            return to_row(answer.returned)
        except UnreadableToken as error:
            self.workspace.fail(f"the fields of what {method} returns can be read", str(error))


def marks_of(row: Row) -> set[tuple[str, Any]]:
    """What tells a row from those of others: its credentials and its user name, each with its value."""
    fields = [*CREDENTIALS, "user_name"]
    return {(name, value) for name in fields if not absent(value := getattr(row, name))}
