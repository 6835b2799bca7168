"""The plugin as its users meet it: options, classes, errors, verdicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

# Loaded here once, so that each run inside a test does not load the SDK and Hypothesis again.
import zoho_reference_stores  # noqa: F401
import zoho_tokenstore_contract._drivers.hypothesis_examples
import zoho_tokenstore_contract._runner.targets  # noqa: F401
from tests.counting import SOURCE
from zoho_tokenstore_contract._drivers.processes import fork_server
from zoho_tokenstore_contract._spec.clauses import CLAUSES

STORE = (
    SOURCE
    + """
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken

def keeping():
    return ListStore()

class Doubling(Counting):
    def save_token(self, token):
        signature = token.get_user_signature()
        if signature and self.find_token(OAuthToken(user_signature=signature)):
            token.set_id(None)
            token.set_user_signature(None)
        super().save_token(token)
        token.set_user_signature(signature)

class Unordered(ListStore):
    def get_tokens(self):
        return super().get_tokens()[::-1]

class Loose(ListStore):
    def find_token(self, token):
        found = super().find_token(token)
        if found is None and hasattr(token, "set_redirect_url"):
            token.set_redirect_url("left behind")  # FIND-12, a SHOULD clause
        return found
"""
)
TEST = """
from zoho_tokenstore_contract import TokenStoreContract
import stores

class TestKeeping(TokenStoreContract):
    persistent = False

    def open_store(self, location):
        return stores.keeping()
"""

FIXTURE = """
    @pytest.fixture(autouse=True)
    def server(self):
        {}
"""


@pytest.fixture(autouse=True)
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A user's project with stores of its own."""
    pytester.makepyfile(stores=STORE)
    pytester.syspathinsert()
    return pytester


def check(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    """Run pytest without the plugins that shuffle tests or run them in parallel."""
    return pytester.runpytest("-p", "no:randomly", *options)


def words(result: pytest.RunResult) -> str:
    """What a run printed, without the line breaks of the terminal's width."""
    return " ".join(str(result.stdout).split())


def report(pytester: pytest.Pytester, *options: str) -> dict[str, Any]:
    """Run pytest with a report, and read it."""
    check(pytester, "--tokenstore-report", "report.json", *options)
    loaded: dict[str, Any] = json.loads((pytester.path / "report.json").read_text())
    return loaded


def outcomes(store: dict[str, Any]) -> dict[str, str]:
    """The outcome of each clause that was run."""
    return {clause["id"]: clause["outcome"] for clause in store["clauses"] if clause["outcome"] != "not-run"}


def findings(made: dict[str, Any]) -> Any:
    """What a report says of its stores, without its date and duration."""
    return made["stores"]


class TestCollecting:
    """Which tests a run has."""

    def test_a_named_store_is_checked_without_a_test_file(self, pytester: pytest.Pytester) -> None:
        """Every clause is a test, after the smoke check."""
        result = check(pytester, "--collect-only", "-q", "--tokenstore", "stores:keeping")

        assert len(CLAUSES) + 1 == sum("::" in line for line in result.outlines)
        result.stdout.fnmatch_lines(
            ["stores:keeping::keeping::test_smoke", "stores:keeping::keeping::test_IFACE_1"]
        )

    def test_nothing_else_is_collected_unless_it_is_named(self, pytester: pytest.Pytester) -> None:
        """The project's own tests run beside the named store only where their path is given."""
        pytester.makepyfile(test_own="def test_own(): pass")
        without = check(pytester, "--collect-only", "-q", "--tokenstore", "stores:keeping")
        beside = check(pytester, "--collect-only", "-q", "--tokenstore", "stores:keeping", "test_own.py")

        assert "test_own.py::test_own" not in without.outlines
        assert "test_own.py::test_own" in beside.outlines

    def test_naming_rules_of_the_project_do_not_hide_clauses(self, pytester: pytest.Pytester) -> None:
        """A project that calls its tests otherwise still has every clause checked."""
        pytester.makeini("[pytest]\npython_functions = check_*\n")
        pytester.makepyfile(TEST)
        result = check(pytester, "--collect-only", "-q")

        assert len(CLAUSES) + 1 == sum("::" in line for line in result.outlines)

    def test_a_subclass_is_a_target_too(self, pytester: pytest.Pytester) -> None:
        """It is taken as it declares itself."""
        pytester.makepyfile(contracts=TEST)
        [store] = report(pytester, "--tokenstore", "contracts:TestKeeping", "-k", "PERSIST_1 or LIST_2")[
            "stores"
        ]

        assert {"LIST-2": "kept", "PERSIST-1": "not-applicable"} == outcomes(store)

    def test_the_same_target_twice_is_one_store(self, pytester: pytest.Pytester) -> None:
        """Naming it again changes nothing."""
        named = ["--tokenstore", "stores:keeping"] * 2

        assert 1 == len(report(pytester, *named, "-k", "LIST_2")["stores"])

    def test_the_current_directory_is_the_location(self, pytester: pytest.Pytester) -> None:
        """A store that writes beside itself leaves nothing in the user's directory."""
        pytester.makepyfile(
            beside="""
            from zoho_reference_stores import SQLiteFileStore

            def store():
                return SQLiteFileStore("tokens.db")
            """
        )
        result = check(pytester, "--tokenstore", "beside:store", "-k", "ISO or PERSIST_1")

        result.assert_outcomes(passed=2)
        assert not (pytester.path / "tokens.db").exists()


class TestRefusing:
    """What cannot be checked is one clear line and a non-zero status."""

    @pytest.mark.parametrize(
        ("target", "says"),
        [
            pytest.param("stores", "'stores' is not of the form PACKAGE.MODULE:FACTORY", id="no factory"),
            pytest.param("nowhere:store", "there is no module 'nowhere'", id="no module"),
            pytest.param("stores:keepin", "stores has no 'keepin'; did you mean 'keeping'?", id="misspelt"),
            pytest.param("stores:STORES.x", "stores has no 'STORES.x'", id="no attribute"),
            pytest.param("broken:store", "importing broken fails: ZeroDivisionError", id="broken module"),
            pytest.param(
                "missing:store", "importing missing fails: ModuleNotFoundError", id="missing import"
            ),
            pytest.param("odd:number", "odd:number is not callable", id="not callable"),
            pytest.param("odd:failing", "odd:failing: raised RuntimeError: no server", id="cannot open"),
            pytest.param("odd:full", "odd:full: the storage already holds 1 token(s)", id="not empty"),
        ],
    )
    def test_a_target_that_cannot_be_checked(self, pytester: pytest.Pytester, target: str, says: str) -> None:
        """The reason stands in one line, and nothing was run or written."""
        pytester.makepyfile(
            broken="1 / 0",
            missing="import no_such_module",
            odd="""
            from zoho_reference_stores import ListStore
            from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken

            number = 1
            one = ListStore()
            one.save_token(OAuthToken(access_token="somebody's"))

            def failing():
                raise RuntimeError("no server")

            def full():
                return one
            """,
        )
        result = check(pytester, "--tokenstore", target)

        assert pytest.ExitCode.USAGE_ERROR == result.ret
        assert [] != [line for line in result.errlines if says in line]
        assert 1 == len([line for line in result.errlines if line.strip()])

    def test_a_wrong_name_with_pytest_xdist(self, pytester: pytest.Pytester) -> None:
        """Its workers have started by then: it is one line all the same."""
        result = pytester.runpytest_subprocess("--tokenstore", "nowhere:store", "-n", "2")

        assert pytest.ExitCode.USAGE_ERROR == result.ret
        assert [] != [line for line in result.errlines if "there is no module 'nowhere'" in line]
        assert 1 == len([line for line in result.errlines if line.strip()])

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (["--tokenstore-allow", "SAVE-99=why"], "there is no clause 'SAVE-99'"),
            (["--tokenstore-allow", "SAVE-1"], "'SAVE-1' is not of the form CLAUSE=REASON"),
            (["--tokenstore-allow", "save-1=why"], "did you mean SAVE-1?"),
            (["--tokenstore-report", "report.xml"], "'report.xml' does not end in .json"),
            (["--tokenstore-report", "nowhere/report.json"], "there is no directory"),
        ],
    )
    def test_an_option_that_makes_no_sense(
        self, pytester: pytest.Pytester, options: list[str], says: str
    ) -> None:
        """The reason stands in one line."""
        result = check(pytester, "--tokenstore", "stores:keeping", *options)

        assert pytest.ExitCode.USAGE_ERROR == result.ret
        result.stderr.fnmatch_lines([f"*{says}*"])

    def test_an_option_for_named_stores_without_any(self, pytester: pytest.Pytester) -> None:
        """It would be ignored in silence."""
        result = check(pytester, "--tokenstore-transient")

        assert pytest.ExitCode.USAGE_ERROR == result.ret
        result.stderr.fnmatch_lines(["*--tokenstore-transient needs a store: name one with --tokenstore"])

    def test_a_storage_in_use_is_left_alone(self, pytester: pytest.Pytester) -> None:
        """A contract class on a storage that holds tokens is an error, and the tokens stay."""
        pytester.makepyfile(
            """
            from zoho_reference_stores import ListStore
            from zoho_tokenstore_contract import TokenStoreContract
            from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken

            table = ListStore()
            table.save_token(OAuthToken(access_token="somebody's"))

            class TestTable(TokenStoreContract):
                own_storage = False
                persistent = False

                def open_store(self, location):
                    return table

            def test_afterwards():
                assert ["somebody's"] == [token.get_access_token() for token in table.get_tokens()]
            """
        )
        result = check(pytester, "-k", "smoke or CLEAR or SAVE_21 or afterwards")

        assert "1 passed, " in words(result)
        assert "NO VERDICT" in words(result)
        assert "already holds 1 token(s) that the kit did not save; nothing was written" in words(result)

    @pytest.mark.parametrize("how", ["def test_SAVE_1(self): pass", "test_SAVE_1 = None"])
    def test_a_replaced_test(self, pytester: pytest.Pytester, how: str) -> None:
        """A subclass that replaces or removes a clause's test fails, with the way to do it."""
        pytester.makepyfile(TEST + f"\n    {how}\n")
        result = check(pytester)

        assert pytest.ExitCode.INTERRUPTED == result.ret
        result.stdout.fnmatch_lines(
            ["*TestKeeping overrides or removes test_SAVE_1*allowed = {'SAVE-1': 'why'}*"]
        )

    def test_a_test_that_is_replaced_after_the_class_was_made(self, pytester: pytest.Pytester) -> None:
        """It fails all the same."""
        pytester.makepyfile(TEST + "\nTestKeeping.test_SAVE_1 = None\n")
        result = check(pytester)

        assert pytest.ExitCode.OK != result.ret
        result.stdout.fnmatch_lines(["*TestKeeping overrides or removes test_SAVE_1*"])

    def test_a_clause_that_does_not_exist_in_a_class(self, pytester: pytest.Pytester) -> None:
        """The list of a class is as strict as that of the command line."""
        pytester.makepyfile(TEST + "\n    allowed = {'SAVE-99': 'why'}\n")
        result = check(pytester)

        assert pytest.ExitCode.OK != result.ret
        result.stdout.fnmatch_lines(["*allowed: there is no clause 'SAVE-99'*"])


class TestVerdicts:
    """What a run says of its stores."""

    def test_a_part_of_the_contract_is_no_verdict(self, pytester: pytest.Pytester) -> None:
        """A filtered run conforms to nothing, whatever passed, and says so."""
        [store] = report(pytester, "--tokenstore", "stores:keeping", "-k", "LIST_2")["stores"]
        result = check(pytester, "--tokenstore", "stores:keeping", "-k", "LIST_2")

        assert (None, {"LIST-2": "kept"}) == (store["verdict"], outcomes(store))
        result.stdout.fnmatch_lines(
            [f"stores:keeping: NO VERDICT ({len(CLAUSES) - 1} of {len(CLAUSES)} clauses*"]
        )

    def test_nothing_is_no_verdict(self, pytester: pytest.Pytester) -> None:
        """A run in which every test was deselected names the store, without a verdict."""
        [store] = report(pytester, "--tokenstore", "stores:keeping", "-k", "nothing_of_that_name")["stores"]

        assert ("stores:keeping", None, {}) == (store["target"], store["verdict"], outcomes(store))

    def test_an_interrupted_run_is_no_verdict(self, pytester: pytest.Pytester) -> None:
        """After the first failure of ``-x``, the rest is not run."""
        [store] = report(pytester, "--tokenstore", "stores:Doubling", "--tokenstore-transient", "-x")[
            "stores"
        ]

        assert store["verdict"] is None
        assert "not-run" in {clause["outcome"] for clause in store["clauses"]}

    def test_the_report_is_complete(self, pytester: pytest.Pytester) -> None:
        """Schema 1 has all that a reader needs to know what was checked, and with what."""
        made = report(
            pytester, "--tokenstore", "stores:Doubling", "--tokenstore-transient", "-k", "SAVE_4 or PROC_1"
        )
        [store] = made["stores"]
        clauses = {clause["id"]: clause for clause in store["clauses"]}
        [finding, *_] = clauses["SAVE-4"]["findings"]

        run = {"date", "seconds", "command"}
        assert {"schema", "kit", "contract", "sdk", "python", "stores"} | run == set(made)
        assert "--tokenstore stores:Doubling" in made["command"]
        assert {"distribution", "version"} == set(made["sdk"])
        assert list(CLAUSES) == list(clauses)
        assert "broken" == clauses["SAVE-4"]["outcome"]
        public = {"check", "expected", "seen", "done", "arranging", "script", "no_script"}
        assert public | {"shortest", "difference"} == set(finding)
        assert "save_token" == finding["difference"]["method"]
        assert "from stores import Doubling" in finding["script"]
        assert "the store is declared as not persistent" == clauses["PROC-1"]["reason"]

    def test_a_broken_should_clause_does_not_fail_the_run(self, pytester: pytest.Pytester) -> None:
        """It is told in the summary; under the strict option it fails."""
        options = ("--tokenstore", "stores:Loose", "--tokenstore-transient", "-k", "FIND_12")
        lenient, strict = check(pytester, *options), check(pytester, *options, "--tokenstore-strict")

        assert (0, 1) == (lenient.ret, strict.ret)
        assert "FIND-12 (SHOULD) is not kept: find_token" in words(lenient)
        assert "left behind" in words(strict).partition("seen:")[2]

    def test_an_allowed_clause_may_be_broken(self, pytester: pytest.Pytester) -> None:
        """The report gives the reason."""
        allowed = ("--tokenstore-allow", "SAVE-4=we have one user")
        [store] = report(
            pytester, "--tokenstore", "stores:Doubling", "--tokenstore-transient", *allowed, "-k", "SAVE_4"
        )["stores"]
        [clause] = [clause for clause in store["clauses"] if clause["id"] == "SAVE-4"]

        assert ("allowed", "Allowed: we have one user") == (clause["outcome"], clause["reason"])

    def test_an_allowed_clause_that_is_kept_fails(self, pytester: pytest.Pytester) -> None:
        """The list is strict both ways."""
        result = check(
            pytester, "--tokenstore", "stores:keeping", "--tokenstore-allow", "LIST-2=old", "-k", "LIST_2"
        )

        assert pytest.ExitCode.TESTS_FAILED == result.ret
        assert "this store keeps it: take it off the list" in words(result)

    def test_a_failing_fixture_is_an_error_of_its_own(self, pytester: pytest.Pytester) -> None:
        """A fault of the factory's surroundings is told apart from a broken clause."""
        pytester.makepyfile(
            TEST.replace("import stores", "import pytest, stores")
            + FIXTURE.format("raise OSError('no server')")
        )
        [store] = report(pytester, "-k", "LIST_2")["stores"]

        assert {"LIST-2": "error"} == outcomes(store)

    def test_fixtures_reach_the_store(self, pytester: pytest.Pytester) -> None:
        """What a fixture sets on the instance is there in ``open_store``."""
        pytester.makepyfile(
            TEST.replace("import stores", "import pytest, stores").replace("stores.keeping()", "self.made()")
            + FIXTURE.format("self.made = stores.keeping")
        )

        check(pytester, "-k", "LIST_2").assert_outcomes(passed=1)

    def test_processes_share_the_work(self, pytester: pytest.Pytester) -> None:
        """With pytest-xdist the report is the same as without."""
        pytest.importorskip("xdist")
        options = (
            "--tokenstore",
            "stores:Doubling",
            "--tokenstore-transient",
            "-k",
            "LIST or SAVE_4 or DEL_1",
        )
        alone, together = report(pytester, *options), report(pytester, *options, "-n", "2")

        assert findings(alone) == findings(together)

    def test_a_shared_storage_is_not_checked_by_several_processes(self, pytester: pytest.Pytester) -> None:
        """They would empty it under one another."""
        pytest.importorskip("xdist")
        result = check(
            pytester, "--tokenstore", "stores:keeping", "--tokenstore-shared-storage", "-n", "2", "-k", "LIST"
        )

        assert pytest.ExitCode.TESTS_FAILED == result.ret
        assert "Run it without -n, or with --dist loadscope" in words(result)

    def test_every_run_sees_the_same(self, pytester: pytest.Pytester) -> None:
        """Neither the order of tests nor Hypothesis settings of the project change what is found."""
        pytester.makeconftest(
            """
            import hypothesis
            hypothesis.settings.register_profile("mine", max_examples=1, deadline=1)
            hypothesis.settings.load_profile("mine")
            """
        )
        options = ("--tokenstore", "stores:Doubling", "--tokenstore-transient", "-k", "VALUE_1 or MODEL")
        first = report(pytester, *options)
        (pytester.path / "conftest.py").unlink()
        second = report(pytester, *options, "-p", "no:randomly", "-p", "no:cacheprovider")

        assert findings(first) == findings(second)
        assert not Path(pytester.path / ".hypothesis").exists()


class TestSmoke:
    """One root cause comes first."""

    @pytest.mark.parametrize(
        ("body", "cause"),
        [
            pytest.param("def save_token(self, token): pass", "what is saved is gone", id="discards"),
            pytest.param(
                "async def find_token(self, token): return None",
                "`find_token` is a coroutine function",
                id="async",
            ),
            pytest.param(
                "def save_token(self, user, token): pass", "written for another interface", id="older"
            ),
            pytest.param(
                "def save_token(self, token): self.delete_tokens() or super().save_token(token)",
                "keeps one token for all users",
                id="one slot",
            ),
            pytest.param(
                "def find_token(self, token): raise KeyError('x')",
                "`find_token` raises KeyError",
                id="raises",
            ),
        ],
    )
    def test_the_root_cause_is_named(self, pytester: pytest.Pytester, body: str, cause: str) -> None:
        """The summary opens with it."""
        pytester.makepyfile(
            faulty=f"from zoho_reference_stores import ListStore\n\nclass Store(ListStore):\n    {body}\n"
        )
        result = check(
            pytester, "--tokenstore", "faulty:Store", "--tokenstore-transient", "-k", "smoke or LIST_2"
        )

        result.stdout.fnmatch_lines(["faulty:Store: NO VERDICT*", "  Root cause: *"])
        assert cause in words(result).partition("Root cause: ")[2]

    def test_a_good_store_has_none(self, pytester: pytest.Pytester) -> None:
        """A root cause is not invented."""
        result = check(pytester, "--tokenstore", "stores:keeping", "--tokenstore-transient", "-k", "smoke")

        assert pytest.ExitCode.OK == result.ret
        result.stdout.no_fnmatch_line("*Root cause*")


@pytest.mark.parametrize(
    ("options", "begun"),
    [
        (["zoho_reference_stores:SQLiteFileStore", "-k", "CRASH_4"], ["started"]),
        (["zoho_reference_stores:SQLiteFileStore", "-k", "CRASH_4", "--collect-only"], []),
        (["zoho_reference_stores:SQLiteFileStore", "-k", "SAVE_1"], []),
        (["stores:keeping", "--tokenstore-transient", "-k", "CRASH_4"], []),
    ],
)
def test_what_takes_seconds_to_start_is_started_at_the_end_of_collection(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, options: list[str], begun: list[str]
) -> None:
    """Where a test that runs may need it, and nowhere else."""
    told: list[str] = []
    monkeypatch.setattr(fork_server, "get_ready", lambda: told.append("started"))

    check(pytester, "--tokenstore", *options)

    assert told == begun
