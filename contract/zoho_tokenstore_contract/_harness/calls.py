"""Calls and answers: what was asked of a store, and what came back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._spec.sdk import load
from .._spec.tokens import (
    Row,
    UnreadableToken,
    format_token,
    format_value,
    is_token,
    to_row,
    to_row_as_far_as_it_reads,
)
from .messages import format_answer, format_exception


@dataclass(frozen=True)
class Answer:
    """What came back from one call: a value or an exception, never both."""

    returned: Any = None
    raised: BaseException | None = None

    @property
    def refused(self) -> bool:
        """Whether the call raised the SDK's own exception."""
        return isinstance(self.raised, load().SDKException)

    def __str__(self) -> str:
        if self.raised is not None:
            return f"raised {format_exception(self.raised)}"
        return f"returned {format_answer(self.returned)}"


@dataclass
class TokenCall:
    """A token that a check passed to a store, and what the store answered.

    Attributes:
        token: The very object that was passed.
        sent: Its fields before the call.
        answer: What came back.
        passed_after: Its fields after the call.
        inserted: The row that it has become, where it was a new one.
    """

    token: Any
    sent: Row
    answer: Answer

    @property
    def passed_after(self) -> Row:
        """The fields of the token after the call."""
        return to_row_as_far_as_it_reads(self.token)

    @property
    def inserted(self) -> Row:
        """The row that a new token has become: its fields before the call, and the id that it carries now."""
        return self.sent.but(id=self.passed_after.id)


@dataclass
class CallRecord:
    """One recorded call or event, structured enough to be shown and to be made again.

    Attributes:
        store: Which store of the check it was made on, counted from 1.
        method: The method's name, or ``open`` and ``close``.
        argument: A row for a token, else the value; `...` where the method takes none.
        answer: What came back; ``None`` while the call has not come back.
        id_after: For a token: the id that it carried afterwards, where that is another one.
        passed: For a token: the very object.
        returned: What came back.
        location: Where ``open`` opened the store, or what ``chdir`` changes to.
        note: What is shown instead of the call, where ``{call}`` stands for it; "" to show the call.
        raised: The exception that came back.
        blame: The clause whose known fault explains it; "" where none does.
    """

    store: int
    method: str
    argument: Any = ...
    answer: str | None = None
    id_after: Any = None
    passed: Any = None
    returned: Any = None
    location: Path | None = None
    note: str = ""
    raised: BaseException | None = None
    blame: str = ""

    def __str__(self) -> str:
        if isinstance(self.argument, Row):
            argument = format_token(self.argument)
        else:
            argument = "" if self.argument is ... else format_value(self.argument)
        after = f"; the token's id is now {format_value(self.id_after)}" if self.id_after is not None else ""
        call = f"{self.method}({argument}) -> {self.answer or 'has not come back'}{after}"
        if self.note:
            return self.note.replace("{call}", call)
        return f"store{'' if self.store == 1 else self.store}.{call}"


def rows_of(answer: Answer) -> list[Row] | str:
    """The rows that an answer of ``get_tokens`` shows, or in words why it shows none."""
    if answer.raised is not None or not isinstance(answer.returned, list):
        return f"get_tokens {answer}"
    if not all(is_token(token) for token in answer.returned):
        return f"get_tokens {answer}"
    try:
        return [to_row(token) for token in answer.returned]
    except UnreadableToken as error:
        return f"get_tokens returned tokens whose fields cannot be read: {error}"
