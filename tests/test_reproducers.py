"""Every script that comes with a finding fails on the store that it is of, and passes on a correct one."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# Loaded here once, so that each run inside a test does not load the SDK and Hypothesis again.
import zoho_tokenstore_contract._drivers.hypothesis_examples
import zoho_tokenstore_contract._runner.targets  # noqa: F401
from tests.stores.catalogue import Fault, faults, sut_for
from tests.stores.right import Fields, RightStore
from zoho_tokenstore_contract._harness.calls import CallRecord
from zoho_tokenstore_contract._harness.workspace import Effort
from zoho_tokenstore_contract._report.script_files import reason_script_missing, script_of
from zoho_tokenstore_contract._reproduce.minimize import CALLS
from zoho_tokenstore_contract._reproduce.program import Unplayable, program_of
from zoho_tokenstore_contract._reproduce.script_lines import folded, long_text
from zoho_tokenstore_contract._reproduce.stress_templates import texts_of
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._spec.clauses import CLAUSES
from zoho_tokenstore_contract._spec.tokens import Row

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
SAMPLE = (
    "AnswersWithTheId",
    "FindsNothing",
    "UnknownUsersFindTheirTokens",
    "ReturnsTheRowAlone",
    "EmptiesTheTokenOfAMiss",
    "SharesWhatItReturns",
    "BuildsTokensWithoutConstructor",
    "TakesTheGreatestTextForTheLastId",
    "GivesUpdatedRowsNewIds",
    "StumblesOverTakenIds",
    "ForgetsTheGrantTokenOnceUsed",
    "TakesEmptyTextForACredential",
    "RaisesForUnknownIds",
    "DeletesByStatement",
    "GivesTheHighestIdAgain",
    "ListsItsOwnTokens",
    "StartsOver",
    "StartsOverWhereItIs",
    "OneFileForAll",
    "AnswersWithBareNames",
    "TokensWithoutCase",
    "EachThreadHasItsOwn",
    "RemembersIds",
)
"""Stores with a mistake of each kind that an assertion speaks of."""
WITHOUT = {
    # No short program shows them: the moment inside a call, a damaged file.
    "ClosesTheDraftLater": "SECRET-1",
    "HandsOnTheCause": "SECRET-2",
}


def ends(runs: list[tuple[Path, str, str, bool]]) -> list[str]:
    """How scripts end where the kit cannot be imported."""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.reproducer_run"],
        input=json.dumps([(str(path), *rest) for path, *rest in runs]),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr
    made: list[str] = json.loads(result.stdout.splitlines()[-1])
    return made


def test_a_sample_of_scripts_fails_on_its_store_and_passes_on_a_correct_one(tmp_path: Path) -> None:
    """Each kind of assertion is among them."""
    chosen = [fault for fault in faults() if fault.store.__name__ in SAMPLE]
    assert {fault.store.__name__ for fault in chosen} == set(SAMPLE)
    runs, whose = [], []
    for fault in chosen:
        result = check_clause(
            fault.clauses[0], sut_for(fault.store, **fault.declared), Effort(), search=CALLS
        )
        path = tmp_path / f"{fault}.py"
        path.write_text(script_of(result), encoding="utf-8", errors="backslashreplace")
        module, name = fault.store.__module__, fault.store.__qualname__
        runs += [(path, module, name, False), (path, module, name, True)]
        whose.append(str(fault))
    seen = ends(runs)

    assert [(who, end.partition(":")[0]) for who, end in zip(whose, seen[::2], strict=True)] == [
        (who, "AssertionError") for who in whose
    ]
    assert list(zip(whose, seen[1::2], strict=True)) == [(who, "") for who in whose]


@pytest.mark.long
@pytest.mark.parametrize("fault", faults(), ids=str)
def test_every_script_fails_on_its_store_and_passes_on_a_correct_one(fault: Fault, tmp_path: Path) -> None:
    """For each clause that a faulty store breaks; where there is no script, there is a reason."""
    module, name = fault.store.__module__, fault.store.__qualname__
    for clause in fault.clauses:
        result = check_clause(clause, sut_for(fault.store, **fault.declared), Effort(), search=CALLS)
        script = script_of(result)
        if clause.startswith("FLOW-") or WITHOUT.get(name) == clause:
            assert (script, bool(reason_script_missing(result))) == ("", True)
            continue
        assert script, reason_script_missing(result)
        path = tmp_path / f"{clause}.py"
        path.write_text(script, encoding="utf-8", errors="backslashreplace")
        broken, right = ends([(path, module, name, False), (path, module, name, True)])
        if not any(text.chance for text in texts_of(clause)):
            assert broken.startswith("AssertionError"), script
        assert right == "", script


class KeepsOldTokensAndLosesRedirects(RightStore):
    """Keeps the access token of a row that is updated, and loses the redirect URL of one that is inserted."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        return super().insert(state, {**sent, "redirect_url": None})

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(row, {**sent, "access_token": None})


def test_the_shortest_program_shows_the_fault_of_its_finding() -> None:
    """Of a store with two faults, the search does not end with the other one, which takes fewer calls."""
    result = check_clause("SAVE-4", sut_for(KeepsOldTokensAndLosesRedirects), Effort(), search=CALLS)

    shown = [one.shortest[-2] for one in result.findings if one.shortest]
    assert ["seen = stored(store, 'access_token')"] == shown


@pytest.mark.parametrize(
    "line",
    [
        "store.save_token(OAuthToken(user_signature=UserSignature('ann, (bob)'), access_token='"
        + "x" * 60
        + "'))",
        "    assert seen == [" + ", ".join(f"('token {number}', None)" for number in range(9)) + "], seen",
        "answer = store.find_token_by_id('" + "1" * 120 + "')",
        "token = new_token(id='1', access_token=" + "'a' + " * 30 + "'b')",
    ],
)
def test_a_long_line_is_broken_inside_its_brackets(line: str) -> None:
    """It says the same, and no line is longer than its longest word."""
    lines = folded(line)

    assert len(lines) > 1 or "(" not in line
    assert ast.dump(ast.parse("\n".join(lines).strip())) == ast.dump(ast.parse(line.strip()))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("x" * 4095 + "y", "'x' * 4095 + 'y'"),
        ("é,\r\n" * 50_000, "'é,\\r\\n' * 50000"),
        ("😀" * 4096, "'😀' * 4096"),
    ],
)
def test_a_long_text_is_written_as_the_repetition_that_it_is(text: str, written: str) -> None:
    """Nobody pastes two hundred thousand characters into a bug report."""
    assert written == long_text(text)
    assert text == eval(written)  # noqa: S307


PROGRAMS = {text.code: clause for clause in CLAUSES for text in texts_of(clause)}
FEWER = {"range(100)": "range(3)", "range(300)": "range(3)"}


@pytest.mark.parametrize(
    "code",
    # More rows of the same are for stores that count wrong.
    [code for code in PROGRAMS if not re.search(r"range\((257|513|1000)\)", code)],
    ids=PROGRAMS.__getitem__,
)
def test_a_program_written_beforehand_passes_on_a_correct_store(tmp_path: Path, code: str) -> None:
    """Also where chance decides whether it fails on a faulty one."""
    for many, few in FEWER.items():
        code = code.replace(many, few)
    (tmp_path / "program.py").write_text(OPENING + code, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, tmp_path / "program.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.long  # chance has a say in it
@pytest.mark.parametrize(
    ("clause", "name"),
    [
        ("THREAD-2", "NoLock"),
        ("THREAD-3", "LooksThenInserts"),
        ("THREAD-4", "TwoSteps"),
        ("THREAD-5", "ClearsRowByRow"),
        ("CRASH-1", "WritesEverySecondUpdate"),
        ("CRASH-2", "SwallowsWriteErrors"),
    ],
)
def test_a_program_that_chance_decides_fails_on_a_faulty_store(
    tmp_path: Path, clause: str, name: str
) -> None:
    """On one whose fault shows in nearly every round."""
    [fault] = [fault for fault in faults() if fault.store.__name__ == name and clause in fault.clauses]
    [text] = texts_of(clause)
    opening = OPENING.replace("tests.stores.right", fault.store.__module__).replace("RightStore", name)
    (tmp_path / "program.py").write_text(opening + text.code, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, tmp_path / "program.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert result.returncode == 1
    assert "AssertionError" in result.stderr


OPENING = """\
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

sys.path.insert(0, os.getcwd())
from tests.stores.right import RightStore

directory = tempfile.TemporaryDirectory()


def where(place="location 1"):
    return Path(directory.name, place)


def open_store(place="location 1"):
    where(place).mkdir(exist_ok=True)
    return RightStore(where(place))


def close_store(store):
    store.close()


def break_storage(store, location):
    location.rename(f"{location} away")


"""

STORES = """
from zoho_reference_stores import ListStore

class Doubling(ListStore):
    def save_token(self, token):
        token.set_id(None)
        super().save_token(token)

def doubling():
    return Doubling()
"""
TEST = """
from zoho_tokenstore_contract import TokenStoreContract
import stores

class TestDoubling(TokenStoreContract):
    persistent = False

    def open_store(self, location):
        return stores.Doubling()
"""
STATEMENT = ("-p", "no:randomly", "-k", "SAVE_3 or LIST_2", "--tokenstore-reproducers")


class TestOption:
    """``--tokenstore-reproducers DIR``."""

    @pytest.fixture(autouse=True)
    def project(self, pytester: pytest.Pytester) -> None:
        """A user's project."""
        pytester.makepyfile(stores=STORES, test_doubling=TEST)
        pytester.syspathinsert()

    def test_a_file_for_each_store_and_clause(self, pytester: pytest.Pytester) -> None:
        """A class, a function and a test class; each file ends in an assertion that fails."""
        named = ("--tokenstore=stores:Doubling", "--tokenstore=stores:doubling", "test_doubling.py")
        result = pytester.runpytest(*STATEMENT, "made/here", "--tokenstore-transient", *named)
        files = sorted((pytester.path / "made/here").iterdir())
        runs = [pytester.run(sys.executable, file) for file in files]

        assert [file.name for file in files] == [
            "stores_Doubling_SAVE_3.py",
            "stores_doubling_SAVE_3.py",
            "test_doubling_TestDoubling_SAVE_3.py",
        ]
        assert [run.ret for run in runs] == [1] * 3
        assert all("AssertionError" in str(run.stderr) for run in runs)
        assert "A test class, which imports the kit" in files[2].read_text("utf-8")
        assert str(result.stdout).count("script: ") == 3

    def test_the_same_files_by_several_processes(self, pytester: pytest.Pytester) -> None:
        """The process that reports writes them. The ids are drawn by chance."""
        named = ("--tokenstore=stores:Doubling", "--tokenstore-transient")
        pytester.runpytest(*STATEMENT, "alone", *named)
        pytester.runpytest(*STATEMENT, "together", *named, "-n", "2")
        made = [
            {
                file.name: re.sub(r"'\d{10}'", "an id", file.read_text("utf-8"))
                for file in (pytester.path / name).iterdir()
            }
            for name in ("alone", "together")
        ]

        assert made[0]
        assert made[0] == made[1]

    def test_what_is_there_already_is_left_alone(self, pytester: pytest.Pytester) -> None:
        """A file, and a directory with anything in it, are refused before anything is run."""
        (pytester.path / "full").mkdir()
        (pytester.path / "full" / "mine.py").write_text("mine")
        for name, says in (("full", "is not empty"), ("stores.py", "is a file")):
            result = pytester.runpytest(*STATEMENT, name, "--tokenstore=stores:Doubling")

            assert result.ret == pytest.ExitCode.USAGE_ERROR
            result.stderr.fnmatch_lines([f"*--tokenstore-reproducers: *{name} {says}*"])
        assert (pytester.path / "full" / "mine.py").read_text() == "mine"

    def test_an_empty_directory_will_do(self, pytester: pytest.Pytester) -> None:
        """Nothing is broken here, and so it stays empty."""
        (pytester.path / "empty").mkdir()
        named = ("--tokenstore=stores:Doubling", "--tokenstore-transient")
        result = pytester.runpytest("-k", "LIST_2", "--tokenstore-reproducers", "empty", *named)

        assert result.ret == pytest.ExitCode.OK
        assert list((pytester.path / "empty").iterdir()) == []


def test_calls_of_another_process_are_no_program() -> None:
    """The recorded token is not there to be passed again; what was written for the clause is shown."""
    calls = [CallRecord(1, "open"), CallRecord(1, "save_token", Row(user_name="ann"), "returned None")]

    with pytest.raises(Unplayable, match="in another process"):
        program_of(calls)
