"""Ways to reach somebody's tokens: whatever the store does wrong, the row of another program survives."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.stores.catalogue import sut_for
from tests.stores.right import RightStore
from zoho_tokenstore_contract._cli.commands import main
from zoho_tokenstore_contract._drivers.processes.children import Processes, list_rows
from zoho_tokenstore_contract._harness.store_handle import StoreHandle
from zoho_tokenstore_contract._harness.store_under_test import StoreUnderTest
from zoho_tokenstore_contract._harness.workspace import Effort, Workspace
from zoho_tokenstore_contract._runner.clause import check_clause
from zoho_tokenstore_contract._runner.smoke import diagnose, first_look
from zoho_tokenstore_contract._spec.outcomes import Outcome, StoreUnavailable
from zoho_tokenstore_contract._spec.tokens import Row, to_token

CLAUSES = ("SAVE-1", "DEL-1", "CLEAR-1", "CLEAR-2", "VALUE-9", "THREAD-1")
_NAMES = ("id", "client_id", "client_secret", "refresh_token", "grant_token", "redirect_url", "api_domain")


def add_row(place: Path) -> None:
    """Another program saves its row."""
    store = RightStore(place)
    with store.changing() as state:
        store.insert(
            state,
            {**dict.fromkeys(_NAMES), "user_name": "somebody", "access_token": "theirs", "expires_in": "1"},
        )


def names(place: Path) -> list[str | None]:
    """The users of all stored rows."""
    return [row["user_name"] for row in RightStore(place).read()["rows"]]


def at(place: Path, base: type[RightStore] = RightStore) -> type[RightStore]:
    """A store class that ignores its location, and keeps its rows in one place."""

    class Fixed(base):  # type: ignore[misc, valid-type]
        """Keeps its rows in one place."""

        def __init__(self, location: Path) -> None:
            super().__init__(place)

    return Fixed


class RaisesWhenFull(RightStore):
    """Its ``get_tokens`` raises as soon as there are rows."""

    def get_tokens(self) -> Any:
        if self.read()["rows"]:
            raise KeyError("rows")
        return []


class AnswersATuple(RightStore):
    """Its ``get_tokens`` answers with a tuple."""

    def get_tokens(self) -> Any:
        return tuple(super().get_tokens())


class Hangs(RightStore):
    """Its ``get_tokens`` never comes back."""

    def get_tokens(self) -> Any:
        threading.Event().wait()


def sut_of(store: Any, **declared: Any) -> StoreUnderTest:
    """The store under test, whose storage must not be lost."""
    return sut_for(store, disposable=False, **declared)


def run_check(sut: StoreUnderTest, check: Callable[[StoreHandle], object]) -> None:
    """Run something like a check on a new store."""
    with Workspace(sut, Effort()) as workspace:
        check(workspace.open())


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The storage of another program."""
    (tmp_path / "theirs").mkdir()
    return tmp_path / "theirs"


@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
@pytest.mark.parametrize(
    "base", [RightStore, RaisesWhenFull, AnswersATuple, Hangs], ids=["lists", "raises", "tuple", "hangs"]
)
def test_a_row_that_is_there_first_survives(
    place: Path, monkeypatch: pytest.MonkeyPatch, base: type[RightStore], shared: bool
) -> None:
    """The run stops before it writes, says so, and runs no further clause."""
    monkeypatch.setattr(Workspace, "call_limit", 0.5)
    add_row(place)
    before = (place / "rows.json").read_bytes()
    sut = sut_of(at(place, base), own_storage=not shared)

    found = diagnose(sut)
    outcomes = {check_clause(clause, sut, Effort(), scripts=False).outcome for clause in CLAUSES}

    assert found is not None
    assert "nothing was written" in found.cause
    assert {Outcome.ERROR} == outcomes
    assert before == (place / "rows.json").read_bytes()


def test_a_clause_that_is_run_alone_writes_nothing_either(place: Path) -> None:
    """Without the smoke check before it, each clause stops before it writes."""
    add_row(place)
    for clause in CLAUSES:
        result = check_clause(clause, sut_of(at(place)), Effort(), scripts=False)

        assert Outcome.ERROR is result.outcome
    assert ["somebody"] == names(place)


def test_an_ignored_location_is_the_one_root_cause(place: Path) -> None:
    """An empty database for all locations is named once, and the kit takes its own rows away."""
    sut = sut_of(at(place))

    assert first_look(sut) is None
    found = diagnose(sut)

    assert found is not None
    assert "two locations share one storage" in found.cause
    assert "own_storage = False" in found.cause
    assert [] == names(place)


def test_a_row_that_arrives_in_a_database_for_all_locations_survives(place: Path) -> None:
    """An ignored location that was empty at first: the next location shows the row, and the run stops."""
    sut = sut_of(at(place))
    assert first_look(sut) is None
    add_row(place)

    results = [check_clause(clause, sut, Effort(), scripts=False) for clause in CLAUSES]

    assert {Outcome.ERROR} == {result.outcome for result in results}
    assert ["somebody"] == names(place)


@pytest.mark.parametrize("method", ["delete_token", "delete_tokens", "save_token"])
def test_a_row_that_arrives_in_a_shared_storage_survives(place: Path, method: str) -> None:
    """The storage is looked at before each call that may reach another program's row."""
    arguments: dict[str, tuple[Any, ...]] = {
        "delete_token": ("1",),
        "save_token": (to_token(Row(id="1", access_token="ours")),),
    }

    def check(store: StoreHandle) -> None:
        add_row(place)
        store.call(method, *arguments.get(method, ()))

    with pytest.raises(StoreUnavailable, match="another program uses it"):
        run_check(sut_of(at(place), own_storage=False), check)

    assert ["somebody"] == names(place)


def test_a_row_that_arrives_during_the_last_call_survives_the_end_of_a_check(place: Path) -> None:
    """What the kit removes at the end of a check is looked at before, and the run stops."""
    with pytest.raises(StoreUnavailable, match="another program uses it"):
        run_check(sut_of(at(place), own_storage=False), lambda _: add_row(place))

    assert ["somebody"] == names(place)


def test_a_run_after_one_that_was_killed_writes_nothing(place: Path) -> None:
    """Rows that a killed run left beside somebody's are not taken for the kit's own."""
    first = sut_of(at(place), own_storage=False)
    workspace = Workspace(first, Effort())

    workspace.open().save(Row(user_name="ours", access_token="a"))  # and is killed here
    add_row(place)

    found = diagnose(sut_of(at(place), own_storage=False))

    assert found is not None
    assert "already holds 2 token(s)" in found.cause
    assert ["ours", "somebody"] == names(place)


def test_two_runs_at_once_delete_nobodys_row(place: Path) -> None:
    """The second run refuses the rows of the first one, and somebody's row survives both."""
    first, second = (sut_of(at(place), own_storage=False) for _ in range(2))
    found = []

    def check(store: StoreHandle) -> None:
        store.save(Row(user_name="ours", access_token="a"))
        found.append(diagnose(second))
        add_row(place)

    with pytest.raises(StoreUnavailable, match="another program uses it"):
        run_check(first, check)

    assert [None] != found
    assert ["ours", "somebody"] == names(place)


THEIRS: list[Path] = []


class TheirsInOtherProcesses(RightStore):
    """A module global that only the test process sets says where the rows are."""

    def __init__(self, location: Path) -> None:
        super().__init__(location if THEIRS else Path(location).parent.parent / "theirs-of-the-module")


def test_another_process_that_opens_another_storage_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that does not have the globals of the test process is asked to list before it is used."""
    monkeypatch.setattr("zoho_tokenstore_contract._harness.workspace._in_memory", lambda: None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(f"{__name__}.THEIRS", [tmp_path])
    theirs = tmp_path / "theirs-of-the-module"
    theirs.mkdir()
    add_row(theirs)
    sut = sut_of(TheirsInOtherProcesses)

    with Workspace(sut, Effort()) as workspace, Processes(workspace) as processes:
        location = workspace.open().location
        with pytest.raises(StoreUnavailable, match="in another process"):
            processes.start(list_rows, location)

    assert ["somebody"] == names(theirs)


@pytest.mark.parametrize("body", ["None", "()", "Tuple()", "Async()"])
def test_the_command_writes_nothing_and_says_it_on_one_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], body: str
) -> None:
    """A factory or a method with an answer of the wrong kind is the one message, before any warning."""
    (tmp_path / "wrong.py").write_text(
        "from zoho_reference_stores import ListStore\n"
        "class Tuple(ListStore):\n    def get_tokens(self): return tuple(super().get_tokens())\n"
        "class Async(ListStore):\n    async def get_tokens(self): return []\n"
        f"def store(): return {body}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    assert main(["check", "wrong:store", "--transient"]) == 2
    out, err = capsys.readouterr()

    assert out == ""
    assert "nothing was written" in err
    assert len(err.splitlines()) < 5
