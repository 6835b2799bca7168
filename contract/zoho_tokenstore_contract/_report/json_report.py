"""What a run found out, for the writers of files; and as the public JSON value."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .._spec.clauses import CONTRACT_VERSION
from .._spec.sdk import SDKMissing, load
from .public_verdict import Verdict
from .verdict import StoreVerdict, Verdicts

SCHEMA = 1
DISTRIBUTION = "pytest-zoho-tokenstore"


@dataclass(frozen=True)
class Report:
    """What a run found out, for the writers of files.

    Attributes:
        stores: What it knows of each store.
        kit: The kit's version.
        contract: The contract's version.
        sdk: The distribution and the version of the SDK; ``None`` where there is none.
        python: Python's version.
        date: When the run began, as ISO 8601 in UTC, to the second.
        seconds: How long it took.
        command: What was run.
    """

    stores: Sequence[StoreVerdict]
    kit: str
    contract: int
    sdk: tuple[str, str] | None
    python: str
    date: str
    seconds: float
    command: str


def report_on(verdicts: Verdicts, command: str, began: float, seconds: float) -> Report:
    """Gather what the files say.

    Args:
        verdicts: What the run found out.
        command: What was run.
        began: When, in seconds since the epoch.
        seconds: How long it took.

    Returns:
        The report.
    """
    return Report(
        stores=tuple(verdicts.stores.values()),
        kit=importlib.metadata.version(DISTRIBUTION),
        contract=CONTRACT_VERSION,
        sdk=_sdk(),
        python=platform.python_version(),
        date=dt.datetime.fromtimestamp(int(began), dt.timezone.utc).isoformat(),
        seconds=round(seconds, 1),
        command=command,
    )


def as_json(report: Report) -> dict[str, Any]:
    """The report as plain values: schema 1, which is public.

    Args:
        report: What the run found out.

    Returns:
        ``schema``, ``kit``, ``contract`` (its version), ``sdk`` (``distribution`` and ``version``, or
        ``null``), ``python``, ``date`` (ISO 8601, UTC), ``seconds``, ``command`` and ``stores``: for each its
        ``target``, ``strict``, ``verdict`` (``conforms``, ``violates`` or ``null``), ``reason`` where that
        is ``null``, ``cause`` where the smoke check found one, and ``clauses``, each with ``id``, ``level``,
        ``outcome``, and where they apply ``reason`` and ``findings``.
    """
    return {
        "schema": SCHEMA,
        "kit": report.kit,
        "contract": report.contract,
        "sdk": report.sdk and {"distribution": report.sdk[0], "version": report.sdk[1]},
        "python": report.python,
        "date": report.date,
        "seconds": report.seconds,
        "command": report.command,
        "stores": [Verdict.of(store).as_dict() for store in report.stores],
    }


def _sdk() -> tuple[str, str] | None:
    try:
        sdk = load()
    except SDKMissing:
        return None
    return sdk.distribution, sdk.version
