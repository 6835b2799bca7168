"""How the command calls pytest: the project around it takes no part.

Not its pytest.ini with whatever options and warnings as errors it has, not its conftest.py, and no plugin but
the kit's own and Hypothesis's.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

ALONE = (
    f"--config-file={os.devnull}",
    "--rootdir=.",
    "--noconftest",
    *("-p", "no:cacheprovider"),
    *("-p", "zoho_tokenstore"),
    *("-p", "hypothesispytest"),
)
"""The options of pytest."""
_ENVIRONMENT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": None, "PYTEST_PLUGINS": None}


@contextlib.contextmanager
def environment() -> Iterator[None]:
    """Have the variables and the path that pytest needs, meanwhile."""
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    # As `python -m pytest` has it: what lies in the current directory can be imported.
    sys.path.insert(0, os.getcwd())
    _set(_ENVIRONMENT)
    try:
        yield
    finally:
        _set(before)


def _set(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
