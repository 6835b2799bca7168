"""What the installed SDK can do, found out by trying."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._harness.calls import Answer
from ..._spec.tokens import Row
from .app import App, oauth_token, sdk_at_rest
from .data_centre import TOKEN, DataCentre
from .recording_store import recording
from .server import Zoho

CLIENT = {"client_id": "1000.CLIENT", "client_secret": "client-secret"}
REDIRECT = "https://app.example.com/oauth"
FUTURE = "9999999999999"
PAST = "1000000000000"


@dataclass(frozen=True)
class Abilities:
    """What the installed release of the SDK does over a store that is known to be right.

    Attributes:
        names_users: It asks Zoho for the name of the user before it saves.
        saves_unnamed: It saves also when that question failed.
        switches_centres: ``switch_user`` asks the data centre that it was given.
        revokes: ``revoke`` reaches Zoho.
        revoke_raised: What it raises where it does not.
    """

    names_users: bool
    saves_unnamed: bool
    switches_centres: bool
    revokes: bool
    revoke_raised: str


@functools.cache
def abilities() -> Abilities:
    """Try the installed SDK once in this process."""
    zoho = Zoho({CLIENT["client_id"]: CLIENT["client_secret"]})
    slot = _Slot()
    store = recording(slot.call)
    # On Windows the SDK's open log keeps its directory from being removed.
    directory = tempfile.TemporaryDirectory(prefix="tokenstore-", ignore_cleanup_errors=True)
    with sdk_at_rest(), zoho, directory as resources:
        app = App(store, Path(resources), [])

        def sign_in(centre: DataCentre, act: Callable[[Any, str, str], Answer]) -> Any:
            slot.token = None
            token = oauth_token(Row(**CLIENT, grant_token=centre.code("ann"), redirect_url=REDIRECT))
            answer = act(token, centre.url, centre.accounts_url)
            if answer.raised is not None:
                raise RuntimeError(f"the installed SDK does not work: {answer}") from answer.raised
            return token

        here, there = zoho.centre("here"), zoho.centre("there")
        here.user("ann").look_ups_to_fail = 1
        sign_in(here, app.start)
        saves_unnamed = slot.token is not None and slot.token.get_user_signature() is None
        token = sign_in(here, app.start)
        names_users = slot.token is not None and slot.token.get_user_signature() is not None
        revoked = app.revoke(token, slot.ID)
        try:
            sign_in(there, app.switch)
        except RuntimeError:
            switches_centres = False
        else:
            switches_centres = zoho.asked(TOKEN)[-1].centre == "there"
    return Abilities(
        names_users=names_users,
        saves_unnamed=saves_unnamed,
        switches_centres=switches_centres,
        revokes=revoked.returned is True,
        revoke_raised=str(revoked),
    )


class _Slot:
    """A store for one token, right by being so small: it keeps the very object."""

    ID = "1"

    def __init__(self) -> None:
        self.token: Any = None

    def call(self, method: str, *arguments: Any) -> Answer:
        """Answer to a call of the SDK."""
        if method == "save_token":
            self.token = arguments[0]
            self.token.set_id(self.ID)
            return Answer()
        if method == "find_token_by_id":
            return Answer(returned=self.token)
        if method == "find_token" and self.token is not None and arguments[0].get_id() == self.ID:
            arguments[0].set_refresh_token(self.token.get_refresh_token())
            return Answer(returned=arguments[0])
        return Answer()


def void(value: object) -> None:
    """Drop a value."""
