"""A release but for the upload: what is built, and how it works where nothing else is installed.

Run by ``tox -e release`` alone. With ``TOKENSTORE_DIST`` it looks at the files of that directory, which are
those that are published, and builds nothing.
"""

from __future__ import annotations

import email
import email.message
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hatch_build import description
from tests.release import ROOT, UNRELEASED, missing, notes, project

DIST = os.environ.get("TOKENSTORE_DIST", "")
PACKAGES = {"zoho_reference_stores", "zoho_tokenstore_contract"}
TYPING = ROOT / "tests" / "typing"
LIST_STORE = "zoho_reference_stores:ListStore"


def run(*command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
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
    if DIST:
        return (ROOT / DIST).resolve()
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
    """Each file of both packages is in the wheel, and nothing called `contract` or `tests`."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    in_tree = {
        path.relative_to(ROOT / folder).as_posix()
        for folder in ("contract", "reference_stores")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert {f"{package}/py.typed" for package in PACKAGES} <= in_tree
    assert in_tree == {name for name in names if not name.partition("/")[0].endswith(".dist-info")}


def metadata_of(wheel: Path) -> email.message.Message:
    """The metadata that a wheel brings."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def test_the_wheel_asks_for_pytest_and_hypothesis_alone(wheel: Path) -> None:
    """The SDK is an extra: its packages for the API versions overwrite one another."""
    metadata = metadata_of(wheel)
    required = [entry for entry in metadata.get_all("Requires-Dist", []) if "extra ==" not in entry]

    extras = metadata.get_all("Provides-Extra", [])

    assert [entry.split(">=")[0] for entry in sorted(required)] == ["hypothesis", "pytest"]
    assert "sdk" in extras
    assert sorted(extras) == sorted(project()["optional-dependencies"])


def test_the_wheel_registers_the_plugin_and_the_command(wheel: Path) -> None:
    """The plugin under the name by which ``-p no:`` turns it off."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt"))
        text = archive.read(name).decode()

    assert text.split() == [
        *("[console_scripts]", "zoho-tokenstore", "=", "zoho_tokenstore_contract.__main__:main"),
        *("[pytest11]", "zoho_tokenstore", "=", "zoho_tokenstore_contract.plugin"),
    ]


def test_the_source_distribution_can_be_tested(sdist: Path) -> None:
    """It brings the tests, what runs them, and what builds it again."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {"LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "hatch_build.py"} <= names
    assert {"tests/__init__.py", "tox.ini", "uv.lock", "action.yml"} <= names


LINK = re.compile(r"\]\(([^)\s]+)\)")


def links_of(text: str) -> list[str]:
    """The targets of the links and pictures of a Markdown text."""
    return LINK.findall(re.sub(r"^```.*?^```$|`[^`\n]*`", "", text, flags=re.DOTALL | re.MULTILINE))


def test_the_description_has_no_relative_link(wheel: Path) -> None:
    """On a package index such a link leads nowhere."""
    text = str(metadata_of(wheel).get_payload())

    assert "TokenStore" in text
    assert [link for link in links_of(text) if not link.startswith("https://")] == []


def test_an_address_makes_the_links_of_the_description() -> None:
    """With `urls.Source` each relative link leads to the file of that release; without, its label stays."""
    readme = (
        "[the `docs`](docs/contract.md#save) ![a report](docs/report.png) [elsewhere](https://example.org)\n"
        "[below](#below) `[code](kept.md)`\n```\n[code](kept.md)\n```\n"
    )
    code = "`[code](kept.md)`\n```\n[code](kept.md)\n```\n"
    source = "https://example.org/kit"

    assert description(readme, source, "1.2") == (
        f"[the `docs`]({source}/blob/v1.2/docs/contract.md#save) "
        f"![a report]({source}/raw/v1.2/docs/report.png) [elsewhere](https://example.org)\n"
        f"[below]({source}/blob/v1.2/README.md#below) {code}"
    )
    assert description(readme, "", "1.2") == f"the `docs`  [elsewhere](https://example.org)\nbelow {code}"


def test_what_is_filled_in_is_published(tmp_path: Path) -> None:
    """The marked lines of pyproject.toml, once filled in, are the authors, the addresses and the links."""
    shutil.copytree(ROOT, tmp_path / "kit", ignore=shutil.ignore_patterns(".*", "tests", "docs", "dist"))
    file = tmp_path / "kit" / "pyproject.toml"
    text = file.read_text(encoding="utf-8")
    filled = re.sub(r"^# (authors = |urls\.)", r"\1", text, flags=re.MULTILINE)
    filled = filled.replace('email = "..."', 'email = "ann@example.org"')
    file.write_text(filled.replace("...", "example.org"), encoding="utf-8")
    run(sys.executable, "-m", "build", "--installer", "uv", "--wheel", cwd=file.parent)
    (wheel,) = (file.parent / "dist").glob("*.whl")
    metadata = metadata_of(wheel)
    source = project(file.parent)["urls"]["Source"]

    assert metadata["Author-email"] or metadata["Author"]
    assert f"Source, {source}" in metadata.get_all("Project-URL", [])
    within = [link for link in links_of(str(metadata.get_payload())) if link.startswith(f"{source}/")]
    paths = {re.sub(r".*?/(?:blob|raw)/[^/]+/|#.*", "", link) for link in within}
    assert "docs/contract.md" in paths
    assert {path for path in paths if not (ROOT / path).exists()} == set()


def test_the_release_has_notes() -> None:
    """The changelog says what the next release brings, or, on its tag, what this one does."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert notes(changelog, UNRELEASED) or notes(changelog, project()["version"])


@pytest.mark.parametrize(
    ("spoilt", "says"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"version": "9.9"}, ["the tag has to be v9.9", "## [9.9]"], id="version"),
        pytest.param({"authors": []}, ["authors"], id="authors"),
        pytest.param({"authors": [{"name": "Ann"}]}, ["authors"], id="no address of an author"),
        pytest.param({"urls": {}}, ["urls.Source"], id="address"),
    ],
)
def test_a_release_names_what_is_missing(spoilt: dict[str, Any], says: list[str]) -> None:
    """Before a tag is published, its metadata and its changelog have to be complete."""
    whole = {
        "version": "1.2",
        "authors": [{"name": "Ann", "email": "ann@example.org"}],
        "urls": {"Source": "https://example.org/kit"},
    }
    found = missing({**whole, **spoilt}, "## [Unreleased]\n\n## [1.2] - 2026-01-02\n\n- New.\n", "v1.2")

    assert len(found) == len(says)
    assert all(part in line for part, line in zip(says, found, strict=True))


def test_a_release_leaves_nothing_unreleased() -> None:
    """What stands under `Unreleased` would be published without notes."""
    whole = {
        "version": "1.2",
        "authors": [{"name": "Ann", "email": "ann@example.org"}],
        "urls": {"Source": "https://example.org/kit"},
    }
    (found,) = missing(whole, "## [Unreleased]\n\n- More.\n\n## [1.2] - 2026-01-02\n\n- New.\n", "v1.2")

    assert "belongs to [1.2]" in found


VERSIONS = re.findall(r":: Python :: (3\.[0-9]+)", " ".join(project()["classifiers"]))


def miss(what: str, *, may_be_missing: bool) -> None:
    """End a test that misses an interpreter.

    Args:
        what: What is missing.
        may_be_missing: A machine that publishes nothing may do without it, and is told so.
    """
    if DIST or not may_be_missing:
        pytest.fail(f"{what}: a release is tried on every Python that it names", pytrace=False)
    pytest.skip(what)


@pytest.mark.parametrize(
    ("published", "may_be_missing", "ends"),
    [
        pytest.param("dist", True, pytest.fail.Exception, id="published"),
        pytest.param("", False, pytest.fail.Exception, id="old"),
        pytest.param("", True, pytest.skip.Exception, id="newest"),
    ],
)
def test_a_missing_python_is_no_success(
    published: str, may_be_missing: bool, ends: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest Python alone may be missing, and only where nothing is published."""
    monkeypatch.setattr(sys.modules[__name__], "DIST", published)
    with pytest.raises(ends):
        miss("there is no Python", may_be_missing=may_be_missing)


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
@pytest.mark.parametrize("version", VERSIONS)
def test_it_works_in_an_empty_environment(
    version: str, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Both files install on each Python, and the command checks a bundled store."""
    uv = [sys.executable, "-m", "uv"]
    wanted = ["--no-python-downloads", "--python-preference", "only-system"]
    if subprocess.run([*uv, "python", "find", *wanted, version], capture_output=True, check=False).returncode:
        miss(f"there is no Python {version} on the PATH", may_be_missing=version == VERSIONS[-1])
    run(*uv, "venv", "--quiet", *wanted, "--python", version, tmp_path / "venv")
    programs = programs_of(tmp_path / "venv")
    install(programs / "python", f"{request.getfixturevalue(kind)}[sdk]")
    seen = run(programs / "zoho-tokenstore", "check", LIST_STORE, "--transient", cwd=tmp_path)

    assert f"{LIST_STORE}: CONFORMS" in seen


def test_the_plugin_works_in_a_clean_environment(python: Path, tmp_path: Path) -> None:
    """One command checks a bundled store."""
    seen = run(python, "-m", "pytest", "--tokenstore", LIST_STORE, "--tokenstore-transient", cwd=tmp_path)

    assert f"{LIST_STORE}: CONFORMS" in seen


def test_the_command_works_in_a_clean_environment(python: Path, tmp_path: Path) -> None:
    """From a copied store to a verdict, with what the package brings and nothing else."""
    program = programs_of(python.parent.parent) / "zoho-tokenstore"
    run(program, "copy", "list", "my_store.py", cwd=tmp_path)
    seen = run(program, "check", "my_store:ListStore", "--transient", cwd=tmp_path)

    assert "my_store:ListStore: CONFORMS" in seen


ENVIRONMENT = "python3 -m venv .venv && . .venv/bin/activate"
INSTALLING = 'python -m pip install ".[sdk]"'


def test_the_commands_of_the_readme_install_it(sdist: Path, tmp_path: Path) -> None:
    """As they are typed into a shell, in what a clone or a source distribution holds."""
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path)  # noqa: S202 (built above; the filter needs Python 3.12)
    (source,) = tmp_path.iterdir()
    python = sys.base_prefix + "/bin"
    environment = {**os.environ, "PATH": f"{python}{os.pathsep}{os.environ['PATH']}"}
    run("sh", "-ec", f"{ENVIRONMENT}\n{INSTALLING}", cwd=source, env=environment)
    programs = programs_of(source / ".venv")

    assert "--tokenstore=PACKAGE.MODULE:FACTORY" in run(programs / "pytest", "--help", cwd=tmp_path)
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
