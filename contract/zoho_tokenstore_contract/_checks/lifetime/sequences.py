"""MODEL: any sequence of calls, side by side with the reference model."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from ..._drivers.hypothesis_examples import explore, explore_machine
from ..._harness.messages import format_rows
from ..._harness.observer import Observer, keys_of
from ..._harness.row_acts import require
from ..._harness.side_by_side import SideBySide
from ..._harness.workspace import Workspace
from ..._spec.model import Call, State, expectation, observe, state_of, successors
from ..._spec.tokens import Row, format_row, format_token, to_token
from ..registry import check
from ..sample_tokens import ACCESS, ANN, EVE, GUS, LATE_GRANT, LATE_REFRESH, REFRESH, key_of, pool

EXAMPLES = 40
STEPS = 25
SHORT = 12  # sequences of updates and deletions alone

# Small pools, so that values collide, or differ in case, accent, space or Unicode form only.
NAMES = (
    *("ann", "bob", "O'Hara", "user_name", "1", "' or '1'='1", "Zo\u00eb", "d\u00e9j\u00e0 vu"),
    *("%", "None"),
)
TOKENS = (
    *("t", "T", "t ", " t", "1", "01", "1.0", "%", "access_token", "' or 1=1 --"),
    *("caf\u00e9", "cafe\u0301", "\uff54", 'a"b,c;d\te'),
)
IDS = ("1", "2", "10", "01", "x", "X", "id", "' or 1=1", "%", "9999999999")
URLS = ("https://example.com/a", "https://example.com/A", "redirect_url", "x\r\ny")
DIGITS = ("1900000000000", "1900000000001", "7")
CLIENTS: tuple[dict[str, str], ...] = (
    {},
    {"client_id": "1000.CLIENT", "client_secret": "client-secret"},
    {"client_id": "1000.CLIENT", "client_secret": "other-secret"},
)


def _some(pool: tuple[str, ...]) -> st.SearchStrategy[str | None]:
    return st.none() | st.sampled_from(pool)


_TOKENS = st.builds(
    lambda client, **fields: Row(**client, **fields),
    st.sampled_from((*CLIENTS, CLIENTS[1])),
    user_name=_some(NAMES),
    refresh_token=_some(TOKENS),
    access_token=_some(TOKENS),
    grant_token=st.none() | st.none() | st.sampled_from(TOKENS),
    expires_in=_some(DIGITS),
    redirect_url=_some(URLS),
)
_CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "access_token": st.sampled_from(TOKENS),
        "refresh_token": st.sampled_from(TOKENS),
        "expires_in": st.sampled_from(DIGITS),
        "redirect_url": st.sampled_from(URLS),
        "user_name": st.sampled_from(NAMES),
    },
)
_KEYS = st.sampled_from(
    (
        ("user_name",),
        ("access_token",),
        ("client_id", "client_secret", "grant_token"),
        ("client_id", "client_secret", "refresh_token"),
        ("id",),
        ("id", "user_name"),
    )
)
_PLACES = st.integers(0, 20)


@check("MODEL-1")
def any_sequence_of_calls_is_answered_as_by_the_model(workspace: Workspace) -> None:
    class Sequence(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.pair = SideBySide(workspace)

        @rule(token=_TOKENS)
        def save(self, token: Row) -> None:
            self.pair.do(Call("save_token", token))

        @rule(token=_TOKENS, id=st.sampled_from(IDS))
        def bring(self, token: Row, id: str) -> None:
            self.pair.do(Call("save_token", token.but(id=id)))

        @rule(place=_PLACES, key=_KEYS, changes=_CHANGES)
        def save_by_key(self, place: int, key: tuple[str, ...], changes: dict[str, str]) -> None:
            self.pair.do(Call("save_token", self.at(place).only(*key).but(**changes)))

        @rule(place=_PLACES, changes=_CHANGES)
        def save_again(self, place: int, changes: dict[str, str]) -> None:
            self.pair.do(Call("save_token", self.at(place).but(**changes)))

        @rule(token=_TOKENS)
        def find(self, token: Row) -> None:
            self.pair.do(Call("find_token", token))

        @rule(place=_PLACES, key=_KEYS)
        def find_by_key(self, place: int, key: tuple[str, ...]) -> None:
            self.pair.do(Call("find_token", self.at(place).only(*key)))

        @rule(place=_PLACES)
        def find_by_stored_id(self, place: int) -> None:
            self.pair.do(Call("find_token_by_id", self.at(place).id))

        @rule(id=st.sampled_from(IDS))
        def find_by_id(self, id: str) -> None:
            self.pair.do(Call("find_token_by_id", id))

        @rule(place=_PLACES)
        def delete_stored(self, place: int) -> None:
            self.pair.do(Call("delete_token", self.at(place).id))

        @rule(id=st.sampled_from(IDS))
        def delete(self, id: str) -> None:
            self.pair.do(Call("delete_token", id))

        @rule(sure=st.sampled_from((False, False, False, True)))
        def clear(self, sure: bool) -> None:
            if sure and self.pair.state:
                self.pair.do(Call("delete_tokens"))

        @rule()
        def reopen(self) -> None:
            if workspace.sut.persistent:
                self.pair.reopen()

        def at(self, place: int) -> Row:
            """A stored row, or nothing that any call is decided for."""
            return self.pair.state[place % len(self.pair.state)] if self.pair.state else Row()

    explore_machine(workspace, EXAMPLES, STEPS, Sequence)


@check("MODEL-1")
def any_sequence_of_updates_and_deletions_is_answered_as_by_the_model(workspace: Workspace) -> None:
    # Beside saves of all kinds, two deletions and an update without an insert in between are rare.
    def run(calls: list[tuple[str, int]]) -> None:
        pair = SideBySide(workspace)
        for row in pool(ANN, GUS, LATE_GRANT, REFRESH, LATE_REFRESH, ACCESS, EVE):
            pair.do(Call("save_token", row))
        require(workspace, len(pair.state) == 7, "seven rows", format_rows(pair.state))
        for number, (method, place) in enumerate(calls):
            if pair.state:
                row = pair.state[place % len(pair.state)]
                if method == "save_token":
                    pair.do(Call(method, key_of(row).but(expires_in=f"19000000{number:05d}")))
                elif method == "find_token":
                    pair.do(Call(method, key_of(row)))
                else:
                    pair.do(Call(method, row.id))

    methods = st.sampled_from(("save_token", "save_token", "find_token", "find_token_by_id", "delete_token"))
    explore(workspace, SHORT, st.lists(st.tuples(methods, _PLACES), min_size=12, max_size=12), run)


@check("MODEL-1")
def what_was_asked_before_is_answered_anew_after_each_way_of_saving(workspace: Workspace) -> None:
    # A cache or an index that one way of saving forgets goes on with what it had.
    for row in pool(GUS, LATE_GRANT, LATE_REFRESH, ACCESS):
        for key in keys_of(row):
            store = workspace.open()
            rows = store.holding(ANN, row)
            sent = key.but(expires_in="1900000000888", redirect_url="https://example.com/anew")
            if key.access_token is None:
                sent = sent.but(access_token="1000.anew.access")
            observer = Observer(store, rows)
            store.save(sent)
            changed = rows[1].updated_by(sent)
            done = f"after save_token({format_token(sent)})"
            because = f"{done}, which updates the row {format_row(rows[1])}"
            store.expect(rows, changed=[(rows[1], changed)], because=because)
            observer.look([rows[0], changed], done, [changed])
            store.call("delete_token", changed.id)
            store.expect([rows[0], changed], gone=[changed], because="delete_token removes the row")
            observer.look(rows[:1], "after the row is deleted")
            workspace.fresh_examples()


@check("MODEL-1")
def the_calls_of_a_day_are_answered_as_by_the_model(workspace: Workspace) -> None:
    # The precondition of the other check: a store that refuses every save keeps no model.
    store = workspace.open()
    state: State = ()
    for number in range(12):
        row = Row(user_name=f"user{number}", access_token=f"access{number}", expires_in="1900000000000")
        token = to_token(row)
        answer = store.try_save_token(token).answer
        operation = Call("save_token", row)
        if state_of(store.rows()) not in successors(
            state, operation, observe(answer.returned, answer.raised, token)
        ):
            workspace.fail(f"{operation} {expectation(state, operation)}", str(answer))
        state = state_of(store.rows())
    require(workspace, len(state) == 12, "12 rows", format_rows(state))
