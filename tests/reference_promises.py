"""What each reference store promises, and how long it is, for the table of ``docs/reference-stores.md``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zoho_tokenstore_contract._cli.scaffold import bundled, imported_modules

MACHINES = "threads, processes, machines; open before a fork"


@dataclass(frozen=True)
class Promise:
    """What a reference store promises.

    Attributes:
        store: Its class.
        copied_as: Its name for ``zoho-tokenstore copy``.
        extra: The extra that brings the library which it needs, if any.
        survives: What a call that has returned survives.
        shared_by: Who may use one storage at the same moment.
        leases: Who renews an expired token once, with `SingleFlightStore` around it.
    """

    store: str
    copied_as: str
    extra: str
    survives: str
    shared_by: str
    leases: str

    @property
    def core(self) -> Path:
        """The module with the store itself."""
        module = bundled()[self.copied_as]
        return module / "store.py" if module.is_dir() else module

    @property
    def files(self) -> list[Path]:
        """What ``zoho-tokenstore copy`` writes, without the test."""
        module = bundled()[self.copied_as]
        own = sorted(module.rglob("*.py")) if module.is_dir() else [module]
        return [*own, *imported_modules(module)]


PROMISES = (
    Promise(
        "SQLiteFileStore",
        "sqlite",
        "",
        "a kill; a power loss, as far as the disk keeps its word on a flush",
        "threads and processes of one machine; open before a fork",
        "each process by itself",
    ),
    Promise("SQLiteMemoryStore", "sqlite-memory", "", "nothing", "threads of one process", "the process"),
    Promise("ListStore", "list", "", "nothing", "threads of one process", "the process"),
    Promise(
        "SQLAlchemyStore",
        "sqlalchemy",
        "sql",
        "what the server's commits survive",
        MACHINES,
        "each process by itself",
    ),
    Promise(
        "LeasingSQLAlchemyStore",
        "sqlalchemy-leases",
        "sql",
        "what the server's commits survive",
        MACHINES,
        "all machines",
    ),
    Promise(
        "DjangoTokenStore",
        "django",
        "django",
        "what the server's commits survive",
        f"{MACHINES}; async views",
        "all machines",
    ),
    Promise(
        "RedisStore",
        "redis",
        "redis",
        "what the server's `appendfsync` says",
        MACHINES,
        "all machines",
    ),
    Promise(
        "DynamoDBStore",
        "dynamodb",
        "aws",
        "the loss of a data centre",
        MACHINES,
        "all machines",
    ),
    Promise(
        "SecretsManagerStore",
        "secrets-manager",
        "aws",
        "the loss of a data centre",
        MACHINES,
        "each process by itself",
    ),
    Promise(
        "SingleFlightStore",
        "single-flight",
        "",
        "as the inner store",
        "as the inner store",
        "is the one that asks for them",
    ),
    Promise(
        "EncryptedStore",
        "encrypted",
        "encrypted",
        "as the inner store",
        "as the inner store",
        "as the inner store",
    ),
    Promise(
        "FallbackStore",
        "fallback",
        "",
        "as the new store",
        "as the new store",
        "as the new store",
    ),
)
"""All stores that ``zoho-tokenstore copy`` knows."""


def lines_of(files: list[Path]) -> int:
    """How many lines files have together, comments and docstrings too."""
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)
