"""Where a store in use is: ``file:tokens.csv``, ``mysql://…``, ``PACKAGE.MODULE:FACTORY`` and the others."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from .._spec.clause_results import UsageError

FILE, SQLITE, MYSQL, POSTGRESQL, REDIS, DYNAMODB, FACTORY = (
    "file",
    "sqlite",
    "mysql",
    "postgresql",
    "redis",
    "dynamodb",
    "factory",
)
FORMS = (
    "file:tokens.csv, sqlite:tokens.db, mysql://USER@HOST/DATABASE, postgresql://USER@HOST/DATABASE, "
    "redis://HOST/0, dynamodb:TABLE or PACKAGE.MODULE:FACTORY"
)
_OPTION = {
    MYSQL: ("table", "oauthtoken"),
    POSTGRESQL: ("table", "oauthtoken"),
    REDIS: ("prefix", "zoho-tokens"),
}
_ALIASES = {"mariadb": MYSQL, "postgres": POSTGRESQL, "rediss": REDIS}
_PORTS = {MYSQL: 3306, POSTGRESQL: 5432, REDIS: 6379}


@dataclass(frozen=True)
class Address:
    """Where a store is.

    Attributes:
        kind: One of the constants of this module.
        text: The address as it may be printed: without a password.
        place: A path, the name of a table, or ``PACKAGE.MODULE:FACTORY``; for a server, its name and
            the database, to tell two addresses apart.
        url: The parts of a server's address, with its password.
        option: For a server, the table of SQL, or the prefix in Redis.
    """

    kind: str
    text: str
    place: str
    url: SplitResult | None = field(default=None, repr=False)
    option: str = ""

    def is_same_as(self, other: Address) -> bool:
        """Whether both are one store."""
        if {self.kind, other.kind} <= {FILE, SQLITE}:
            with contextlib.suppress(OSError):
                return Path(self.place).samefile(other.place)
        return (self.kind, self.place, self.option) == (other.kind, other.place, other.option)


def parse(text: str) -> Address:
    """Read an address.

    Args:
        text: What was given on the command line; see `FORMS`.

    Raises:
        UsageError: It has no such form.
    """
    kind, separator, rest = text.partition(":")
    if not separator or not kind or not rest:
        meant = f"did you mean file:{text} or sqlite:{text}?" if Path(text).is_file() else f"give {FORMS}"
        raise UsageError(f"{text!r} is no address of a store: {meant}")
    if kind in (FILE, SQLITE):
        path = rest.removeprefix("///") if kind == SQLITE else rest  # as SQLAlchemy has it
        return Address(kind, text, str(Path(path).resolve()))
    if rest.startswith("//"):
        return _server(text)
    return Address(DYNAMODB, text, rest) if kind == DYNAMODB else Address(FACTORY, text, text)


def _server(text: str) -> Address:
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        raise UsageError(f"the address of a server cannot be read: {error}") from None
    shown = url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()
    if url.username:
        shown = shown.replace("://", f"://{url.username}@", 1)
    kind = url.scheme.partition("+")[0]  # SQLAlchemy names the driver behind it
    kind = _ALIASES.get(kind, kind)
    if kind not in _OPTION:
        raise UsageError(f"{shown!r} is no address of a store: give {FORMS}")
    name, value = _OPTION[kind]
    given = dict(parse_qsl(url.query))
    value = given.pop(name, value)
    if given:
        raise UsageError(f"{shown}: there is no option {', '.join(sorted(given))}; there is {name}")
    if kind != REDIS and not database(url):
        raise UsageError(f"{shown}: the name of the database is missing, as in {kind}://USER@HOST/DATABASE")
    place = f"{url.hostname or 'localhost'}:{port or _PORTS[kind]}/{database(url)}"
    return Address(kind, shown, place, url, value)


def database(url: SplitResult) -> str:
    """The name of the database in the address of a server."""
    return unquote(url.path.strip("/"))
