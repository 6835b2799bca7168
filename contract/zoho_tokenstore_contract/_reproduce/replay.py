"""Playing a program on a store, and what is observed."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._harness.calls import Answer
from .._harness.messages import format_exception
from .._harness.store_handle import StoreHandle
from .._harness.store_under_test import StoreUnderTest
from .._harness.workspace import Effort, Workspace
from .._spec.clause_results import NotApplicable, StoreUnavailable, Violation
from .._spec.model import Call, Observation, State, decided, state_of
from .._spec.sdk import load
from .._spec.tokens import FIELDS, Row, UnreadableToken, absent, is_token, overwrite_fields, to_row, to_token
from .program import METHODS, OVERWRITTEN, IdOfStep, Program, ProgramStep


@dataclass(frozen=True)
class StepObservation(Observation):
    """What came of one step, with what a script can say beside the observation of a call.

    Attributes:
        lacks: The attributes that the SDK's constructor makes and a returned token has not, or not as a bool.
        awaitable: A coroutine came back.
        bare_name: The user of a returned token is no `UserSignature`.
        rows: All rows afterwards, where somebody looked.
    """

    lacks: tuple[str, ...] = ()
    awaitable: bool = False
    bare_name: bool = False
    rows: tuple[Row, ...] = ()


@dataclass
class _Player:
    workspace: Workspace
    stores: dict[int, StoreHandle] = field(default_factory=dict)
    locations: dict[int, Path] = field(default_factory=dict)
    tokens: dict[int, Any] = field(default_factory=dict)
    returned: dict[int, Any] = field(default_factory=dict)
    home: tuple[Path, Path] = (Path(), Path())

    def step(self, step: ProgramStep) -> StepObservation:
        if step.method == "open":
            return self.open(step)
        opened = self.stores[step.store]
        if step.method == "close":
            answer = self.workspace.guarded(
                "close", lambda: self.workspace.sut.close(opened.store), opened.location
            )
            self.workspace.abandon(opened)
            return _observed(answer, None)
        if step.method == "chdir":
            return self.chdir(step, opened)
        if step.same is not None and step.method not in METHODS:
            self.change(step)
            return StepObservation("returned")
        token = None
        if isinstance(step.argument, Row):
            token = self.tokens[step.key] = self.token(step)
            answer = (
                opened.try_save_token(token).answer
                if step.method == "save_token"
                else opened.call(step.method, token)
            )
        elif step.method == "delete_tokens":
            answer = opened.clear()
        else:
            arguments = () if step.argument is ... else (self.resolved(step.argument),)
            answer = opened.call(step.method, *arguments)
        self.returned[step.key] = answer.returned
        return _observed(answer, token)

    def open(self, step: ProgramStep) -> StepObservation:
        if step.location not in self.locations:
            opened = self.workspace.open()
            self.locations[step.location] = opened.location
            self.stores[step.key] = opened
            return StepObservation("returned")
        answer, again = self.workspace.try_open(self.locations[step.location])
        if again is None:
            return _observed(Answer(raised=answer.raised), None)
        self.stores[step.key] = again
        return StepObservation("returned")

    def chdir(self, step: ProgramStep, opened: StoreHandle) -> StepObservation:
        if step.location:
            self.home = Path.cwd(), opened.location
            opened.location = self.workspace.location()
            os.chdir(opened.location)
        else:
            directory, opened.location = self.home
            os.chdir(directory)
        return StepObservation("returned")

    def change(self, step: ProgramStep) -> None:
        assert step.same is not None
        thing: Any = self.tokens.get(step.same) if step.place == "passed" else self.returned.get(step.same)
        if isinstance(step.place, int):
            thing = thing[step.place] if isinstance(thing, list) and step.place < len(thing) else None
        with contextlib.suppress(Exception):
            if step.method == "overwrite_fields":
                overwrite_fields(thing, Row(**dict.fromkeys(FIELDS, OVERWRITTEN)))
            elif step.method == "append":
                thing.append(load().OAuthToken(access_token=OVERWRITTEN))
            elif step.method == "pop":
                thing.pop(0)
            else:
                thing.clear()

    def token(self, step: ProgramStep) -> Any:
        row = step.argument.but(id=self.resolved(step.argument.id))
        if step.same is None:
            return to_token(row)
        token = self.tokens.get(step.same) if step.place == "passed" else self.returned.get(step.same)
        if not isinstance(token, load().OAuthToken):
            return to_token(row)
        fresh = to_token(row)
        for name in (*(name for name in FIELDS if name not in ("id", "user_name")), "user_signature"):
            getattr(token, f"set_{name}")(getattr(fresh, f"get_{name}")())
        return token

    def resolved(self, value: Any) -> Any:
        if not isinstance(value, IdOfStep):
            return value
        id = self.tokens[value.step].get_id() if value.step in self.tokens else None
        if value.before or value.after:
            return f"{value.before}{id}{value.after}"
        return id


def play(program: Program, sut: StoreUnderTest, *, looking: bool = False) -> dict[int, StepObservation]:
    """Make the calls of a program on a new, empty location.

    Args:
        program: The calls.
        sut: The store.
        looking: Look at all rows after each call.

    Returns:
        What came of each step; those after one that could not be made are missing.
    """
    seen: dict[int, StepObservation] = {}
    with (
        contextlib.suppress(Violation, NotApplicable, StoreUnavailable, KeyError),
        Workspace(dataclasses.replace(sut, hangs=[]), Effort()) as workspace,
    ):
        player = _Player(workspace)
        for step in program:
            one = player.step(step)
            if looking and step.store in player.stores and step.method in METHODS:
                one = dataclasses.replace(one, rows=tuple(player.stores[step.store].rows()))
            seen[step.key] = one
            workspace.calls.clear()
    return seen


def left_open(program: Program, right: dict[int, StepObservation]) -> set[int]:
    """Keys of the steps whose outcome no MUST clause decides, given a correct store's rows.

    Args:
        program: The steps.
        right: What came of each step on a correct store.
    """
    found: set[int] = set()
    states: dict[int, State] = {}
    locations = {step.key: step.location for step in program if step.method == "open"}
    for step in program:
        if step.method not in METHODS or step.key not in right:
            continue
        location = locations.get(step.store, 0)
        argument = step.argument
        if isinstance(argument, Row):
            # Whose id it is decides, and the right store has that row.
            argument = argument.but(id=_given(right, argument.id))
        elif argument is not ...:
            argument = _given(right, argument)
        operation = Call(step.method, None if argument is ... else argument)
        try:
            if not decided(states.get(location, ()), operation):
                found.add(step.key)
        except Exception:
            found.add(step.key)
        states[location] = state_of(right[step.key].rows)
    return found


def _given(right: dict[int, StepObservation], id: Any) -> Any:
    if not isinstance(id, IdOfStep):
        return id
    passed_after = right[id.step].passed_after if id.step in right else None
    return f"{id.before}{'' if passed_after is None else passed_after.id}{id.after}"


def _observed(answer: Answer, token: Any) -> StepObservation:
    passed_after = _row(token)
    if answer.raised is not None:
        return StepObservation(
            "refused" if answer.refused else "raised",
            passed_after=passed_after,
            text=format_exception(answer.raised),
        )
    value = answer.returned
    sdk = load()
    if isinstance(value, list):
        rows = [_row(token) for token in value]
        return StepObservation("returned", rows, passed_after, bare_name=any(map(_has_bare_name, value)))
    if isinstance(value, sdk.OAuthToken):
        whole = vars(sdk.OAuthToken(access_token="whole"))
        lacks = tuple(
            name
            for name, usual in whole.items()
            if not hasattr(value, name)
            or (isinstance(usual, bool) and not isinstance(getattr(value, name), bool))
        )
        return StepObservation(
            "returned", _row(value), passed_after, lacks=lacks, bare_name=_has_bare_name(value)
        )
    return StepObservation("returned", value, passed_after, awaitable=inspect.iscoroutine(value))


def _has_bare_name(token: Any) -> bool:
    with contextlib.suppress(AttributeError):
        signature = token.get_user_signature()
        return signature is not None and not isinstance(signature, load().UserSignature)
    return False


def _row(token: Any) -> Any:
    """The fields of a token; what cannot be read as one is told apart from every row."""
    if not is_token(token):
        return None
    try:
        return to_row(token)
    except UnreadableToken as error:
        return Row(id=f"unreadable: {error}")


def owner(program: Program, seen: dict[int, StepObservation], id: Any, until: int) -> int | None:
    """The first step up to this one whose token carries an id.

    Args:
        program: The program.
        seen: What was observed at each step.
        id: The id.
        until: The key of the last step that counts.

    Returns:
        The key of the step; ``None`` where there is none.
    """
    if absent(id):
        return None
    for step in program:
        if step.key > until:
            return None
        one = seen.get(step.key)
        if (
            step.method == "save_token"
            and one is not None
            and one.passed_after is not None
            and one.passed_after.id == id
        ):
            return step.key if step.same is None else step.same
    return None
