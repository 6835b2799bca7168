"""What a store can hold at all, found out once: each limit by a probe, a check of its clause."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

from .._checks import limit_probes as probes
from .._checks.sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    EXPIRED,
    GRANT,
    KINDS,
    ONE_OF_EVERY_KIND,
    REFRESH,
    person,
)
from .._harness.store_limits import NO_LIMITS, Limits, keeping_to, kind_of, way_to_read
from .._harness.store_under_test import StoreUnderTest
from .._harness.workspace import Effort, Workspace
from .._spec.clause_results import NotApplicable, StoreUnavailable, Violation
from .._spec.tokens import Row, absent, is_token, to_row_as_far_as_it_reads


def limits_of(sut: StoreUnderTest, effort: Effort) -> Limits:
    """Find out what a store cannot do.

    Args:
        sut: The store under test.
        effort: How deep to look.

    Returns:
        Its limits; `NO_LIMITS` where the probes find none, or where not even two plain rows can be stored.
    """

    def keeps(probe: Callable[..., object], *arguments: object) -> bool:
        return _keeps(sut, effort, probe, *arguments)

    # The other probes look at rows, and at empty stores, too.
    lists = Limits(lists=keeps(probes.the_list_shows_what_is_found_by_id))
    if lists.lists:
        shows_nothing = keeps(probes.nothing_is_listed_before_the_first_row_and_after_the_last)
        lists = Limits(lists_nothing=shows_nothing)
    elif _is_read_as_saved(sut, effort, by_id=False) and not _is_read_as_saved(sut, effort, by_id=True):
        lists = Limits(lists=False, reads_by_id=False)
    with keeping_to(lists):
        expires = keeps(probes.a_row_stays, EXPIRED) or not keeps(probes.a_row_stays, ANN.expires_in)
        lists = replace(lists, keeps_expired=expires)
        stored = [row for row in KINDS if lists.sweeps(row) or keeps(probes.is_stored_alone, row)]
        if not {ANN, BOB}.issubset(stored):
            return NO_LIMITS
        row = _of_a_user(sut, effort)
        if row is not None and not ANN.but(user_name=None).present().items() & row.present().items():
            return Limits(keeps=False)
        counts = keeps(probes.the_first_users_have_ids_of_their_own)
        if not counts:
            with keeping_to(replace(lists, counts_the_first=False)):
                # Otherwise bringing an id is of no use either.
                counts = not keeps(probes.the_first_users_have_ids_of_their_own)
        with keeping_to(replace(lists, counts_the_first=counts)):
            goes_on = keeps(probes.a_user_is_saved_beside_an_id_that_is_no_number)
        held = replace(
            lists,
            room=None if keeps(probes.two_dozen_users_are_as_many_rows) else _room(sut, effort),
            # Where another row of the kind is stored, it is not the kind that is refused.
            refused=frozenset(row for row in KINDS if kind_of(row) not in map(kind_of, stored)),
            counts_the_first=counts,
            gives_ids=row is None or (isinstance(row.id, str) and not absent(row.id)),
        )
        alone = frozenset(row for row in KINDS if not (row in stored or held.refuses(row)))
        apart = _apart(sut, effort, held, alone)
        return replace(
            held,
            apart=apart,
            one_slot=len(apart) == len(KINDS) - 1,
            characters=frozenset(
                # Where a plain letter fails as well, it is not the character.
                one
                for one in (probes.CHARACTERS if keeps(probes.character_round_trips, "x") else "")
                if not keeps(probes.character_round_trips, one)
            ),
            across_clients=keeps(probes.a_user_is_one_row_under_two_clients),
            clears=keeps(probes.delete_tokens_removes_two_users),
            deletes=keeps(probes.delete_token_removes_one_of_two_users),
            deletes_brought=keeps(probes.delete_token_removes_a_row_whose_id_is_no_number),
            unfound=frozenset(
                row for row in (ANN, ACCESS, GRANT, REFRESH) if not keeps(probes.is_found_alone, row)
            ),
            knows_ids=keeps(probes.unknown_ids_find_nothing),
            opens_empty=not sut.persistent or keeps(probes.a_store_opens_again_where_it_left_nothing),
            goes_on=goes_on,
            in_threads=not sut.thread_safe or keeps(probes.a_user_is_saved_in_another_thread),
        )


def _keeps(sut: StoreUnderTest, effort: Effort, probe: Callable[..., object], *arguments: object) -> bool:
    try:
        with Workspace(sut, effort) as workspace:
            probe(workspace, *arguments)
    except Violation as violation:
        return violation.precondition_failed  # what it needs is missing: another limit, or none
    except (NotApplicable, StoreUnavailable):
        return False
    return True


def _of_a_user(sut: StoreUnderTest, effort: Effort) -> Row | None:
    """The row of a user who is saved alone; ``None`` where there is none."""
    try:
        with Workspace(sut, effort) as workspace:
            store = workspace.open()
            store.save(ANN)
            return next(iter(store.rows()), None)
    except (Violation, StoreUnavailable):
        return None


def _is_read_as_saved(sut: StoreUnderTest, effort: Effort, *, by_id: bool) -> bool:
    """Whether one look-up by the id gives each row of the crowd as it was saved."""
    with contextlib.suppress(StoreUnavailable, Violation), Workspace(sut, effort) as workspace:
        store = workspace.open()
        saved = [store.try_save(row) for row in ONE_OF_EVERY_KIND]
        rows = [one.inserted for one in saved if one.answer.raised is None]
        tokens = [store.call(*way_to_read(row.id, by_id=by_id)).returned for row in rows]
        return rows == [to_row_as_far_as_it_reads(one).plain() for one in tokens if is_token(one)]
    return False


def _apart(sut: StoreUnderTest, effort: Effort, limits: Limits, apart: frozenset[Row]) -> frozenset[Row]:
    """The rows of the crowd that a store with these limits holds neither alone nor beside the others."""
    while True:
        with keeping_to(replace(limits, apart=apart)):
            row = _first_that_does_not_stay(sut, effort)
        if row is None:
            return apart
        if row == ANN:
            return frozenset()  # not even the first is seen: no row says anything of the others
        apart |= {row}


def _first_that_does_not_stay(sut: StoreUnderTest, effort: Effort) -> Row | None:
    """The first row of the crowd that cannot be saved, or after which not all rows are there."""
    row = None
    try:
        with Workspace(sut, effort) as workspace:
            store, passed = workspace.open(), []
            for row in ONE_OF_EVERY_KIND:
                passed.append(store.save(row))
                store.showing(passed)
    except Violation:
        return row
    except StoreUnavailable:
        return None
    return None


def _room(sut: StoreUnderTest, effort: Effort) -> int | None:
    """How many users a store holds that does not hold many; ``None`` where it does not even hold four."""
    try:
        with Workspace(sut, effort) as workspace:
            store = workspace.open()
            for number in range(1, probes.MANY + 1):
                raised = store.try_save(person(f"room{number}")).answer.raised
                if raised is not None or len(store.rows()) != number:
                    return number - 1 if number > 4 else None
    except (Violation, StoreUnavailable):
        return None
    return None
