"""The rows that checks arrange: users who share what users may share, and tokens without a user.

More than ten rows, of every kind that the contract knows, with one of each kind past the tenth:
stores that are right for few rows, for the first or for the last one are wrong here.
"""

from __future__ import annotations

from typing import Any

from .._harness.store_limits import Pool, active
from .._spec.tokens import Row

CLIENT = {"client_id": "1000.CLIENT", "client_secret": "client-secret"}
OTHER_CLIENT = {"client_id": "1000.OTHER", "client_secret": "other-secret"}
DOMAIN = "http://127.0.0.1:9"
EXPIRED = "1600000000000"
"""When some access tokens of the crowd expired, in 2020: their rows stay [SAVE-22]."""
WIDTH = 255
"""Characters that every store takes in a field: the width of the SDK's own table [VALUE-8]."""


def person(name: str, **fields: Any) -> Row:
    """A user's row with every field set, unlike those of all other users."""
    values = {
        "user_name": f"{name}@example.com:77",
        **CLIENT,
        "refresh_token": f"1000.{name}.refresh",
        "access_token": f"1000.{name}.access",
        "grant_token": f"1000.{name}.grant",
        "expires_in": f"19{len(name):011d}",
        "redirect_url": f"https://{name}.example.com/oauth",
        "api_domain": f"{DOMAIN}/{name}",
    }
    return Row(**{**values, **fields})


def client_of(number: int) -> dict[str, str]:
    """A client of its own for each number; one for all where a user has a row for each client [SAVE-4]."""
    if not active().across_clients:
        return dict(CLIENT)
    return {name: f"{value}.{number}" for name, value in CLIENT.items()}


def newcomer(name: str, **fields: Any) -> Row:
    """A user who comes beside a crowd: of its client, but where the store makes rows of one client one.

    Args:
        name: The user's, unlike all others.
        fields: What the row has instead of its own.

    Returns:
        The row.
    """
    return _unlike(name, **fields) if active().apart else person(name, **fields)


def _unlike(name: str, **fields: Any) -> Row:
    """A user who has nothing in common with any other."""
    own = {"client_id": f"1000.{name}.CLIENT", "client_secret": f"{name}-secret"}
    return person(name, **{"user_name": f"{name}@{name}.example.com:99", **own, **fields})


ANN = person("ann")
BOB = person("bob")
# Named users may share grant and refresh tokens; an unnamed row must not.
CLEO = person("cleo", refresh_token=ANN.refresh_token, grant_token=ANN.grant_token)
DAN = Row(user_name="dan@example.com:77", **CLIENT, refresh_token="1000.dan.refresh")
EVE = person("eve", **OTHER_CLIENT, expires_in=EXPIRED)
GUS = person("gus")

ACCESS = Row(access_token="1000.lone.access", expires_in="1900000000001", api_domain=DOMAIN)
GRANT = Row(**CLIENT, grant_token="1000.code.grant", redirect_url="https://example.com/code")
REFRESH = Row(**CLIENT, refresh_token="1000.nightly.refresh")
WITH_CLIENT = Row(**CLIENT, access_token="1000.client.access", api_domain=DOMAIN)
LATE_ACCESS = Row(access_token="1000.late.access", expires_in="1900000000002", api_domain=DOMAIN)
LATE_GRANT = Row(
    **OTHER_CLIENT,
    grant_token="1000.late.grant",
    access_token="1000.exchanged.access",
    redirect_url="https://example.com/late",
)
LATE_REFRESH = Row(
    **CLIENT,
    refresh_token="1000.late.refresh",
    access_token="1000.renewed.access",
    expires_in=EXPIRED,
    api_domain=DOMAIN,
)

KINDS = (
    *(ANN, ACCESS, BOB, GRANT, CLEO, REFRESH, DAN, WITH_CLIENT, EVE, LATE_GRANT, LATE_ACCESS, LATE_REFRESH),
    GUS,
)
_FIRST = (
    *(ANN, ACCESS, BOB, GRANT, REFRESH, GUS, LATE_REFRESH, CLEO, LATE_GRANT, EVE, WITH_CLIENT, LATE_ACCESS),
    DAN,
)
"""The rows in the order in which a store gets them that has room for a few."""
WITHOUT_KEY = (
    WITH_CLIENT,
    Row(refresh_token="1000.alone.refresh"),
    Row(grant_token="1000.alone.grant"),
    Row(client_id=CLIENT["client_id"], access_token="1000.half.access"),
    Row(client_secret=CLIENT["client_secret"], refresh_token="1000.half.refresh"),
)
"""Tokens that have no key: once they are stored, they address their rows by their ids alone."""


def pool(*rows: Row) -> Pool[Row]:
    """A pool of the crowd: what a store with limits does not hold of it is left out."""
    return Pool(rows, crowd=_FIRST)


ONE_OF_EVERY_KIND = pool(*KINDS)
CROWD_TEXTS = tuple(dict.fromkeys(text for row in KINDS for text in row.present().values()))
"""What the fields of the crowd hold: none of it is an id, unless a store makes such ids."""
NAMED = pool(ANN, BOB, CLEO, DAN, EVE, GUS)
WITH_KEY = pool(*(row for row in KINDS if row != WITH_CLIENT))
"""The rows of the crowd that have a key."""
ONE_OF_EACH_KEY = pool(ANN, ACCESS, GRANT, REFRESH, BOB)


def key_of(row: Row) -> Row:
    """The least that addresses a row: its name, or what its kind is found by without one."""
    row = Row(**row.present())  # an empty text is no key [VALUE-10]
    if row.user_name is not None:
        return row.only("user_name")
    if row.client_id is None:
        return row.only("access_token")
    token = "grant_token" if row.grant_token is not None else "refresh_token"
    return row.only("client_id", "client_secret", token)


def renewal_of(row: Row, number: int) -> Row:
    """A save that addresses a row and replaces every field that no save without a name finds it by.

    Args:
        row: The row.
        number: Rows with other numbers get other values.
    """
    names = ["redirect_url", "api_domain"]
    if row.client_id is not None:
        names.append("access_token")
    if row.user_name is not None:
        names += ["refresh_token", "grant_token"]
    values = {name: f"1000.{name}.{number}" for name in names}
    return key_of(row).but(expires_in=f"19{number:011d}", **values)


def guests(*ids: str) -> list[Row]:
    """Users who bring these ids."""
    return [_unlike(f"guest{number}", id=id) for number, id in enumerate(ids)]


NEAR_NAMES = Pool(
    (
        *("ann", "ann@example.com", "ann@example.com:7", "ann@example.com:78", "ann@example.com:777"),
        *("nn@example.com:77", "joann@example.com:77", "ann@example.org:77", "%", "ann%", "%:77"),
        *("_nn@example.com:77", "*", "a*@example.com:77", ".*", "a.n@example.com:77"),
        *("ann@example.com:77' or '1'='1", "ann@example.com:77,bob@example.com:77"),
    )
)
"""Names unlike that of `ANN` and of everyone else, which wildcards and parts of names take for it."""


def near_ids(id: str) -> tuple[str, ...]:
    """Ids unlike this one that numbers, wildcards, quoting, trimming and letter case take for it."""
    near = (
        *(f" {id}", f"{id} ", f"{id}\n", f"\t{id}", f"{id}\t"),
        *(f"0{id}", f"00{id}", f"+{id}", f"-{id}", f"{id}.0"),
        *(f"{id}.", f"{id}e0", f"{id}_0", f"{id}0", f"0x{id}", id.lstrip("0"), id.replace("_", ""), id[:-1]),
        *(id[1:], id.upper(), id.lower(), id.swapcase(), f"{id}%", f"%{id}", "_" * len(id), "?" * len(id)),
        *(f"{id}*", f"'{id}'", f'"{id}"', f"{id}'", f"{id}''", f"{id}\\", f"{id} or 1=1", f"{id}' or '1'='1"),
        *(f"{id};", f"{id}; drop table oauthtoken", f"{id}--", f"{id},{id}", f"[{id}]", f"({id})", id * 2),
        *(f"{id}_", f"{id[:1]}_{id[1:]}", f"{id[:-1]}%", f"{id[:-1]}_", f"{id[:-1]}?"),
        *(f"{id}\u200b", f"\ufeff{id}", f"./{id}", f"../{id}", f"{id}/"),
        "".join(chr(ord(one) + 0xFEE0) if one.isascii() and one.isalnum() else one for one in id),
        *(_in_other_digits(id), id[:1] + _in_other_digits(id[1:])),
    )
    return tuple(dict.fromkeys(other for other in near if other and other != id))


def _in_other_digits(id: str) -> str:
    """With the digits of another script, which `int` reads as well."""
    return "".join(chr(0x0660 + int(one)) if one in "0123456789" else one for one in id)
