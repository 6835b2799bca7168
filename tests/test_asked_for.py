"""What was not asked for is not done, and what was asked for wrongly is told with what to write instead."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tests.stores.catalogue import sut_for
from tests.stores.right import RightStore
from tests.test_somebodys_storage import add_row, names
from zoho_tokenstore_contract import UsageError, check
from zoho_tokenstore_contract._cli.commands import main
from zoho_tokenstore_contract._harness.workspace import Effort
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._runner.smoke_check import diagnose
from zoho_tokenstore_contract._spec.clause_results import Outcome

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

class Raises(ListStore):
    def get_tokens(self):
        raise KeyError("rows")

class Tuple(ListStore):
    def get_tokens(self):
        return tuple(super().get_tokens())

class Two(SQLiteFileStore):
    def __init__(self, location):
        super().__init__(Path(location).parent / "one-for-all.db")

class Violates(ListStore):
    def save_token(self, token):
        super().save_token(token)
        token.set_id(None)

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


_LEAVES_OUT = """
import pytest

def pytest_collection_modifyitems(items):
    {}
"""


@pytest.mark.parametrize(
    "body",
    [
        "[item.add_marker(pytest.mark.skip) for item in items]",
        "[item.add_marker(pytest.mark.skip) for item in items if 'CLEAR_2' in item.name]",
        "items[:] = [item for item in items if 'LIST' in item.name or 'other' in item.name]",
        "items[:] = [item for item in items if 'other' in item.name]",
    ],
    ids=["skips all", "skips one", "deselects some", "deselects all"],
)
def test_a_named_store_that_was_left_out_is_no_success(pytester: pytest.Pytester, body: str) -> None:
    """What a conftest.py leaves out of a run that was told to check a store was not asked for."""
    pytester.makeconftest(_LEAVES_OUT.format(body))
    pytester.makepyfile(test_mine="def test_other(): pass")
    named = ("--tokenstore", "zoho_reference_stores:ListStore", "--tokenstore-transient")
    only = ("--tokenstore-only", "CLEAR,LIST", "test_mine.py")

    run = pytester.runpytest("-q", "-p", "no:randomly", *named, *only)

    assert run.ret == pytest.ExitCode.TESTS_FAILED
    run.stdout.fnmatch_lines(["no success: tests of zoho_reference_stores:ListStore were skipped*"])


@pytest.mark.parametrize("chosen", [(), ("-k", "FIND")], ids=["all", "some"])
def test_a_named_store_that_is_expected_to_fail_is_no_success(
    pytester: pytest.Pytester, chosen: tuple[str, ...]
) -> None:
    """What may be broken is said with a reason, clause by clause, and not with a mark for all."""
    pytester.makeconftest(_LEAVES_OUT.format("[item.add_marker(pytest.mark.xfail) for item in items]"))
    pytester.makepyfile(asked=STORES)
    named = ("--tokenstore", "asked:Forgets", "--tokenstore-transient", "--tokenstore-only", "FIND-1,LIST-2")

    run = pytester.runpytest("-q", "-p", "no:randomly", *named, *chosen)

    assert run.ret == pytest.ExitCode.TESTS_FAILED
    run.stdout.fnmatch_lines(["no success: tests of asked:Forgets were *expected to fail*"])


def test_a_named_store_that_an_option_leaves_out_in_part_may_succeed(pytester: pytest.Pytester) -> None:
    """``-k`` asks for a part, and the run says what was not run."""
    named = ("--tokenstore", "zoho_reference_stores:ListStore", "--tokenstore-transient")

    run = pytester.runpytest("-q", "-p", "no:randomly", *named, "-k", "LIST_2")

    assert run.ret == pytest.ExitCode.OK
    run.stdout.fnmatch_lines(["*NO VERDICT (94 of 95 clauses were not run)*"])


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

    monkeypatch.setattr("zoho_tokenstore_contract._runner.clause_runner.reproduce", reproduce)
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
    assert check_clause("CLEAR-1", sut, Effort()).outcome is Outcome.ERROR
    assert names(tmp_path) == ["somebody"]
    assert before == (tmp_path / "rows.json").read_bytes()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("check asked:Raises", "--disposable, or disposable = True"),
        ("check asked:Two", "--shared-storage, or own_storage = False"),
        ("check asked:Violates --transient --only SAVE", "--report report.html tells each"),
        ("check asked:Forgets --report report.xml", "--report: 'report.xml' does not end in"),
        ("check asked:Forgets --reproducers asked.py", "--reproducers: "),
        ("check asked:Forgets --only NONE", "--only: there is no clause"),
    ],
)
def test_the_command_names_its_own_options(
    stores: Path, capsys: pytest.CaptureFixture[str], words: str, says: str
) -> None:
    """What it tells its reader to give is what the command takes, and no option of pytest."""
    assert main(words.split()) != 0
    out, err = capsys.readouterr()
    told = " ".join((out + err).split())

    assert says in told
    assert "--tokenstore" not in told
    assert "-v " not in told


def test_the_command_names_its_own_options_in_other_processes_too(
    stores: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A worker of pytest-xdist words a message as the process that the user has started."""
    assert main(["check", "asked:Two", "--only", "LIST", "-n", "2"]) != 0
    told = " ".join("".join(capfd.readouterr()).split())

    assert "--shared-storage" in told
    assert "--tokenstore" not in told


def test_the_function_names_its_own_arguments(stores: Path) -> None:
    """A message for whoever calls `check` names what `check` takes."""
    asked = importlib.import_module("asked")

    with pytest.raises(UsageError, match=r"say so: disposable=True$"):
        check(asked.Raises)


def test_pytest_names_its_own_options(pytester: pytest.Pytester) -> None:
    """A message for whoever runs pytest names the option of the plugin, and the class's attribute."""
    pytester.makepyfile(asked=STORES)

    run = pytester.runpytest("--tokenstore", "asked:Raises")

    run.stderr.fnmatch_lines(["*say so: --tokenstore-disposable, or disposable = True in the contract class"])


@pytest.mark.parametrize("name", ["Tuple", "STORES"])
def test_what_is_no_matter_of_rows_gets_no_advice_to_lose_them(
    stores: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Where the store has to be mended first, nobody is told to give his data away."""
    (stores / "asked.py").write_text(f"{STORES}\ndef STORES(): return None\n")

    assert main(["check", f"asked:{name}"]) == 2
    told = capsys.readouterr().err

    assert "nothing was written" in told
    assert "disposable" not in told
