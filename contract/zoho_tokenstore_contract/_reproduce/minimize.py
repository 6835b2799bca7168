"""From a finding to the shortest script that shows it.

Every script was run twice before anybody sees it: on the store under test, where its assertion fails, and on
a bundled reference store, which keeps the contract, where it passes. Both decide what may be left out.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from .._harness.store_handle import StoreHandle
from .._harness.store_source import StoreSource, lookup
from .._harness.store_under_test import StoreUnderTest, close_by_default
from .._harness.workspace import Effort, Workspace
from .._spec.clause_results import Difference, NotApplicable, StoreUnavailable, Violation
from .._spec.clauses import CLAUSES
from .._spec.tokens import FIELDS, Row
from .guarded_store import looked_at
from .program import IdOfStep, Program, ProgramStep, Unplayable, program_of
from .replay import StepObservation, left_open, play
from .script_body import ScriptBody, body
from .script_file import script
from .smallest_difference import Assertion, Comparison
from .stress_templates import reason_no_script, texts_of

_LOOKING = ("get_tokens", "find_token", "find_token_by_id")
_LEAST = tuple(name for name in FIELDS if name not in ("user_name", "client_id", "client_secret"))
MANY = 60
"""From so many calls on, a program that was written for the clause is tried first."""
CALLS = 600
"""How many calls of the store under test the search for a shorter program may cost."""


@dataclass(frozen=True)
class Reproduction:
    """What shows a violation again.

    Attributes:
        script: A program that needs the store and the SDK alone.
        body: Its calls and its assertion.
        shortest: The same as lines, where the search found them; else none.
    """

    script: str
    body: ScriptBody
    shortest: tuple[str, ...] = ()


def reproduce(sut: StoreUnderTest, clause: str, violation: Violation, calls: int = CALLS) -> Reproduction:
    """The shortest calls, and the script, that show a violation.

    Args:
        sut: The store under test.
        clause: The clause that it breaks.
        violation: What a check found, with the calls that it recorded.
        calls: How many calls of the store the search for a shorter program may cost.

    Raises:
        Unplayable: There is none; the text says why in one sentence.
    """
    if "<locals>" in sut.source.qualname:
        raise Unplayable("the store is made by a local function, which no script can import")
    if sut.source.module == "__main__":
        raise Unplayable("the store is made in the program that runs, which no script can import")
    try:
        lookup(sut.source.module, sut.source.qualname)
    except (ImportError, AttributeError) as error:
        raise Unplayable(f"a script cannot import what opens the store: {error}") from error
    if reason := reason_no_script(clause):
        raise Unplayable(reason)
    if sut.hangs and not violation.calls and not any(text.chance for text in texts_of(clause)):
        # Each try would take as long as the limit of a call.
        raise Unplayable("a call never comes back, and would not in a script either")
    reason = "it takes more than a sequence of calls to show it"
    tried = len(violation.calls) > MANY or not violation.calls
    made = _written_before(sut, clause) if tried else None
    shortest: tuple[str, ...] = ()
    if made is None and violation.calls:
        try:
            made = _derived(sut, violation, calls)
            shortest = tuple(made.lines)
        except Unplayable as why:
            reason = str(why)
    if made is None and texts_of(clause):
        if not tried:
            made = _written_before(sut, clause)
        reason = "neither the recorded calls alone nor the kit's programs for this clause show it"
    if made is None:
        raise Unplayable(reason)
    notes = [f"Expected: {violation.expected}.", f"Seen: {violation.seen}."]
    if violation.precondition_failed:
        notes.insert(0, "The clause itself could not be checked: what has to come before it fails.")
    return Reproduction(script(sut, CLAUSES[clause], made, notes), made, shortest)


def shows(made: ScriptBody, sut: StoreUnderTest) -> bool | None:
    """Whether the calls that show a violation on one store show it on another one too.

    Args:
        made: The calls and the assertion.
        sut: The other store.

    Returns:
        Whether the assertion fails there; ``None`` where the calls end in anything else.
    """
    try:
        return _fails(made, sut)
    except Unplayable:
        return None


def _written_before(sut: StoreUnderTest, clause: str) -> ScriptBody | None:
    """The first of the programs for a clause that shows it on this store, or that only chance decides."""
    for text in texts_of(clause):
        made = ScriptBody(lines=text.code.splitlines(), chance=text.chance)
        if text.chance:
            return made
        with contextlib.suppress(Unplayable):
            if _fails(made, sut) and not _fails(made, _reference_of(persistent=True)):
                return made
    return None


def _derived(sut: StoreUnderTest, violation: Violation, calls: int) -> ScriptBody:
    """The recorded calls, as few of them as show the same.

    Raises:
        Unplayable: They do not show it.
    """
    search = _Minimizer(sut, calls)
    found = search.shortest(program_of(violation.calls), violation.difference)
    if found is None:
        raise Unplayable("the same calls, made again on an empty store, do not show it")
    played, claim = found
    made = body(played, claim)
    right = (_reference(played.program), _reference_of(persistent=True))
    if not _fails(made, sut) or any(_fails(made, one) for one in right):
        raise Unplayable("no script of these calls was seen to fail here and to pass on a correct store")
    return made


class _Minimizer:
    """Leaves out what does not matter, as long as the same difference remains."""

    def __init__(self, sut: StoreUnderTest, calls: int) -> None:
        self.sut = sut
        self.left = calls
        self.sort: tuple[object, ...] = ()
        self.open: set[int] = set()

    def shortest(self, program: Program, told: Difference | None) -> tuple[Comparison, Assertion] | None:
        played = self._played(program, play(program, _reference(program), looking=True))
        claim = played.claim(told)
        if claim is None:
            return None
        self.sort = claim.sort
        self.open = left_open(program, played.right)
        found = self._until_claim(played, claim)
        for shorter in (
            self._without_looking,
            self._without_calls,
            self._without_fields,
            self._without_calls,
            self._without_single_fields,
        ):
            found = shorter(*found)
        return found

    def _try(self, program: Program) -> tuple[Comparison, Assertion] | None:
        """Fewer calls, where their last one shows a difference of the same sort."""
        self.left -= len(program)
        if self.left < 0 or not _is_sound(program):
            return None
        right = play(program, _reference(program), looking=True)
        if not left_open(program, right) <= self.open:
            return None
        played = self._played(program, right)
        claims = (claim for claim in played.at(program[-1]) if claim.sort == self.sort)
        return next(((played, claim) for claim in claims), None)

    def _played(self, program: Program, right: dict[int, StepObservation]) -> Comparison:
        return Comparison(program, play(program, self.sut), right)

    def _until_claim(self, played: Comparison, claim: Assertion) -> tuple[Comparison, Assertion]:
        program = tuple(step for step in played.program if step.key <= claim.key)
        return dataclasses.replace(played, program=program), claim

    def _without_looking(self, played: Comparison, claim: Assertion) -> tuple[Comparison, Assertion]:
        *steps, last = played.program
        used = {step.same for step in played.program}
        fewer = (step for step in steps if step.method not in _LOOKING or step.key in used)
        return self._try((*fewer, last)) or (played, claim)

    def _without_calls(self, played: Comparison, claim: Assertion) -> tuple[Comparison, Assertion]:
        found = played, claim
        size = max(1, (len(played.program) - 1) // 2)
        while size:
            start = 0
            while start < len(found[0].program) - 1:
                program = found[0].program
                gone = {step.key for step in program[start : min(start + size, len(program) - 1)]}
                gone -= {program[0].key}
                candidate = tuple(step for step in program if step.key not in gone)
                shorter = self._try(candidate) if gone else None
                if shorter is None:
                    start += size
                else:
                    found = shorter
            size //= 2
        return found

    def _without_fields(self, played: Comparison, claim: Assertion) -> tuple[Comparison, Assertion]:
        found = played, claim
        for names in (
            *((name,) for name in FIELDS if name not in ("id", "client_id", "client_secret")),
            ("client_id", "client_secret"),
        ):
            found = self._try(tuple(_without(step, names) for step in found[0].program)) or found
        return found

    def _without_single_fields(self, played: Comparison, claim: Assertion) -> tuple[Comparison, Assertion]:
        """Fields of one token; what says whose it is stays, so that it stays another's or the same."""
        found = played, claim
        for key in [step.key for step in played.program if isinstance(step.argument, Row) and not step.same]:
            for name in _LEAST:
                program = found[0].program
                fewer = tuple(
                    _without(step, (name,)) if key in (step.key, step.same) else step for step in program
                )
                if fewer != program:
                    found = self._try(fewer) or found
        return found


def _without(step: ProgramStep, names: Sequence[str]) -> ProgramStep:
    if not isinstance(step.argument, Row):
        return step
    return dataclasses.replace(step, argument=step.argument.but(**dict.fromkeys(names)))


def _is_sound(program: Program) -> bool:
    """Every step that another one speaks of is there."""
    keys = {step.key for step in program}
    moves = [bool(step.location) for step in program if step.method == "chdir"]
    if any(move == bool(number % 2) for number, move in enumerate(moves)):
        return False  # it goes back to where it never left
    for step in program:
        argument = step.argument.id if isinstance(step.argument, Row) else step.argument
        spoken_of = {step.store if step.method != "open" else step.key, step.same or step.key}
        if isinstance(argument, IdOfStep):
            spoken_of.add(argument.step)
        if not spoken_of <= keys:
            return False
    return True


def _reference(program: Program) -> StoreUnderTest:
    """A bundled store that keeps the contract, and is persistent where the program needs that."""
    locations = [step.location for step in program if step.method == "open"]
    return _reference_of(persistent=len(set(locations)) < len(locations))


def _reference_of(*, persistent: bool) -> StoreUnderTest:
    # Not above: they import the SDK, and whoever has none is told so in one line.
    stores = importlib.import_module("zoho_reference_stores")

    def open(location: Path) -> Any:
        return stores.SQLiteFileStore(location / "tokens.db") if persistent else stores.ListStore()

    def break_storage(store: Any, location: Path) -> None:
        location.rename(location.with_name(location.name + "-away"))

    return StoreUnderTest(
        "a reference store",
        open,
        close_by_default,
        StoreSource.of(open),
        persistent=persistent,
        break_storage=break_storage,
    )


def _fails(made: ScriptBody, sut: StoreUnderTest) -> bool:
    """Run a script's calls and assertion on a store: whether the assertion fails.

    Raises:
        Unplayable: They end in anything else.
    """
    try:
        with Workspace(dataclasses.replace(sut, hangs=[]), Effort()) as workspace, _elsewhere():
            return _ends_in_its_assertion(made, workspace)
    except (Violation, NotApplicable, StoreUnavailable) as reason:
        raise Unplayable("the store does not open again as it did in the check") from reason


def _ends_in_its_assertion(made: ScriptBody, workspace: Workspace) -> bool:
    try:
        exec(compile(_IMPORTS + made.code, "reproducer", "exec"), _script_names(workspace))  # noqa: S102 (the kit wrote it)
    except (Violation, NotApplicable, StoreUnavailable):
        raise
    except AssertionError:
        return True
    except (Exception, SystemExit) as error:
        kind = type(error).__name__
        raise Unplayable(f"a script of these calls ends in {kind} before its assertion") from error
    return False


def _script_names(workspace: Workspace) -> dict[str, Any]:
    """The names that a script finds, in place of its own first lines."""
    places: dict[str, Path] = {}
    handles: dict[int, StoreHandle] = {}

    def where(place: str = "location 1") -> Path:
        return places[place]

    def open_store(place: str = "location 1") -> Any:
        if place not in places:
            opened = workspace.open()
            places[place] = opened.location
        else:
            answer, again = workspace.try_open(places[place])
            if again is None:
                raise answer.raised or Unplayable("it does not open")
            opened = again
        if workspace.sut.in_location:
            os.chdir(opened.location)
        store = looked_at(opened)
        handles[id(store)] = opened
        return store

    def close_store(store: Any) -> None:
        workspace.close(handles[id(store)])

    def break_storage(store: Any, location: Path) -> None:
        assert workspace.sut.break_storage is not None
        workspace.sut.break_storage(handles[id(store)].store, location)

    workspace.wait_for("the script")
    return {
        "directory": SimpleNamespace(name=str(workspace.location())),
        "where": where,
        "open_store": open_store,
        "close_store": close_store,
        "break_storage": break_storage,
        "__name__": "reproducer",
    }


_IMPORTS = """\
import os
import tempfile
import time
from contextlib import suppress
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature
"""


@contextlib.contextmanager
def _elsewhere() -> Iterator[None]:
    home = os.getcwd()
    try:
        yield
    finally:
        os.chdir(home)
