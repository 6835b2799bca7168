"""What is built: its files, and its use where nothing else is. Run by ``tox -e package`` alone."""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"zoho_reference_stores", "zoho_tokenstore_contract"}
TYPING = ROOT / "tests" / "typing"


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the source distribution, and the wheel that was built from it."""
    directory = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--installer", "uv", "--outdir", directory)
    return directory


@pytest.fixture(scope="module")
def sdist(built: Path) -> Path:
    (path,) = built.glob("*.tar.gz")
    return path


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with the wheel, what it depends on, and the SDK."""
    directory = tmp_path_factory.mktemp("clean")
    venv.create(directory)
    python = programs_of(directory) / "python"
    install(python, f"{wheel}[sdk]")
    return python


def programs_of(environment: Path) -> Path:
    return environment / ("Scripts" if os.name == "nt" else "bin")


def install(python: Path, *requirements: str) -> None:
    run(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python, *requirements)


def test_an_index_would_take_both(sdist: Path, wheel: Path) -> None:
    """The metadata is valid, and the description can be shown."""
    run(sys.executable, "-m", "twine", "check", "--strict", sdist, wheel)


def test_the_wheel_holds_both_packages_and_nothing_else(wheel: Path) -> None:
    """Nothing called `contract` or `tests` lands in site-packages, and both packages bring their types."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}

    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    in_tree = {
        path.relative_to(path.parents[len(path.relative_to(ROOT).parts) - 2]).as_posix()
        for folder in ("contract", "reference_stores")
        for path in (ROOT / folder).rglob("*.py")
    }
    assert {name for name in names if name.endswith(".py")} == in_tree


def test_the_wheel_asks_for_pytest_and_hypothesis_alone(wheel: Path) -> None:
    """The SDK is an extra: its packages for the API versions overwrite one another."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    required = [entry for entry in metadata.get_all("Requires-Dist", []) if "extra ==" not in entry]

    assert [entry.split(">=")[0] for entry in sorted(required)] == ["hypothesis", "pytest"]
    assert sorted(metadata.get_all("Provides-Extra", [])) == [
        "aws",
        "completion",
        "encrypted",
        "redis",
        "sdk",
        "sql",
    ]


def test_the_wheel_registers_the_plugin_and_the_command(wheel: Path) -> None:
    """The plugin under the name by which ``-p no:`` turns it off."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt"))
        text = archive.read(name).decode()

    assert text.split() == [
        *("[console_scripts]", "zoho-tokenstore", "=", "zoho_tokenstore_contract._cli.commands:main"),
        *("[pytest11]", "zoho_tokenstore", "=", "zoho_tokenstore_contract.plugin"),
    ]


def test_the_source_distribution_can_be_tested(sdist: Path) -> None:
    """It brings the tests and what runs them."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {"CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml", "tests/__init__.py", "tox.ini"} <= names


def test_the_wheel_works_in_a_clean_environment(python: Path, tmp_path: Path) -> None:
    """One command checks a bundled store."""
    store = "zoho_reference_stores:ListStore"
    seen = run(python, "-m", "pytest", "--tokenstore", store, "--tokenstore-transient", cwd=tmp_path)

    assert f"{store}: CONFORMS" in seen


def test_the_command_works_in_a_clean_environment(python: Path, tmp_path: Path) -> None:
    """From a copied store to a verdict, with what the package brings and nothing else."""
    program = programs_of(python.parent.parent) / "zoho-tokenstore"
    run(program, "copy", "list", "my_store.py", cwd=tmp_path)
    seen = run(program, "check", "my_store:ListStore", "--transient", cwd=tmp_path)

    assert "my_store:ListStore: CONFORMS" in seen


def test_the_command_of_the_readme_installs_it(sdist: Path, tmp_path: Path) -> None:
    """In a clean environment and with pip, from what a source distribution holds."""
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "source")  # noqa: S202 (built above; the filter needs Python 3.12)
    (source,) = (tmp_path / "source").iterdir()
    venv.create(tmp_path / "venv", with_pip=True)
    programs = programs_of(tmp_path / "venv")
    command = 'python -m pip install ".[sdk]"'
    done = subprocess.run(  # noqa: S602 (as a reader types it)
        command,
        shell=True,
        cwd=source,
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    helped = run(programs / "pytest", "--help", cwd=tmp_path)
    assert "--tokenstore=PACKAGE.MODULE:FACTORY" in helped
    run(programs / "python", "-c", "import zoho_reference_stores", cwd=tmp_path)


@pytest.mark.parametrize(
    "checker",
    [
        pytest.param(["mypy", "--strict", "."], id="mypy"),
        pytest.param(["pyright"], id="pyright"),
    ],
)
def test_type_checkers_know_the_contract_class(checker: list[str], python: Path, tmp_path: Path) -> None:
    """What authors write has no error, and each mistake has one, against the installed package."""
    install(python, "mypy", "pyright[nodejs]")
    for path in TYPING.glob("*.py"):
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    environment = {**os.environ, "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [python, "-m", *checker],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    found = re.findall(r"(\w+\.py):(\d+):(?:\d+ -)? error:", done.stdout)
    marked = [
        (path.name, str(number))
        for path in TYPING.glob("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if line.endswith("# error")
    ]

    assert marked
    assert sorted(found) == sorted(marked), done.stdout
