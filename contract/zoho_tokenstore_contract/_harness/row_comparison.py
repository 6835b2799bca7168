"""All rows of a store before and after an act: what changed, went and came, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from .._spec.tokens import Row, absent, format_row
from .differences import of_rows
from .messages import describe_difference, format_rows
from .store_limits import active

if TYPE_CHECKING:
    from .workspace import Workspace


@dataclass(frozen=True)
class RowComparison:
    """Rows before and after an act, and what the act should have done; see `StoreHandle.expect`.

    Attributes:
        workspace: Where the check is made.
        before: All rows before the act.
        after: All rows after it.
        changed: Pairs of a row before, and as it should be now.
        gone: Rows that should not be there any more.
        new: How many new rows there should be.
        fields: Which fields of the changed rows count; all fields of the others do.
        because: What the expectation is, in words, for the message.
    """

    workspace: Workspace
    before: Sequence[Row]
    after: Sequence[Row]
    changed: Sequence[tuple[Row, Row]]
    gone: Sequence[Row]
    new: int
    fields: Sequence[str]
    because: str

    def made(self) -> tuple[list[Row], dict[Row, Row]]:
        """Compare the rows.

        Returns:
            The new rows, and what each row that should have changed is now.

        Raises:
            Violation: Anything else has changed, or not all of it.
        """
        rest = list(self.after)
        kept = Counter(self.before)
        kept.subtract([*self.gone, *(old for old, _ in self.changed)])
        frame = list((+kept).elements())
        for row in frame:
            if row not in rest:
                now = next((other for other in rest if other.id == row.id), None)
                seen = "gone" if now is None else f"now {format_row(now)}"
                self._fail(
                    self.because or "every row that the call does not address stays as it was",
                    f"{format_row(row)} is {seen}; all rows: {format_rows(self.after)}",
                )
            rest.remove(row)
        matches = {old: self._taken(wanted, rest) for old, wanted in self.changed}
        if len(rest) != self.new:
            wanted_rows = len(frame) + len(self.changed) + self.new
            news = f", {self.new} of them new" if self.new else ", none new"
            self._fail(self.because or f"{wanted_rows} rows{news}", format_rows(self.after))
        return rest, matches

    def _taken(self, wanted: Row, rest: list[Row]) -> Row:
        """The row that a changed one has become, taken out of the rest."""
        want = wanted.plain().only(*self.fields)
        match = next((row for row in rest if row.plain().only(*self.fields) == want), None)
        if match is None:
            self._fail(
                f"{self.because + ': ' if self.because else ''}a row with {format_row(want)}",
                describe_difference(want, rest, self.fields),
            )
        rest.remove(match)
        return match

    def _fail(self, expected: str, seen: str) -> NoReturn:
        difference = of_rows(
            self.workspace.calls,
            self.before,
            self.after,
            changed=self.changed,
            gone=self.gone,
            new=self.new,
            fields=self.fields,
        )
        blame = "SAVE-1" if self.new and self._loses_new_rows() else ""
        self.workspace.fail(expected, seen, blame=blame, difference=difference)

    def _loses_new_rows(self) -> bool:
        """Whether rows are missing that the store is known not to hold beside others.

        A new row has taken the place of another; or no row without a user shows at all.
        """
        saved = [call.argument for call in self.workspace.calls if call.method == "save_token"][-1:]
        wanted = len(self.before) - len(self.gone) + self.new
        if not active().apart or len(self.after) >= wanted:
            return False
        replaced = any(row not in self.after and row not in self.gone for row in self.before)
        hidden = all(isinstance(row, Row) and absent(row.user_name) for row in saved) and not any(
            absent(row.user_name) for row in self.after
        )
        return hidden or (replaced and any(map(active().merges, saved)))


def matched_rows(wanted: Sequence[Row], listing: Sequence[Row]) -> list[Row] | None:
    """The listed row of each wanted one: that with most fields in common, at least half.

    Args:
        wanted: The rows as they were saved.
        listing: The rows as they are listed.

    Returns:
        The listed rows in the order of the wanted ones; ``None`` where one is missing.
    """
    rest = list(listing)
    matched = []
    for row in wanted:
        present = {name: value for name, value in row.present().items() if name != "id"}
        best, score = None, 0
        for other in rest:
            common = sum(getattr(other, name) == value for name, value in present.items())
            if common > score:
                best, score = other, common
            if score == len(present):
                break  # none has more
        if best is None or score * 2 < len(present):
            return None
        rest.remove(best)
        matched.append(best)
    return matched
