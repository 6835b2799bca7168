"""The stores by outsiders are wrong as their authors say: each brings a proof that asks the kit nothing."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.stores import batches
from tests.stores.catalogue import Fault, correct_stores, faults

pytestmark = pytest.mark.once

FAULTS = [fault for fault in faults() if ".batches." in fault.store.__module__]
CORRECT = [store.store for store in correct_stores() if ".batches." in store.store.__module__]


def proofs() -> dict[str, Callable[[Path, Any], object]]:
    """The proof of each faulty store, which is called with a directory and a store."""
    modules = [
        importlib.import_module(f"{batches.__name__}.{module.name}")
        for module in pkgutil.iter_modules(batches.__path__)
        if "_proofs_" in module.name
    ]
    return {
        name.removeprefix("prove_"): proof
        for module in modules
        for name, proof in vars(module).items()
        if name.startswith("prove_")
    }


PROOFS = proofs()


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_faulty_store_is_wrong(fault: Fault, tmp_path: Path) -> None:
    """The proof holds for it, and not for the correct store that it is made from."""
    prove = PROOFS[fault.store.__name__]
    right = next((base for base in fault.store.__mro__ if base in CORRECT), None)
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()

    assert prove(here, fault.store)
    assert right is None or not prove(there, right)
