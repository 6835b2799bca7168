"""How the house is built: who may import whom, what loads what, what is pinned where."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import zoho_reference_stores
import zoho_tokenstore_contract
from zoho_tokenstore_contract._checks.registry import MODULES, checks_of
from zoho_tokenstore_contract._cli.scaffold import imported_modules
from zoho_tokenstore_contract._spec.clauses import CLAUSES

ROOT = Path(__file__).parent.parent
KIT = Path(zoho_tokenstore_contract.__file__).parent
STORES = Path(zoho_reference_stores.__file__).parent

LIBRARIES = {
    "django_store": {"django"},
    "dynamodb_store": {"botocore"},
    "dynamodb_table": {"botocore"},
    "encrypted_store": {"cryptography"},
    "redis_store": {"redis"},
    "secrets_manager_client": {"botocore", "urllib3"},
    "sqlalchemy_leases": {"sqlalchemy"},
    "sqlalchemy_store": {"sqlalchemy"},
    "sqlalchemy_tables": {"sqlalchemy"},
    "sqlalchemy_takeover": {"sqlalchemy"},
}
"""What a reference store imports beside the SDK and the standard library."""


def imports(path: Path, package: str) -> Iterator[str]:
    """The full names of the modules that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def modules(folder: Path) -> Iterator[tuple[str, Path, str]]:
    """Each module of a package: its dotted name, its file, and the package that it lies in."""
    for path in sorted(folder.rglob("*.py")):
        package = ".".join([folder.name, *path.relative_to(folder).parent.parts])
        yield (package if path.stem == "__init__" else f"{package}.{path.stem}"), path, package


def test_the_kit_names_the_sdk_in_one_module() -> None:
    """Any package of the SDK will do, and none is loaded before it is asked for."""
    third_party = {
        (path.name, imported.partition(".")[0])
        for _, path, package in modules(KIT)
        for imported in imports(path, package)
        if imported.partition(".")[0] not in {*sys.stdlib_module_names, KIT.name}
    }

    assert {name for _, name in third_party} == {
        "_pytest",
        "hypothesis",
        "pytest",
    }


@pytest.mark.parametrize("store", sorted(STORES.glob("[!_]*.py")), ids=lambda store: store.stem)
def test_a_reference_store_can_be_copied_alone(store: Path) -> None:
    """It imports the SDK, the standard library, the library that it is about, and what is copied with it."""
    names = [name.split(".") for name in imports(store, STORES.name)]
    own = {parts[1] for parts in names if parts[0] == STORES.name}
    others = {parts[0] for parts in names} - {STORES.name}

    assert others <= {"zohocrmsdk", *LIBRARIES.get(store.stem, ()), *sys.stdlib_module_names}
    assert own <= {path.stem for path in imported_modules(store)}


def test_a_run_that_checks_no_store_loads_nothing(tmp_path: Path) -> None:
    """The plugin is there in every pytest run of everyone who has it installed."""
    (tmp_path / "test_other.py").write_text(
        "import sys\n"
        "def test_other(request):\n"
        "    assert request.config.pluginmanager.has_plugin('zoho_tokenstore')\n"
        "    assert not {'zohocrmsdk', 'hypothesis'} & set(sys.modules)\n"
        "    loaded = {name for name in sys.modules if name.startswith('zoho_')}\n"
        "    others = {name for name in loaded if '.plugin' not in name}\n"
        "    assert others == {'zoho_tokenstore_contract'}\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == pytest.ExitCode.OK, run.stdout + run.stderr


def test_every_clause_has_a_check() -> None:
    """A promise that nothing checks is none."""
    assert [clause for clause in CLAUSES if not checks_of(clause)] == []


def test_every_module_of_checks_is_loaded() -> None:
    """A module that registers checks is named in `MODULES`."""
    with_checks = {
        name.removeprefix("_checks.")
        for name, path, _ in modules(KIT / "_checks")
        if re.search(r"^@check(_each)?\(", path.read_text("utf-8"), re.MULTILINE)
    }

    assert with_checks == set(MODULES)


def test_linters_are_the_same_everywhere() -> None:
    """What a commit runs is what tox runs."""
    pin = re.compile(r"[\w-]+==[\w.]+")
    groups = (
        (ROOT / "pyproject.toml").read_text("utf-8").partition("[dependency-groups]")[2].partition("\n[")[0]
    )

    assert set(pin.findall((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))) == set(pin.findall(groups))


def public_functions(node: ast.AST) -> Iterator[ast.FunctionDef]:
    """The functions and methods whose names, and those of their classes, have no underscore in front."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.ClassDef, ast.FunctionDef)) and not child.name.startswith("_"):
            if isinstance(child, ast.FunctionDef):
                yield child
            else:
                yield from public_functions(child)


def test_public_functions_of_two_parameters_say_what_they_take() -> None:
    """Hooks of pytest aside, whose parameters pytest explains."""
    silent = []
    for _, path, _ in modules(KIT):
        for function in public_functions(ast.parse(path.read_text(encoding="utf-8"))):
            given = function.args
            names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
            told = "Args:" in (ast.get_docstring(function) or "") or function.name.startswith("pytest_")
            if len([name for name in names if name not in ("self", "cls")]) > 1 and not told:
                silent.append(f"{path.relative_to(KIT)}: {function.name}")

    assert silent == []
