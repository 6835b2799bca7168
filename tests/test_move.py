"""``zoho-tokenstore move``: every token of one store in another, and read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from tests.stores_in_use import (
    ANN,
    BOB,
    BY_ACCESS,
    CLEO,
    CLIENT,
    EVERY_KIND,
    HEADER,
    PAST,
    UNNAMED,
    Listed,
    command,
    file_of,
    filled,
    line,
    named,
    rows,
    user,
)
from zoho_reference_stores import ListStore, SQLiteFileStore
from zoho_tokenstore_contract._spec.tokens import Row

pytestmark = pytest.mark.once


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> ListStore:
    """A target in memory, which the command knows as ``target:store``."""
    return named(monkeypatch, "target", ListStore())


def source(monkeypatch: pytest.MonkeyPatch, *given: Row) -> str:
    """The address of a source with these rows."""
    named(monkeypatch, "source", Listed(*given))
    return "source:store"


# What is written


def test_every_row_arrives_with_its_id(monkeypatch: pytest.MonkeyPatch, target: ListStore) -> None:
    """Rows with and without a user, and such as only their id finds, are the same in the target."""
    assert command("move", source(monkeypatch, *EVERY_KIND), "target:store") == 0

    assert rows(target) == list(EVERY_KIND)


def test_running_it_again_doubles_nothing(
    monkeypatch: pytest.MonkeyPatch, target: ListStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is there already is recognised, also rows without a key and rows whose id has changed."""
    given = [*EVERY_KIND, CLEO.but(id="1"), Row(refresh_token="1000.neither.id.nor.client")]
    for _ in range(2):
        assert command("move", source(monkeypatch, *given), "target:store") == 0
        assert len(rows(target)) == len(given)

    assert "7  there before" in capsys.readouterr().out


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints the plan with every decision, and does not even make the target."""
    address = file_of(
        tmp_path / "tokens.csv", line(ANN), HEADER, *(line(ANN.but(id=str(n))) for n in range(20, 30))
    )

    assert command("move", address, f"sqlite:{tmp_path / 'tokens.db'}", "--dry-run") == 0
    assert [path.name for path in tmp_path.iterdir()] == ["tokens.csv"]
    told = capsys.readouterr().out
    assert "1  of them to be in the target" in told
    assert told.count("is written") == 10


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([ANN, ANN.but(id="5", expires_in="99999999999999")], "5"),
        ([ANN, ANN.but(id="5", expires_in=PAST)], "1"),
        ([ANN.but(expires_in=PAST), ANN.but(id="5", refresh_token=None)], "1"),
        ([ANN.but(client_id=None), ANN.but(id="5", expires_in=PAST)], "5"),
        ([ANN, ANN.but(id="5", redirect_url="other")], "5"),
        ([ANN.but(expires_in=PAST), ANN.but(id="5", user_name=None)], "1"),
        ([ANN.but(user_name=None), ANN.but(id="5")], "5"),
        ([UNNAMED, UNNAMED.but(id="5", expires_in=PAST, access_token="1000.older")], "7"),
        ([BY_ACCESS, BY_ACCESS.but(id="5", expires_in=PAST)], "8"),
    ],
    ids=[
        "newer",
        "older",
        "newer, cannot renew",
        "newer, without client",
        "same age: the last",
        "without a name, newer",
        "without a name, first",
        "both without a name",
        "by access token alone",
    ],
)
def test_of_several_rows_of_a_login_the_newest_that_can_renew_is_written(
    given: list[Row], expected: str, monkeypatch: pytest.MonkeyPatch, target: ListStore
) -> None:
    """The others would only change it, or be found in place of it."""
    assert command("move", source(monkeypatch, *given, BOB), "target:store") == 0

    assert rows(target) == [*(row for row in given if row.id == expected), BOB]


def test_users_who_share_a_credential_stay_apart(monkeypatch: pytest.MonkeyPatch, target: ListStore) -> None:
    """A user name outranks everything else, so that both rows are written."""
    shared = BOB.but(refresh_token=ANN.refresh_token, access_token=ANN.access_token)
    assert command("move", source(monkeypatch, ANN, shared), "target:store") == 0

    assert rows(target) == [ANN, shared]


def test_ids_that_change_are_told(
    monkeypatch: pytest.MonkeyPatch, target: ListStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An application that holds an id of a row that was not kept learns under which one the login is now."""
    given = [ANN, ANN.but(id="5", expires_in=PAST), BOB.but(id="1"), CLEO.but(id=None)]
    assert command("move", source(monkeypatch, *given), "target:store", "--report", tmp_path / "m.json") == 0

    by_user = {row.user_name: row.id for row in rows(target)}
    assert by_user[ANN.user_name] == "1"
    assert len(set(by_user.values())) == 3
    ids = json.loads((tmp_path / "m.json").read_text())["ids"]
    assert ids == {"5": "1", "1": by_user[BOB.user_name]}
    assert "'5' -> '1'" in capsys.readouterr().out


def test_ids_that_the_target_does_not_keep_change(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A row is saved under another id rather than not at all."""

    class KeepsNumbers(ListStore):
        def save_token(self, token: Any) -> None:
            if token.get_id() and not token.get_id().isdecimal():
                raise SDKException("TOKEN_STORE", "the id is no number")
            super().save_token(token)

    store = named(monkeypatch, "target", KeepsNumbers())
    given = source(monkeypatch, ANN.but(id="abc"), BOB)
    assert command("move", given, "target:store", "--report", tmp_path / "m.json") == 0

    ids = {row.user_name: row.id for row in rows(store)}
    assert json.loads((tmp_path / "m.json").read_text())["ids"] == {"abc": ids[ANN.user_name]}


def test_ids_that_the_target_makes_up_are_none_of_the_source(
    monkeypatch: pytest.MonkeyPatch, target: ListStore
) -> None:
    """Rows without an id come last, for the store would give them ids that other rows bring."""
    given = [ANN.but(id=None), BOB.but(id="1"), CLEO.but(id="2")]
    assert command("move", source(monkeypatch, *given), "target:store") == 0

    ids = {row.user_name: row.id for row in rows(target)}
    assert (ids[BOB.user_name], ids[CLEO.user_name]) == ("1", "2")


def test_rows_of_a_damaged_file_arrive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is whole is carried over, what is cut without its last field, and the rest is told: status 1."""
    path = tmp_path / "tokens.csv"
    address = file_of(
        path,
        line(ANN),
        HEADER,
        line(BOB)[:-90],
        line(CLEO)[:60],
        line(user(4)),
        "\0" * 50 + line(user(5))[99:],
    )
    before = path.read_bytes(), path.stat().st_mtime_ns

    assert command("move", address, f"sqlite:{tmp_path / 'tokens.db'}") == 1
    with SQLiteFileStore(tmp_path / "tokens.db") as store:
        moved = {row.user_name: row for row in rows(store)}
    assert moved == {
        ANN.user_name: ANN,
        BOB.user_name: BOB.only("id", "user_name", *CLIENT, "refresh_token"),
        user(4).user_name: user(4),
    }
    told = capsys.readouterr().out
    assert "2  not to be carried over" in told
    assert "line 5: it has 5 of 10 fields" in told
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


# What else is in the target


@pytest.mark.parametrize("other", [CLEO, ANN.but(access_token="1000.renewed")], ids=["other", "renewed"])
def test_a_target_with_other_tokens_is_refused(
    other: Row, monkeypatch: pytest.MonkeyPatch, target: ListStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2, and nothing is written, unless somebody says that they are to be merged."""
    filled(target, other)

    assert command("move", source(monkeypatch, ANN, BOB), "target:store") == 2
    assert rows(target) == [other]
    assert "--merge" in capsys.readouterr().err


def test_merging_keeps_what_is_there(monkeypatch: pytest.MonkeyPatch, target: ListStore) -> None:
    """Other users stay, ids that others have change, and of one login the newest row stays."""
    newer = ANN.but(expires_in="99999999999999", access_token="1000.newer")
    older = BOB.but(expires_in=PAST, access_token="1000.older")
    filled(target, newer, older, user(4, id="3"))

    assert command("move", source(monkeypatch, ANN, BOB, CLEO), "target:store", "--merge") == 0
    moved = {row.user_name: row for row in rows(target)}
    assert moved.pop(CLEO.user_name).but(id="3") == CLEO
    assert list(moved.values()) == [newer, BOB, user(4, id="3")]


def test_an_id_that_the_target_makes_up_is_none_that_a_row_brings(
    monkeypatch: pytest.MonkeyPatch, target: ListStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row whose id the target has comes after those that can keep theirs, and the plan says so."""
    filled(target, user(9, id="3"))
    given = source(monkeypatch, CLEO, user(4), user(5))

    assert command("move", given, "target:store", "--merge", "--dry-run") == 0
    assert "1 with a new id" in " ".join(capsys.readouterr().out.split())
    assert command("move", given, "target:store", "--merge") == 0
    ids = {row.user_name: row.id for row in rows(target)}
    assert (ids[user(4).user_name], ids[user(5).user_name]) == ("4", "5")


@pytest.mark.parametrize("other", ["file:tokens.csv", "file:link.csv", "file:hard.csv", "sqlite:tokens.csv"])
def test_a_store_is_not_moved_to_itself(
    other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """However the file is called, and whatever it is said to be, the source would be written to."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tokens.csv"
    address = file_of(path, line(ANN))
    (tmp_path / "link.csv").symlink_to(path)
    (tmp_path / "hard.csv").hardlink_to(path)
    before = path.read_bytes()

    assert command("move", address, other, "--merge") == 2
    assert "the same store" in capsys.readouterr().err
    assert path.read_bytes() == before


# What goes wrong


class Forgets(ListStore):
    """Loses a field of every token."""

    def save_token(self, token: Any) -> None:
        token.set_api_domain(None)
        super().save_token(token)


class FindsByNameAlone(ListStore):
    """Finds nothing by a credential."""

    def find_token(self, token: Any) -> Any:
        return super().find_token(token) if token.get_user_signature() is not None else None


class TakesNothing(ListStore):
    """Raises, and tells the token that it was given."""

    def save_token(self, token: Any) -> None:
        raise SDKException("TOKEN_STORE", f"no room for {token.get_refresh_token()}")


class FindsAnother(ListStore):
    """Finds another row by id."""

    def find_token_by_id(self, id: str) -> Any:
        found = super().find_token_by_id(id)
        if found is not None:
            found.set_access_token("1000.of.another")
        return found


@pytest.mark.parametrize(
    ("store", "says"),
    [
        (Forgets, "read back by its id, it differs in api_domain"),
        (FindsByNameAlone, "read back by its access token, it is not found"),
        (TakesNothing, "save_token raises SDKException"),
        (FindsAnother, "read back by its id, it differs in access_token"),
    ],
)
def test_what_the_target_does_not_keep_is_told(
    store: type[ListStore], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 1, with the row and the fields, and without a secret."""
    named(monkeypatch, "target", store())

    assert command("move", source(monkeypatch, ANN), "target:store") == 1
    told = capsys.readouterr().out
    assert says in " ".join(told.split())
    assert ANN.refresh_token not in told
