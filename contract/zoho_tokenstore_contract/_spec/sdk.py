"""The one place that imports the Zoho SDK, and only when somebody asks for it.

The packages ``zohocrmsdk5-0`` to ``zohocrmsdk8-0`` all install the import package ``zohocrmsdk``.
Importing it costs half a second and 1,700 modules, so nothing here happens at import.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import re
from dataclasses import dataclass
from typing import Any

ROOT = "zohocrmsdk"


class SDKMissing(Exception):
    """No Zoho SDK is installed, or what is installed has no TokenStore."""


@dataclass(frozen=True)
class SDK:
    """What the kit uses of the installed SDK.

    Attributes:
        distribution: The name of the installed package, such as ``zohocrmsdk8-0``.
        version: Its release.
    """

    distribution: str
    version: str
    root: str
    OAuthToken: Any
    UserSignature: Any
    SDKException: Any
    TokenStore: Any
    Initializer: Any
    Environment: Any

    def module(self, tail: str) -> Any:
        """Import a module below the SDK's root, such as ``src.com.zoho.crm.api.org``."""
        return importlib.import_module(f"{self.root}.{tail}")


@functools.cache
def load() -> SDK:
    """Import the installed SDK.

    Raises:
        SDKMissing: With the one line that says what to install.
    """
    try:
        authenticator = importlib.import_module(f"{ROOT}.src.com.zoho.api.authenticator.oauth_token")
        store = importlib.import_module(f"{ROOT}.src.com.zoho.api.authenticator.store.token_store")
        signature = importlib.import_module(f"{ROOT}.src.com.zoho.crm.api.user_signature")
        exception = importlib.import_module(f"{ROOT}.src.com.zoho.crm.api.exception.sdk_exception")
        initializer = importlib.import_module(f"{ROOT}.src.com.zoho.crm.api.initializer")
        data_center = importlib.import_module(f"{ROOT}.src.com.zoho.crm.api.dc.data_center")
    except ImportError as error:
        if error.name != ROOT:
            raise SDKMissing(
                f"the Zoho CRM SDK cannot be imported ({error}); run: "
                "python -m pip install --force-reinstall zohocrmsdk8-0"
            ) from error
        raise SDKMissing(
            "no Zoho CRM SDK is installed; run: python -m pip install zohocrmsdk8-0 "
            "(or the zohocrmsdk package of the API version that you use)"
        ) from None
    distribution, version = _installed()
    return SDK(
        distribution=distribution,
        version=version,
        root=ROOT,
        OAuthToken=authenticator.OAuthToken,
        UserSignature=signature.UserSignature,
        SDKException=exception.SDKException,
        TokenStore=store.TokenStore,
        Initializer=initializer.Initializer,
        Environment=data_center.DataCenter.Environment,
    )


def _installed() -> tuple[str, str]:
    names = sorted(set(importlib.metadata.packages_distributions().get(ROOT, ())))
    if not names:
        return "unknown", "unknown"
    versions = [importlib.metadata.version(name) for name in names]
    return (
        " and ".join(re.sub(r"[-_.]+", "-", name).lower() for name in names),
        " and ".join(versions),
    )
