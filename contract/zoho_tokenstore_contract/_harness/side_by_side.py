"""A store, side by side with the reference model: the same calls, the same answers, the same rows."""

from __future__ import annotations

from typing import Any

from .._spec.model import Call, State, decided, expectation, observe, state_of, successors
from .._spec.tokens import Row, format_token, to_token
from .messages import format_rows
from .workspace import Workspace


class SideBySide:
    """A store, and what the model says of the same calls."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.store = workspace.open()
        self.state: State = ()

    def do(self, operation: Call) -> None:
        """Make a call, if the contract decides what it should answer, and compare answer and rows."""
        if not decided(self.state, operation):
            return
        argument = operation.argument
        passed: Any = to_token(argument) if isinstance(argument, Row) else argument
        if operation.method == "delete_tokens":
            answer = self.store.clear()
        elif operation.method == "save_token":
            answer = self.store.try_save_token(passed).answer
        else:
            answer = self.store.call(operation.method, passed)
        reply = observe(answer.returned, answer.raised, passed, str(answer))
        states = successors(self.state, operation, reply)
        if not states:
            seen = str(answer)
            if reply.passed_after is not None:
                seen += f"; the passed token is now {format_token(reply.passed_after)}"
            self.workspace.fail(f"{operation} {expectation(self.state, operation)}", seen)
        if operation.method == "find_token_by_id":
            return  # what it has changed is seen after the next call
        self.compare(states, f"after {operation}, which {expectation(self.state, operation)}")

    def compare(self, states: tuple[State, ...], because: str) -> None:
        """Compare the rows; what they are is the model's state from now on.

        Args:
            states: The states in which the model may be.
            because: Why, in words, for the message.
        """
        seen = state_of(self.store.rows())
        if seen not in states:
            self.workspace.fail(f"{because}: {format_rows(states[0])}", format_rows(seen))
        self.state = seen

    def reopen(self) -> None:
        """Close the store and open it again."""
        self.store = self.workspace.reopen(self.store)
        self.compare((self.state,), "opening the store again loses nothing")
