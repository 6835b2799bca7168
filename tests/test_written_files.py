"""What ``zoho-tokenstore copy`` and ``init`` write runs as it is, and is written once."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import zoho_reference_stores
from tests.servers import skip_or_fail
from zoho_tokenstore_contract._cli import commands
from zoho_tokenstore_contract._cli.scaffold import TESTS, bundled, camel, snake

pytestmark = pytest.mark.once

BUNDLE = Path(zoho_reference_stores.__file__).parent
STORES = """
from pathlib import Path
from zoho_reference_stores import ListStore, SQLiteFileStore
from zoho_tokenstore_contract import TokenStoreContract

class ByFile(SQLiteFileStore):
    def __init__(self, path):
        assert not Path(path).is_dir(), "a directory is no file"
        super().__init__(path)

class LateByFile(ListStore):
    def __init__(self, path):
        super().__init__()
        self.path = Path(path)

    def save_token(self, token):
        self.path.write_text("kept")
        super().save_token(token)

class Outer:
    make_it = SQLiteFileStore

def beside():
    return SQLiteFileStore("tokens.db")

def failing():
    raise OSError("no server")

class TestIt(TokenStoreContract):
    def open_store(self, location):
        return ListStore()
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project with stores in it, in which the command is given."""
    (tmp_path / "app_stores.py").write_text(STORES)
    monkeypatch.chdir(tmp_path)
    # A module of that name belongs to the project of each test.
    monkeypatch.delitem(sys.modules, "app_stores", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


def run_pytest(*arguments: str) -> str:
    """Run pytest in the project, which has to succeed."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@contextlib.contextmanager
def on_redis() -> Iterator[None]:
    """A server where the copied test looks for one."""
    from tests import redis_server

    skip_or_fail(redis_server.missing())
    with redis_server.running() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REDIS_URL", server.url)
        yield


SERVED = {"redis": on_redis}
"""Stores whose copied test needs a server."""
ON_AWS = {"dynamodb", "secrets-manager"}
"""Stores whose copied test takes minutes."""


class TestCopy:
    """`zoho-tokenstore copy`."""

    def test_every_reference_store_has_a_name_and_a_test(self) -> None:
        """Those of the modules that define one; what most people mean by SQLite is the file."""
        files = (
            path.relative_to(BUNDLE)
            for path in BUNDLE.rglob("[!_]*.py")
            if re.search(r"class \w+Store\(", path.read_text())
        )
        modules = {Path(path.parts[0]).stem for path in files if path.parts[0] != TESTS}
        stores = bundled()

        assert {path.stem for path in stores.values()} == modules
        assert {"list": "list_store", "sqlite": "sqlite_file", "sqlite-memory": "sqlite_memory"}.items() <= {
            name: path.stem for name, path in stores.items()
        }.items()
        assert {path.stem for path in (BUNDLE / TESTS).glob("[!_]*.py")} == modules

    @pytest.mark.parametrize("name", bundled())
    def test_the_copy_is_the_store_and_is_tested(self, name: str, project: Path) -> None:
        """The module as it is, and what it imports beside it; only the names of imports are others."""
        original = bundled()[name]
        assert commands.main(["copy", name, f"./mine{original.suffix}"]) == 0
        test = (project / "test_mine.py").read_text()
        copied = {path.name for path in project.glob("*.py")} - {"app_stores.py", "test_mine.py", "mine.py"}

        sources = [("mine.py", original)] if original.suffix else []
        for path, source in [*sources, *((one, BUNDLE / one) for one in copied)]:
            assert (project / path).read_text() == source.read_text().replace("\nfrom .", "\nfrom ")
        assert re.search(r"\nfrom mine[.\w]* import ", test)
        assert f"{BUNDLE.name}.{original.stem}" not in test

    @pytest.mark.parametrize("name", bundled())
    def test_the_copy_stands_alone(self, name: str, project: Path) -> None:
        """Where nothing of the bundle can be imported, its modules can."""
        store = bundled()[name]
        commands.main(["copy", name, f"./mine{store.suffix}"])
        script = f"""
import importlib.util, sys
sys.path.insert(0, {str(project)!r})
sys.modules[{BUNDLE.name!r}] = None
import mine{"" if store.suffix else ".store"}
"""
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

        assert (done.returncode, done.stderr) == (0, "")

    def test_a_package_is_copied_whole(self, project: Path) -> None:
        """With its migrations, and with what it imports from beside it."""
        assert commands.main(["copy", "django", "mine"]) == 0
        copied = {path.relative_to(project / "mine").as_posix() for path in (project / "mine").rglob("*.py")}
        store = (project / "mine" / "store.py").read_text()

        assert {"apps.py", "migrations/0001_initial.py", "token_fields.py", "token_lookup.py"} <= copied
        assert "\nfrom .token_fields import" in store
        assert "\nfrom .." not in store

    @pytest.mark.parametrize("name", sorted(set(bundled()) - ON_AWS))
    def test_what_is_copied_passes_as_it_is(self, name: str, project: Path) -> None:
        """A group of the contract and the hooks, for the rest is run on the store itself."""
        commands.main(["copy", name, f"./mine{bundled()[name].suffix}"])
        with SERVED.get(name, contextlib.nullcontext)():
            told = run_pytest("test_mine.py", "--tokenstore-only", "BYID,LIST,CRASH-4,CRASH-5")

        in_memory = name in ("list", "sqlite-memory")
        assert ("8 passed" if in_memory else "10 passed") in told
        assert ("2 not applicable" in told) == in_memory

    def test_the_names_that_the_kit_and_its_docs_tell_are_names(self) -> None:
        """Each ``zoho-tokenstore copy NAME`` can be typed as it is told."""
        root = Path(__file__).parent.parent
        told = {
            name
            for folder, ending in (
                ("contract", "py"),
                ("reference_stores", "py"),
                ("docs", "md"),
                (".", "md"),
            )
            for path in (root / folder).glob(f"{'' if folder == '.' else '**/'}*.{ending}")
            for name in re.findall(r"zoho-tokenstore\s+copy ([\w-]+)", path.read_text(encoding="utf-8"))
        }

        assert "single-flight" in told
        assert told - {"NAME"} <= set(bundled())

    def test_a_package_has_no_ending(self, capsys: pytest.CaptureFixture[str]) -> None:
        """And a module has one."""
        assert commands.main(["copy", "django", "mine.py"]) == 2
        assert "it has to be like ./my_store\n" in capsys.readouterr().err

    def test_stores_that_are_copied_to_one_place_share_what_they_import(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The second copy leaves it as it is, and refuses to be written beside another version of it."""
        commands.main(["copy", "list", "one.py"])
        capsys.readouterr()
        assert commands.main(["copy", "list", "two.py"]) == 0
        assert "wrote two.py\nwrote test_two.py\n" in capsys.readouterr().out

        (project / "token_fields.py").write_text("another version")
        assert commands.main(["copy", "list", "three.py"]) == 2
        assert "token_fields.py exists" in capsys.readouterr().err
        assert not (project / "three.py").exists()

    def test_the_pair_passes_as_it_is(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """The whole contract, by the command that it names."""
        commands.main(["copy", "list", "mine.py"])
        told = capsys.readouterr().out
        command = re.fullmatch(r"Next: python -m pytest (.+)", told.splitlines()[-1])

        assert told.startswith("wrote mine.py\nwrote token_fields.py\nwrote test_mine.py\n")
        assert command is not None
        assert "test_mine:TestListStore: CONFORMS" in run_pytest(command[1])

    def test_in_a_package_it_is_imported_by_its_full_name(self, project: Path) -> None:
        """As pytest names the modules beside it."""
        (project / "app" / "stores").mkdir(parents=True)
        for package in ("app", "app/stores"):
            (project / package / "__init__.py").touch()
        status = commands.main(["copy", "sqlite", "app/stores/mine.py"])

        assert status == 0
        assert "from app.stores.mine import" in (project / "app/stores/test_mine.py").read_text()
        assert "\nfrom .token_fields import" in (project / "app/stores/mine.py").read_text()
        assert "\n2 passed" in run_pytest("-k", "LIST_1 or CRASH_4", "app/stores/test_mine.py")

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            pytest.param(
                ["sqlit", "mine.py"], "no reference store 'sqlit'; did you mean sqlite?", id="misspelt"
            ),
            pytest.param(["nothing", "mine.py"], "no reference store 'nothing': there are ", id="unknown"),
            pytest.param(["list", "app_stores.py"], "app_stores.py exists", id="the module is there"),
            pytest.param(["list", "there.py"], "test_there.py exists", id="the test is there"),
            pytest.param(["list", "no/mine.py"], "there is no directory no", id="no directory"),
            pytest.param(["list", "my-store.py"], "my-store.py is no name of a module", id="no identifier"),
            pytest.param(["list", "class.py"], "class.py is no name of a module", id="keyword"),
            pytest.param(["list", "mine"], "mine is no name of a module", id="no module"),
            pytest.param(
                ["list", "token_fields.py"], "that the store imports", id="a module that it imports"
            ),
            pytest.param(["list", "."], "is no name of a module", id="directory"),
            pytest.param(["list", "secrets.py"], "hide Python's own module secrets", id="standard library"),
        ],
    )
    def test_what_cannot_be_written(
        self, arguments: list[str], says: str, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Status 2, one sentence, and nothing is written or changed."""
        (project / "test_there.py").write_text("mine")
        before = {path: path.read_bytes() for path in project.iterdir()}
        status = commands.main(["copy", *arguments])
        printed = capsys.readouterr()

        assert status == 2
        assert says in printed.err
        assert printed.out == ""
        assert {path: path.read_bytes() for path in project.iterdir()} == before


class TestInit:
    """`zoho-tokenstore init`."""

    @pytest.mark.parametrize(
        ("arguments", "file", "declares", "opens"),
        [
            pytest.param(
                ["zoho_reference_stores:SQLiteFileStore"],
                "test_sqlite_file_store.py",
                "",
                "SQLiteFileStore(location)",
                id="directory",
            ),
            pytest.param(
                ["app_stores:ByFile"], "test_by_file.py", "", 'ByFile(location / "tokens")', id="file"
            ),
            pytest.param(
                ["app_stores:LateByFile", "--transient"],
                "test_late_by_file.py",
                "persistent = False",
                'LateByFile(location / "tokens")',
                id="file, later",
            ),
            pytest.param(
                ["app_stores:Outer.make_it"], "test_make_it.py", "", "Outer.make_it(location)", id="nested"
            ),
            pytest.param(
                ["app_stores:beside"], "test_beside.py", "in_location = True", "beside()", id="beside itself"
            ),
            pytest.param(
                ["app_stores:ListStore", "--transient"],
                "test_list_store.py",
                "persistent = False",
                "ListStore()",
                id="in memory",
            ),
            pytest.param(
                ["app_stores:ListStore", "--shared-storage", "--output", "test_x.py"],
                "test_x.py",
                "own_storage = False",
                "ListStore()",
                id="shared",
            ),
        ],
    )
    def test_the_file_opens_the_store_as_it_takes_it(
        self, arguments: list[str], file: str, declares: str, opens: str, project: Path
    ) -> None:
        """With a directory, a file or nothing, and with what was declared of it."""
        assert commands.main(["init", *arguments]) == 0
        text = (project / file).read_text()

        assert f"        return {opens}\n" in text
        assert re.findall(r"^    (\w+ = \w+)", text, re.MULTILINE) == ([declares] if declares else [])
        assert "\n2 passed" in run_pytest("-k", "LIST_1 or BYID_1", file)

    def test_what_puts_its_storage_out_of_reach_is_used(self, project: Path) -> None:
        """The function of that name beside the factory, as `check` uses it."""
        commands.main(["init", "zoho_reference_stores:SQLiteFileStore"])
        text = (project / "test_sqlite_file_store.py").read_text()

        assert "from zoho_reference_stores.sqlite_file import break_storage\n" in text
        assert "\n1 passed" in run_pytest("-k", "CRASH_4", "test_sqlite_file_store.py")

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            pytest.param(["app_stores:nothing"], "app_stores has no 'nothing'", id="no such store"),
            pytest.param(["app_stores:STORES"], "app_stores has no 'STORES'", id="no attribute"),
            pytest.param(["app_stores:failing"], "no server", id="cannot be opened"),
            pytest.param(["app_stores:TestIt"], "is a contract class already", id="contract class"),
            pytest.param(["app_stores"], "is not of the form PACKAGE.MODULE:FACTORY", id="no factory"),
            pytest.param(
                ["app_stores:beside", "--output", "test-x.py"], "no name of a test file", id="file name"
            ),
            pytest.param(
                ["app_stores:beside", "--output", "no/test_x.py"], "no directory no", id="no directory"
            ),
            pytest.param(
                ["app_stores:beside", "--output", "app_stores.py"], "app_stores.py exists", id="exists"
            ),
        ],
    )
    def test_what_cannot_be_written(
        self, arguments: list[str], says: str, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Status 2, one sentence, and nothing is written or changed."""
        before = {path.name for path in project.iterdir()}
        status = commands.main(["init", *arguments])
        printed = capsys.readouterr()

        assert status == 2
        assert says in printed.err
        assert printed.out == ""
        assert {path.name for path in project.iterdir()} - {"__pycache__"} == before
        assert (project / "app_stores.py").read_text() == STORES


@pytest.mark.parametrize(
    ("name", "snaked", "cameled"),
    [
        ("SQLiteFileStore", "sqlite_file_store", "SQLiteFileStore"),
        ("make_store", "make_store", "MakeStore"),
        ("Outer.Redis2Store", "redis2_store", "OuterRedis2Store"),
        ("store", "store", "Store"),
    ],
)
def test_names_follow_the_factory(name: str, snaked: str, cameled: str) -> None:
    """Of the file and of the class."""
    assert (snake(name), camel(name)) == (snaked, cameled)
