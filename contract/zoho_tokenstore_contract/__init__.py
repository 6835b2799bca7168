"""pytest-zoho-tokenstore: the conformance test kit for the Zoho CRM Python SDK's ``TokenStore``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._runner.contract_class import TokenStoreContract

__all__ = ["TokenStoreContract"]


def __getattr__(name: str) -> Any:
    """Import on first use: the plugin lives in this package and is loaded in every pytest run."""
    if name == "TokenStoreContract":
        from ._runner.contract_class import TokenStoreContract

        return TokenStoreContract
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
