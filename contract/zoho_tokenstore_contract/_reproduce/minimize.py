"""From a finding to the shortest script that shows it.

Every script was run twice before anybody sees it: on the store under test, where its assertion fails, and on
a bundled reference store, which keeps the contract, where it passes. Both decide what may be left out.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from .._harness.store_under_test import Origin, Subject, close_by_default, lookup
from .._harness.workspace import Bench, Effort
from .._spec.clauses import CLAUSES
from .._spec.outcomes import NotApplicable, StoreUnavailable, Violation
from .._spec.tokens import FIELDS, Row
from .compare import Claim, Played
from .replay import IdOf, Program, Step, Unplayable, Watch, left_open, play, program_of
from .stress_templates import texts_of, why_none
from .write import Body, body, script

_LOOKING = ("get_tokens", "find_token", "find_token_by_id")
_LEAST = tuple(name for name in FIELDS if name not in ("user_name", "client_id", "client_secret"))
MANY = 60
"""From so many calls on, a program that was written for the clause is tried first."""
CALLS = 600
"""How many calls of the store under test the search for a shorter program may cost."""


def reproducer(subject: Subject, clause: str, violation: Violation, watch: Watch) -> str:
    """The script that shows a violation.

    Args:
        subject: The store under test.
        clause: The clause that it breaks.
        violation: What a check found, with the calls that it recorded.
        watch: Turns a call that never comes back into a violation.

    Raises:
        Unplayable: There is none; the text says why in one sentence.
    """
    if "<locals>" in subject.origin.qualname:
        raise Unplayable("the store is made by a local function, which no script can import")
    try:
        lookup(subject.origin.module, subject.origin.qualname)
    except (ImportError, AttributeError) as error:
        raise Unplayable(f"a script cannot import what opens the store: {error}") from error
    if reason := why_none(clause):
        raise Unplayable(reason)
    if subject.hangs and not violation.calls and not any(text.chance for text in texts_of(clause)):
        # Each try would take as long as the limit of a call.
        raise Unplayable("a call never comes back, and would not in a script either")
    reason = "it takes more than a sequence of calls to show it"
    tried = len(violation.calls) > MANY or not violation.calls
    made = _written_before(subject, clause, watch) if tried else None
    if made is None and violation.calls:
        try:
            made = _derived(subject, violation, watch)
        except Unplayable as why:
            reason = str(why)
    if made is None and texts_of(clause):
        if not tried:
            made = _written_before(subject, clause, watch)
        reason = "neither the recorded calls alone nor the kit's programs for this clause show it"
    if made is None:
        raise Unplayable(reason)
    notes = [f"Expected: {violation.expected}.", f"Seen: {violation.seen}."]
    if violation.arranging:
        notes.insert(0, "The clause itself could not be checked: what has to come before it fails.")
    return script(subject, CLAUSES[clause], made, notes)


def _written_before(subject: Subject, clause: str, watch: Watch) -> Body | None:
    """The first of the programs for a clause that shows it on this store, or that only chance decides."""
    for text in texts_of(clause):
        made = Body(lines=text.code.splitlines(), chance=text.chance)
        if text.chance:
            return made
        with contextlib.suppress(Unplayable):
            if _fails(made, subject, watch) and not _fails(made, _reference_of(persistent=True), watch):
                return made
    return None


def _derived(subject: Subject, violation: Violation, watch: Watch) -> Body:
    """The recorded calls, as few of them as show the same.

    Raises:
        Unplayable: They do not show it.
    """
    search = _Search(subject, watch)
    found = search.shortest(program_of(violation.calls))
    if found is None:
        raise Unplayable("the same calls, made again on an empty store, do not show it")
    played, claim = found
    made = body(played, claim)
    right = (_reference(played.program), _reference_of(persistent=True))
    if not _fails(made, subject, watch) or any(_fails(made, one, watch) for one in right):
        raise Unplayable("no script of these calls was seen to fail here and to pass on a correct store")
    return made


class _Search:
    """Leaves out what does not matter, as long as the same difference remains."""

    def __init__(self, subject: Subject, watch: Watch) -> None:
        self.subject = subject
        self.watch = watch
        self.left = CALLS
        self.kind = ""
        self.open: set[int] = set()

    def shortest(self, program: Program) -> tuple[Played, Claim] | None:
        found = self._try(program, whole=True)
        if found is None:
            return None
        self.kind = found[1].kind
        self.open = left_open(found[0].program, found[0].right)
        found = self._until_claim(*found)
        for shorter in (
            self._without_looking,
            self._without_calls,
            self._without_fields,
            self._without_calls,
            self._without_single_fields,
        ):
            found = shorter(*found)
        return found

    def _try(self, program: Program, *, whole: bool = False) -> tuple[Played, Claim] | None:
        if not whole:
            self.left -= len(program)
            if self.left < 0 or not _is_sound(program):
                return None
        right = play(program, _reference(program), self.watch, looking=True)
        if not whole and not left_open(program, right) <= self.open:
            return None
        played = Played(program, play(program, self.subject, self.watch), right)
        claim = played.claim()
        if claim is None or (not whole and (claim.kind != self.kind or claim.key != program[-1].key)):
            return None
        return played, claim

    def _until_claim(self, played: Played, claim: Claim) -> tuple[Played, Claim]:
        program = tuple(step for step in played.program if step.key <= claim.key)
        return dataclasses.replace(played, program=program), claim

    def _without_looking(self, played: Played, claim: Claim) -> tuple[Played, Claim]:
        *steps, last = played.program
        used = {step.same for step in played.program}
        fewer = (step for step in steps if step.method not in _LOOKING or step.key in used)
        return self._try((*fewer, last)) or (played, claim)

    def _without_calls(self, played: Played, claim: Claim) -> tuple[Played, Claim]:
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

    def _without_fields(self, played: Played, claim: Claim) -> tuple[Played, Claim]:
        found = played, claim
        for names in (
            *((name,) for name in FIELDS if name not in ("id", "client_id", "client_secret")),
            ("client_id", "client_secret"),
        ):
            found = self._try(tuple(_without(step, names) for step in found[0].program)) or found
        return found

    def _without_single_fields(self, played: Played, claim: Claim) -> tuple[Played, Claim]:
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


def _without(step: Step, names: Sequence[str]) -> Step:
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
        if isinstance(argument, IdOf):
            spoken_of.add(argument.step)
        if not spoken_of <= keys:
            return False
    return True


def _reference(program: Program) -> Subject:
    """A bundled store that keeps the contract, and is persistent where the program needs that."""
    locations = [step.location for step in program if step.method == "open"]
    return _reference_of(persistent=len(set(locations)) < len(locations))


def _reference_of(*, persistent: bool) -> Subject:
    # Not above: they import the SDK, and whoever has none is told so in one line.
    stores = importlib.import_module("zoho_reference_stores")

    def open(location: Path) -> Any:
        return stores.SQLiteFileStore(location / "tokens.db") if persistent else stores.ListStore()

    def break_storage(store: Any, location: Path) -> None:
        location.rename(location.with_name(location.name + "-away"))

    return Subject(
        "a reference store",
        open,
        close_by_default,
        Origin.of(open),
        persistent=persistent,
        break_storage=break_storage,
    )


def _fails(made: Body, subject: Subject, watch: Watch) -> bool:
    """Run a script's calls and assertion on a store: whether the assertion fails.

    Raises:
        Unplayable: They end in anything else.
    """
    with Bench(dataclasses.replace(subject, hangs=[]), Effort()) as bench, _elsewhere():
        places: dict[str, Path] = {}

        def where(place: str = "location 1") -> Path:
            return places[place]

        def open_store(place: str = "location 1") -> Any:
            if place not in places:
                opened = bench.open()
                places[place] = opened.location
            else:
                answer, again = bench.try_open(places[place])
                if again is None:
                    raise answer.raised or Unplayable("it does not open")
                opened = again
            if subject.in_location:
                os.chdir(opened.location)
            return opened.store

        def close_store(store: Any) -> None:
            opened = next(one for one in bench._open if one.store is store)
            bench.close(opened)

        names = {
            "directory": SimpleNamespace(name=str(bench.location())),
            "where": where,
            "open_store": open_store,
            "close_store": close_store,
            "break_storage": subject.break_storage,
            "__name__": "reproducer",
        }
        try:
            with watch(bench):
                bench.waiting = "the script", time.monotonic()
                exec(compile(_IMPORTS + made.code, "reproducer", "exec"), names)  # noqa: S102 (the kit wrote it)
        except (Violation, NotApplicable, StoreUnavailable) as reason:
            raise Unplayable("the store does not open again as it did in the check") from reason
        except AssertionError:
            return True
        except Exception as error:
            kind = type(error).__name__
            raise Unplayable(f"a script of these calls ends in {kind} before its assertion") from error
    return False


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
