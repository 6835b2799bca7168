"""What was not asked for is not done, and what was asked for wrongly is told with what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stores.catalogue import sut_for
from tests.stores.right import RightStore
from tests.test_somebodys_storage import add_row, names
from zoho_tokenstore_contract._cli.commands import main
from zoho_tokenstore_contract._harness.workspace import Effort
from zoho_tokenstore_contract._runner.clause import check_clause
from zoho_tokenstore_contract._runner.smoke import diagnose
from zoho_tokenstore_contract._spec.outcomes import Outcome

PROJECT = """
from zoho_reference_stores import ListStore
from zoho_tokenstore_contract import TokenStoreContract

class TestMine(TokenStoreContract):
    persistent = False
    def open_store(self, location):
        return ListStore()

def test_other():
    pass
"""
STORES = """
from pathlib import Path
from zoho_reference_stores import ListStore, SQLiteFileStore

class OfAFile(SQLiteFileStore):
    def __init__(self, db_path="tokens.db"):
        open(db_path, "a").close()
        super().__init__(db_path)

class Forgets(ListStore):
    def find_token(self, token):
        return None

    def find_token_by_id(self, id):
        return None
"""


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a module of stores, which the command is started in."""
    (tmp_path / "asked.py").write_text(STORES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "asked", raising=False)
    return tmp_path


def test_a_run_of_other_tests_has_one_line(pytester: pytest.Pytester) -> None:
    """Where every clause is deselected, one line says that no clause was run."""
    pytester.makepyfile(test_mine=PROJECT)

    shown = pytester.runpytest("-q", "-p", "no:randomly", "-k", "other").outlines

    assert [line for line in shown if "TokenStore" in line or "test_mine:" in line or "VERDICT" in line] == [
        "TokenStore contract: no clause was run of test_mine:TestMine"
    ]


@pytest.mark.parametrize(
    ("asked", "kept", "run"),
    [("LIST-2,BYID-2", 2, 2), ("CLEAR-2,LIST", 4, 4)],
    ids=["clauses", "a clause and a group"],
)
def test_named_clauses_are_checked_alone(
    stores: Path, capsys: pytest.CaptureFixture[str], asked: str, kept: int, run: int
) -> None:
    """Clauses and groups are named, and the verdict says that it is partial."""
    status = main(["check", "zoho_reference_stores:ListStore", "--transient", "--only", asked])
    out, _ = capsys.readouterr()

    assert status == 0
    assert f"NO VERDICT (partial: {run} of 95 clauses were run" in out
    assert f"{kept} kept" in out


def test_an_unknown_clause_is_refused_with_the_nearest(
    stores: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A clause that does not exist is no silence and no run."""
    status = main(["check", "zoho_reference_stores:ListStore", "--transient", "--only", "FIND-55,LISTS"])
    _, err = capsys.readouterr()

    assert status == 2
    assert "FIND-5" in err


def test_a_file_name_as_the_first_argument_is_told_with_two_lines(
    stores: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The kit passes a directory; the message has the function to write, and that function works."""
    assert main(["check", "asked:OfAFile"]) == 2
    _, err = capsys.readouterr()
    lines = [line[4:] for line in err.splitlines() if line.startswith("    ")]
    (stores / "wrapped.py").write_text("\n".join(lines) + "\n")

    assert "the Path of an empty directory as the first argument, db_path" in err
    assert main(["check", "wrapped:make_store", "--only", "SAVE-1,PERSIST-1"]) == 0


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        ("./asked.py:Forgets", "asked:Forgets"),
        ("asked.py:Forgets", "asked:Forgets"),
        ("asked.Forgets", "asked:Forgets"),
        ("asked:Forget", "Forgets"),
        ("asked", "tokens:Store"),
        ("asked:", "tokens:Store"),
    ],
)
def test_a_target_of_a_wrong_form_is_told_with_the_right_one(
    stores: Path, capsys: pytest.CaptureFixture[str], target: str, meant: str
) -> None:
    """A file, a dotted name or a near name is one message, with what was meant."""
    assert main(["check", target]) == 2
    out, err = capsys.readouterr()

    assert out == ""
    assert meant in err
    assert len(err.splitlines()) < 4


def test_scripts_are_made_where_they_are_shown(
    stores: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run searches for the shortest program of five broken clauses, which it shows, and no others."""
    searched: list[str] = []

    def reproduce(_sut: object, clause: str, *_: object) -> object:
        searched.append(clause)
        raise RuntimeError("no search here")

    monkeypatch.setattr("zoho_tokenstore_contract._runner.clause.reproduce", reproduce)
    status = main(["check", "asked:Forgets", "--transient", "--only", "FIND,BYID,DEL"])
    out, _ = capsys.readouterr()

    assert status == 1
    assert " broken" in out
    assert len(dict.fromkeys(searched)) == 5


class Absolute(RightStore):
    """Has one absolute path, whatever its location is and whatever the current directory."""

    place = Path()

    def __init__(self, _location: Path) -> None:
        super().__init__(self.place)


def test_a_store_that_is_declared_to_stay_in_its_location_and_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ``in_location`` and an absolute path of somebody's, the row survives and nothing is written."""
    monkeypatch.setattr(Absolute, "place", tmp_path)
    add_row(tmp_path)
    before = (tmp_path / "rows.json").read_bytes()
    sut = sut_for(Absolute, disposable=False, in_location=True)

    found = diagnose(sut)

    assert found is not None
    assert "nothing was written" in found.cause
    assert check_clause("CLEAR-1", sut, Effort(), scripts=False).outcome is Outcome.ERROR
    assert names(tmp_path) == ["somebody"]
    assert before == (tmp_path / "rows.json").read_bytes()
