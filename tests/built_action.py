"""The steps of ``action.yml``, run as GitHub runs them. Run by ``tox -e release`` alone."""

from __future__ import annotations

import os
import re
import subprocess
import venv
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.release import ROOT

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))

STORES = """
from zoho_reference_stores import ListStore

class Keeps(ListStore):
    def delete_tokens(self):
        pass
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of the Python that a job has set up."""
    directory = tmp_path_factory.mktemp("job")
    venv.create(directory, with_pip=True)
    return directory / "bin"


def act(programs: Path, directory: Path, **inputs: str) -> tuple[int, str, dict[str, str]]:
    """Run the action.

    Args:
        programs: The directory of the job's Python.
        directory: The checkout of the user, which is the working directory.
        inputs: What the workflow says under ``with``.

    Returns:
        The status of the step that failed, or 0; the summary of the job; the outputs of the action.
    """
    files = {name: directory / f"{name.lower()}.txt" for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
    for file in files.values():
        file.touch()
    values = {f"inputs.{name}": str(given.get("default", "")) for name, given in ACTION["inputs"].items()}
    values |= {f"inputs.{name.replace('_', '-')}": text for name, text in inputs.items()}
    values["github.action_path"] = str(ROOT)

    def filled(text: str) -> str:
        return re.sub(r"\$\{\{ (\S+) \}\}", lambda found: values[found[1]], text)

    status = 0
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"], "inputs reach a script as variables, never as text"
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=directory / filled(step.get("working-directory", ".")),
            env={
                **os.environ,
                **{name: str(file) for name, file in files.items()},
                **{name: filled(text) for name, text in step["env"].items()},
                "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
                "RUNNER_TEMP": str(directory),
            },
            check=False,
        )
        status = done.returncode
        if status:
            break
    outputs = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text("utf-8").splitlines())
    return status, files["GITHUB_STEP_SUMMARY"].read_text("utf-8"), outputs


def test_a_store_that_conforms_passes(programs: Path, tmp_path: Path) -> None:
    """The summary of the job has the report, which is an output, too."""
    status, summary, outputs = act(
        programs, tmp_path, targets="zoho_reference_stores:ListStore\n", options="--transient\n--strict"
    )

    assert status == 0
    assert "CONFORMS" in summary
    assert summary == Path(outputs["report"]).read_text("utf-8")


def test_a_store_that_violates_the_contract_fails(programs: Path, tmp_path: Path) -> None:
    """The store is imported from the working directory; a reason may have blanks and quotes."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "stores.py").write_text(STORES)
    status, summary, _ = act(
        programs,
        tmp_path,
        targets="stores:Keeps",
        options='--transient\n--allow\nDEL-5=it\'s "row numbers"; $(exit 9)',
        working_directory="project",
    )

    assert status == 1
    assert "VIOLATES" in summary


def test_a_store_that_is_not_found_fails(programs: Path, tmp_path: Path) -> None:
    """There is no report then."""
    status, summary, _ = act(programs, tmp_path, targets="nowhere:Store")

    assert (status, summary) == (2, "")
