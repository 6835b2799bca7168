"""Run scripts where the kit cannot be imported: the program that `tests.test_reproducers` starts.

Its standard input is a list of runs: the path of a script, the module and the name of the store that it
imports, and whether `RightStore` takes that store's place. It prints how each run ends.
"""

from __future__ import annotations

import importlib
import importlib.abc
import json
import os
import runpy
import sys
from typing import Any

KIT = ("zoho_tokenstore_contract", "zoho_reference_stores")


class NoKit(importlib.abc.MetaPathFinder):
    """Finds the kit missing."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> None:
        if name.partition(".")[0] in KIT:
            raise ImportError(f"a script imports {name}")


def main() -> None:
    """Import the stores as long as the kit, which registers them, is there; then run the scripts."""
    runs = json.load(sys.stdin)
    modules = {module: importlib.import_module(module) for _, module, _, _ in runs}
    right = importlib.import_module("tests.stores.right").RightStore
    for name in [name for name in sys.modules if name.partition(".")[0] in KIT]:
        del sys.modules[name]
    sys.meta_path.insert(0, NoKit())
    home = os.getcwd()
    ends = []
    for path, module, name, in_place in runs:
        store = getattr(modules[module], name)
        if in_place:
            setattr(modules[module], name, right)
        try:
            runpy.run_path(path, run_name="__main__")
            ends.append("")
        except AssertionError as error:
            ends.append(f"AssertionError: {error}")
        except BaseException as error:
            ends.append(f"{type(error).__name__}: {error}")
        finally:
            setattr(modules[module], name, store)
            os.chdir(home)
    sys.stdout.write(json.dumps(ends) + "\n")


if __name__ == "__main__":
    main()
