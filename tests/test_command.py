"""The command ``zoho-tokenstore``: what it prints, what it ends with, and what it leaves alone."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from zoho_tokenstore_contract._checks.registry import checks_of
from zoho_tokenstore_contract._cli import commands
from zoho_tokenstore_contract._cli.scaffold import allowed, as_attribute, as_options
from zoho_tokenstore_contract._report.hints import REMEDIES
from zoho_tokenstore_contract._report.verdict import Record, Verdicts
from zoho_tokenstore_contract._spec.clause_results import ClauseResult, Finding, Outcome
from zoho_tokenstore_contract._spec.clauses import CLAUSES, CONTRACT_VERSION, GROUPS

pytestmark = pytest.mark.once

STORES = """
import sys
from zoho_reference_stores import ListStore
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken

class Loose(ListStore):
    def find_token(self, token):
        found = super().find_token(token)
        if found is None and hasattr(token, "set_redirect_url"):
            token.set_redirect_url("left behind")  # FIND-12, a SHOULD clause
        return found

class Hiding(ListStore):
    def find_token_by_id(self, id):
        raise KeyError("it's")

one = ListStore()
one.save_token(OAuthToken(access_token="somebody's"))

def full():
    return one

def leaving():
    sys.exit(0)
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project with stores in it, in which the command is given."""
    (tmp_path / "stores.py").write_text(STORES)
    monkeypatch.chdir(tmp_path)
    # A module of that name belongs to the project of each test.
    monkeypatch.delitem(sys.modules, "stores", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Give the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "zoho_tokenstore_contract", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


class TestCheck:
    """`zoho-tokenstore check`."""

    def test_a_project_that_is_set_up_otherwise_does_not_get_in_the_way(self, project: Path) -> None:
        """Neither its settings, nor its conftest.py, nor the environment; and nothing is left in it."""
        (project / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\nfilterwarnings = error\n")
        (project / "conftest.py").write_text("raise RuntimeError('conftest')\n")
        (project / "test_own.py").write_text("def test_own(): assert False\n")
        (project / "stores.py").write_text(f"import warnings\nwarnings.warn('old')\n{STORES}")
        before = {path.name for path in project.iterdir()}
        done = command(
            *("check", "stores:ListStore", "--transient", "--report", "report.json"),
            PYTEST_ADDOPTS="--nor-such-option",
        )

        assert done.returncode == 0, done.stdout + done.stderr
        assert "stores:ListStore: CONFORMS" in done.stdout
        [store] = json.loads((project / "report.json").read_text())["stores"]
        assert store["verdict"] == "conforms"
        assert {path.name for path in project.iterdir()} - before <= {"report.json", "__pycache__"}

    def test_a_line_is_printed_for_each_group(self) -> None:
        """In place of letters; the processes of pytest-xdist change nothing but their order."""
        pytest.importorskip("xdist")
        done = command("check", "stores:Hiding", "--transient", "--strict", "-n", "2")
        whole = len(CLAUSES)
        lines = [line for line in done.stdout.splitlines() if re.match(rf"\[ ?\d+/{whole}\] ", line)]
        told = {line.partition("] ")[2].split()[0]: line for line in lines}

        assert done.returncode == 1, done.stdout + done.stderr
        assert len(lines) == len(GROUPS)
        assert list(GROUPS) == sorted(told, key=list(GROUPS).index)
        assert re.search(r" 4 broken, 1 not reached, \d+\.\d s$", told["BYID"])
        assert re.search(r" 3 kept, \d+\.\d s$", told["LIST"])
        assert lines[-1].startswith(f"[{whole}/{whole}]")
        assert done.stdout.splitlines()[-1].endswith("not applicable")
        assert "stores:Hiding: VIOLATES" in done.stdout

    def test_the_line_of_a_group_does_not_wait_for_the_next(self, project: Path) -> None:
        """A slow store shows that it gets on, also where no terminal is: here it waits for the reader."""
        (project / "slow.py").write_text(
            "import os, pathlib, time\n"
            "from zoho_reference_stores import ListStore\n\n"
            "here = pathlib.Path.cwd()\n\n"
            "def store():\n"
            "    if '::test_FIND_1 ' in os.environ.get('PYTEST_CURRENT_TEST', ''):\n"
            "        for _ in range(500):\n"
            "            if (here / 'read').exists():\n"
            "                break\n"
            "            time.sleep(0.01)\n"
            "        (here / 'waited').write_text(str((here / 'read').exists()))\n"
            "    return ListStore()\n"
        )
        with subprocess.Popen(
            [sys.executable, "-m", "zoho_tokenstore_contract", "check", "slow:store", "--transient"],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    if "] SAVE " in line:
                        (project / "read").touch()
                    if "] FIND " in line:
                        break
            finally:
                process.kill()

        assert (project / "waited").read_text() == "True"

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            pytest.param(["stores"], "'stores' is not of the form PACKAGE.MODULE:FACTORY", id="no factory"),
            pytest.param(["nowhere:store"], "there is no module 'nowhere'", id="no module"),
            pytest.param(["stores:Looce"], "stores has no 'Looce'; did you mean 'Loose'?", id="misspelt"),
            pytest.param(["stores:leaving"], "stores:leaving: raised SystemExit", id="it exits"),
            pytest.param(["stores:full"], "the storage already holds 1 token(s)", id="not empty"),
            pytest.param(["stores:one"], "stores:one is not callable", id="no function"),
            pytest.param(
                ["stores:Loose", "--allow", "SAVE-99=why"],
                "--allow: there is no clause 'SAVE-99'",
                id="clause",
            ),
            pytest.param(["stores:Loose", "--allow", "SAVE-1"], "CLAUSE=REASON", id="no reason"),
            pytest.param(
                ["stores:Loose", "--report", "report.xml"], "'report.xml' does not end", id="report"
            ),
        ],
    )
    def test_what_cannot_be_checked_is_one_sentence(
        self, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """On standard error, with the status 2, and nothing on standard output."""
        status = commands.main(["check", *arguments])
        printed = capsys.readouterr()
        [line] = [line for line in printed.err.splitlines() if line.strip()]

        assert status == 2
        assert says in line
        assert printed.out == ""

    def test_processes_need_pytest_xdist(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The sentence says what to install; one process needs nothing."""
        find = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "xdist" else find(name))

        assert commands.main(["check", "stores:Loose", "-n", "2"]) == 2
        assert "python -m pip install pytest-xdist" in capsys.readouterr().err
        assert commands.main(["check", "nowhere:store", "-n", "1"]) == 2
        assert "xdist" not in capsys.readouterr().err

    @pytest.mark.parametrize(
        "arguments", [[], ["check"], ["check", "x:y", "-n", "0"], ["check", "--tran", "x:y"]]
    )
    def test_words_that_are_no_command(
        self, arguments: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Status 2, with the usage."""
        with pytest.raises(SystemExit) as ended:
            commands.main(arguments)

        assert ended.value.code == 2
        assert "usage: zoho-tokenstore" in capsys.readouterr().err


class TestClauses:
    """`zoho-tokenstore clauses`."""

    def test_the_whole_contract(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A line for each clause under a line for each group, with its level and text."""
        assert commands.main(["clauses"]) == 0
        lines = capsys.readouterr().out.splitlines()

        assert len(lines) == len(CLAUSES) + len(GROUPS)
        assert [line.split()[0] for line in lines if line.startswith("  ")] == list(CLAUSES)
        assert f"  DEL-1     MUST   {CLAUSES['DEL-1'].text}" in lines

    def test_a_group(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Its own clauses alone, whatever the case."""
        assert commands.main(["clauses", "del"]) == 0
        lines = capsys.readouterr().out.splitlines()

        assert ["DEL:", *(f"DEL-{number}" for number in range(1, 6))] == [line.split()[0] for line in lines]

    @pytest.mark.parametrize("clause", CLAUSES)
    def test_one_clause(self, clause: str, capsys: pytest.CaptureFixture[str]) -> None:
        """Its text, why it matters, its source and what is tried, in lines that fit."""
        assert commands.main(["clauses", clause.lower()]) == 0
        text = capsys.readouterr().out
        words = " ".join(text.split())

        assert words.startswith(f"{clause} ({CLAUSES[clause].level.value})")
        assert " ".join(CLAUSES[clause].text.split()) in words
        assert f"Why it matters: {CLAUSES[clause].why}" in words
        assert "Source: " in words
        assert len(checks_of(clause)) == text.count("\n- ")
        assert max(map(len, text.splitlines())) <= 100

    def test_an_unknown_clause(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Status 2, and the closest that there is."""
        assert commands.main(["clauses", "svae-4"]) == 2
        assert "no clause or group 'svae-4'; did you mean SAVE-4?" in capsys.readouterr().err

    def test_a_reader_who_has_read_enough(self) -> None:
        """`| head` is no error."""
        reading, writing = os.pipe()
        os.close(reading)
        try:
            done = subprocess.run(
                [sys.executable, "-m", "zoho_tokenstore_contract", "clauses"],
                stdout=writing,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        finally:
            os.close(writing)

        assert (done.returncode, done.stderr) == (0, "")


class TestAllow:
    """`zoho-tokenstore allow`."""

    def test_what_it_prints_makes_the_run_pass(self, project: Path) -> None:
        """Pasted into a class; and the options are the same list."""
        listed = command("allow", "stores:Hiding", "--transient")
        before, _, rest = listed.stdout.partition("# Or on the command line:\n")
        (project / "test_hiding.py").write_text(
            "from stores import Hiding\n"
            "from zoho_tokenstore_contract import TokenStoreContract\n\n"
            "class TestHiding(TokenStoreContract):\n"
            "    persistent = False\n"
            f"{before}\n"
            "    def open_store(self, location):\n"
            "        return Hiding()\n"
        )
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "test_hiding.py"],
            capture_output=True,
            text=True,
            check=False,
        )

        assert listed.returncode == 0, listed.stderr
        assert before.count('": "TODO why it may; seen: raised KeyError: its"') > 1
        assert before.count('": "') == rest.count("--allow ")
        assert done.returncode == 0, done.stdout
        assert "test_hiding:TestHiding: CONFORMS" in done.stdout

    def test_the_list_can_be_pasted_whatever_was_seen(self) -> None:
        """Into Python and into a shell; clauses that fail no run are not on it."""
        seen = 'raised\n"it\'s" \\ $HOME `x` \0\ud800!' + " long" * 40
        finding = Finding("x", "y", seen, (), precondition_failed=False)
        verdicts = Verdicts()
        for clause, outcome, reason in (
            ("SAVE-1", Outcome.BROKEN, ""),
            ("FIND-12", Outcome.BROKEN, ""),  # a SHOULD clause
            ("LIST-1", Outcome.ALLOWED, 'Allowed: it\'s "ours"'),
        ):
            verdicts.add(Record("x", "x", False, ClauseResult(clause, outcome, (finding,), reason)))
        reasons = allowed(verdicts.stores["x"])
        pasted: dict[str, dict[str, str]] = {}
        exec(as_attribute(reasons), pasted)  # noqa: S102 (it is what is tested)
        echoed = subprocess.run(
            ["sh", "-c", f"printf '%s\\n' {' '.join(as_options(reasons))}"],
            capture_output=True,
            text=True,
            check=True,
        )

        assert set(reasons) == {"SAVE-1", "LIST-1"}
        assert pasted["allowed"] == reasons
        assert reasons["LIST-1"] == 'it\'s "ours"'
        assert reasons["SAVE-1"].startswith("TODO why it may; seen: raised its HOME x")
        assert len(reasons["SAVE-1"]) < 120
        assert echoed.stdout.splitlines()[1::2] == [
            f"{clause}={reason}" for clause, reason in reasons.items()
        ]


class TestHelp:
    """What the command says of itself."""

    @pytest.mark.parametrize("name", ["check", "clauses", "copy", "init", "allow"])
    def test_every_command_has_examples(self, name: str, capsys: pytest.CaptureFixture[str]) -> None:
        """Each is a command line that the parser takes."""
        with pytest.raises(SystemExit) as ended:
            commands.main([name, "--help"])
        text = capsys.readouterr().out

        assert ended.value.code == 0
        assert f"\nexamples:\n  zoho-tokenstore {name}" in text

    def test_the_versions(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Of the kit, the contract and the SDK."""
        with pytest.raises(SystemExit) as ended:
            commands.main(["--version"])
        kit, contract, sdk = capsys.readouterr().out.splitlines()

        assert ended.value.code == 0
        assert kit.startswith("pytest-zoho-tokenstore ")
        assert contract == f"contract {CONTRACT_VERSION}"
        assert sdk.startswith("SDK: zohocrmsdk")

    @pytest.mark.parametrize("arguments", [["--help"], ["clauses"], ["copy", "list", "mine.py"]])
    def test_nothing_heavy_is_loaded_for_a_word(self, arguments: list[str]) -> None:
        """Neither the SDK nor pytest nor Hypothesis: such a command answers at once."""
        program = (
            "import sys, atexit\n"
            "from zoho_tokenstore_contract._cli.commands import main\n"
            "atexit.register(lambda: print({'pytest', 'hypothesis', 'zohocrmsdk'} & set(sys.modules)))\n"
            f"main({arguments!r})\n"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

        assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize("remedy", REMEDIES.values())
def test_a_command_that_a_report_names_works(
    remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is written there, and with nothing but what is installed."""
    [command] = re.findall(r"\(zoho-tokenstore ([^)]+)\)", remedy)
    monkeypatch.chdir(tmp_path)

    assert commands.main(shlex.split(command)) == 0
