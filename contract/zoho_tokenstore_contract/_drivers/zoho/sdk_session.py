"""The SDK at work over the store under test, against a Zoho on loopback.

Nothing of the SDK is replaced: it is driven through its own `Initializer`, `OAuthToken` and HTTP
stack. Between it and the store stands a `TokenStore` that passes every call on and records it, for
the SDK swallows what `save_token` raises, and a message has to tell it all the same.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from ..._harness.calls import Answer, CallRecord
from ..._harness.messages import format_exception
from ..._harness.workspace import Workspace
from ..._spec.outcomes import Violation
from ..._spec.sdk import load
from ..._spec.tokens import Row, absent, format_row, format_token, format_value, to_row
from .server import HOST, REQUEST_NUMBER, TOKEN, DataCentre, Request, Zoho

CLIENT = {"client_id": "1000.CLIENT", "client_secret": "client-secret"}
REDIRECT = "https://app.example.com/oauth"
FUTURE = "9999999999999"
PAST = "1000000000000"
THREAD = "tokenstore-flow-"

Calling = Callable[..., Answer]
"""Calls a method of the store, by name and with positional arguments, and never raises."""


# The store, as the SDK gets it


def recording(call: Calling) -> Any:
    """A `TokenStore` that passes the SDK's calls on, with the very objects, and raises what comes.

    It refuses to pass on a token of a real data centre: the SDK would go there and leave the
    machine.
    """
    return _recording_class()(call)


@functools.cache
def _recording_class() -> Any:
    class Recording(load().TokenStore):  # type: ignore[misc]
        def __init__(self, call: Calling) -> None:
            self.passed: list[Row] = []
            self.save_raised: list[BaseException] = []
            self.inside: dict[int, str] = {}
            self.foreign_domains: list[str] = []
            self._call = call

        def find_token(self, token: Any) -> Any:
            return self._stay(self._pass("find_token", token), token)

        def save_token(self, token: Any) -> Any:
            self.passed.append(to_row(token))
            return self._pass("save_token", token)

        def delete_token(self, id: Any) -> Any:
            return self._pass("delete_token", id)

        def get_tokens(self) -> Any:
            return self._pass("get_tokens")

        def delete_tokens(self) -> Any:
            return self._pass("delete_tokens")

        def find_token_by_id(self, id: Any) -> Any:
            return self._stay(self._pass("find_token_by_id", id))

        def _pass(self, method: str, *arguments: Any) -> Any:
            thread = threading.get_ident()
            self.inside[thread] = method
            try:
                answer = self._call(method, *arguments)
            finally:
                self.inside.pop(thread, None)
            if answer.raised is not None:
                if method == "save_token":
                    self.save_raised.append(answer.raised)
                raise answer.raised
            return answer.returned

        def _stay(self, found: Any, passed: Any = None) -> Any:
            for token in (found, passed):
                domain = token.get_api_domain() if isinstance(token, load().OAuthToken) else None
                if isinstance(domain, str) and f"//{HOST}" not in domain and _is_real(domain):
                    self.foreign_domains.append(domain)
                    raise RuntimeError(f"the kit does not let the SDK leave for {domain}")
            return found

    return Recording


def _is_real(domain: str) -> bool:
    module = load().module("src.com.zoho.crm.api.dc.data_center")
    return module.DataCenter.get(domain) is not None


# The SDK


@contextlib.contextmanager
def sdk_at_rest() -> Iterator[None]:
    """The SDK as if nobody had used it yet, and afterwards as it was found.

    It logs with broken format strings: a handler would print `--- Logging error ---`, and pytest's
    own would raise in the middle of it. Proxies and a ``.netrc`` are for other hosts than loopback.
    """
    initializer = load().Initializer
    logger = logging.getLogger("SDKLogger")
    log_state = (logger.level, list(logger.handlers), logger.disabled)
    global_state = (initializer.initializer, getattr(initializer.LOCAL, "init", None))
    names = ("NO_PROXY", "no_proxy", "NETRC")
    environment = {name: os.environ.get(name) for name in names}
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, (environment[name], HOST)))
    os.environ["NETRC"] = os.devnull
    logger.disabled = True
    _forget()
    try:
        yield
    finally:
        initializer.initializer, initializer.LOCAL.init = global_state
        level, logger.handlers[:], logger.disabled = log_state
        logger.setLevel(level)
        for name, value in environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _forget() -> None:
    """Have the SDK forget whom it works for, in this thread."""
    initializer = load().Initializer
    initializer.initializer = None
    initializer.LOCAL.init = None


class App:
    """An application on top of the SDK, as its documentation says to write it.

    Every step is recorded and answered with an `Answer`; none raises.
    """

    def __init__(self, store: Any, resources: Path, calls: list[Any]) -> None:
        """An application that was not started yet.

        Args:
            store: What `recording` made.
            resources: A directory of its own, where the SDK may write what it knows of fields.
            calls: Where the steps are recorded.
        """
        self._store = store
        self._resources = resources
        self._calls = calls

    def start(self, token: Any, url: str, accounts_url: str) -> Answer:
        """Start anew: forget everything and initialize the SDK."""
        _forget()
        initialize = load().Initializer.initialize
        return self._step(
            f"Initializer.initialize({_shown_token(token)}, store)",
            lambda: initialize(
                environment(url, accounts_url),
                token,
                self._store,
                resource_path=str(self._resources),
            ),
        )

    def switch(self, token: Any, url: str, accounts_url: str) -> Answer:
        """Go on as another user, in this thread."""
        switch_user = load().Initializer.switch_user
        return self._step(
            f"Initializer.switch_user({_shown_token(token)})",
            lambda: switch_user(environment(url, accounts_url), token),
        )

    def call_api(self) -> Answer:
        """One call of the API: the number of the request that it made."""
        operations = load().module("src.com.zoho.crm.api.org").OrgOperations()
        numbers: list[int] = []

        def call() -> None:
            response = operations.get_organization()
            if response is None:
                raise RuntimeError("the SDK answers None: it could not make the call")
            numbers.append(int(response.get_headers()[REQUEST_NUMBER]))

        answer = self._step("OrgOperations().get_organization()", call)
        return answer if answer.raised is not None else Answer(returned=numbers[0])

    def remove(self, token: Any) -> Answer:
        """``OAuthToken.remove``."""
        return self._step(f"{_shown_token(token)}.remove()", token.remove)

    def revoke(self, token: Any, id: str) -> Answer:
        """``OAuthToken.revoke``."""
        return self._step(f"OAuthToken.revoke({format_value(id)})", lambda: token.revoke(id))

    def _step(self, told: str, act: Callable[[], Any]) -> Answer:
        thread = threading.current_thread().name.partition(THREAD)[2]
        note = (f"in thread {thread}: {told}" if thread else told) + ", as follows"
        record = CallRecord(0, told, note=f"{note}; it has not come back")
        self._calls.append(record)
        try:
            answer = Answer(returned=act())
        except Exception as error:
            answer = Answer(raised=error)
        record.note = note if str(answer) == "returned None" else f"{note}; it {answer}"
        return answer


def oauth_token(row: Row) -> Any:
    """The SDK's token, made with its constructor from the present fields, as an application does."""
    sdk = load()
    fields = {name: value for name, value in row.present().items() if name not in ("id", "user_name")}
    if row.id is not None:
        fields["id"] = row.id
    if row.user_name is not None:
        fields["user_signature"] = sdk.UserSignature(row.user_name)
    return sdk.OAuthToken(**fields)


def environment(url: str, accounts_url: str) -> Any:
    """The SDK's `Environment` of a data centre; that of ``zohocrmsdk5-0`` has a name too."""
    make = load().Environment
    try:
        return make(url, accounts_url, url)
    except TypeError:
        return make(url, accounts_url, url, "loopback")


def _shown_token(token: Any) -> str:
    return format_token(to_row(token))


# What the installed SDK can do, found out by trying


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


# A check


class Flow:
    """One check's application, store and Zoho. Used as a context manager.

    Attributes:
        store: The store under test, open.
        zoho: The server.
        us: Its data centre that is meant where nothing else is said.
        app: The application.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.zoho = Zoho({CLIENT["client_id"]: CLIENT["client_secret"]}, self._tell)
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Flow:  # noqa: PYI034 (Self needs Python 3.11)
        abilities()
        self.store = self.workspace.open()
        self._stack.enter_context(sdk_at_rest())
        self._stack.enter_context(self.zoho)
        self.default_centre = self.zoho.centre("us")
        self.recorder = recording(self._call)
        self.app = App(self.recorder, self.workspace.location(), self.workspace.calls)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
        if isinstance(error, Violation) and self.recorder.save_raised:
            raised = format_exception(self.recorder.save_raised[-1])
            error.seen += f"; save_token had raised {raised}, which the SDK swallows"

    # arranging

    def signed_in(self, name: str, *, expired: bool = False, centre: DataCentre | None = None) -> Row:
        """The row that an earlier run of the application left of a user, with tokens Zoho knows."""
        centre = centre or self.default_centre
        refresh_token = centre.refresh_token(name)
        access_token = centre.access_token(name, refresh_token)
        if expired:
            centre.expire(access_token)
        return Row(
            user_name=centre.user(name).signature,
            **CLIENT,
            refresh_token=refresh_token,
            access_token=access_token,
            grant_token=f"1000.{centre.name}.{name}.used",
            expires_in=PAST if expired else FUTURE,
            redirect_url=REDIRECT,
            api_domain=centre.url,
        )

    # the application's steps

    def start(self, row: Row, centre: DataCentre | None = None) -> Any:
        """Start the application anew with a token that has these fields; returns the token."""
        return self.start_with(oauth_token(row), centre)

    def start_with(self, token: Any, centre: DataCentre | None = None) -> Any:
        """Start the application anew with this very token."""
        centre = centre or self.default_centre
        self.works(self.app.start(token, centre.url, centre.accounts_url), "Initializer.initialize")
        return token

    def try_start(self, row: Row) -> Answer:
        """The same; any answer will do."""
        return self.app.start(oauth_token(row), self.default_centre.url, self.default_centre.accounts_url)

    def switch(self, token: Any, centre: DataCentre | None = None) -> Any:
        """Go on as another user, in this thread."""
        centre = centre or self.default_centre
        self.works(self.app.switch(token, centre.url, centre.accounts_url), "Initializer.switch_user")
        return token

    def code_of(self, name: str, centre: DataCentre | None = None) -> Row:
        """What an application makes a token of when a user has just come back with a new code.

        An SDK that does not ask Zoho for the name gets it from the application.
        """
        centre = centre or self.default_centre
        row = Row(**CLIENT, grant_token=centre.code(name), redirect_url=REDIRECT)
        return row if abilities().names_users else row.but(user_name=centre.user(name).signature)

    def call_api(self) -> Request:
        """One call of the API; the request that Zoho got."""
        answer = self.app.call_api()
        self.works(answer, "the call of the API")
        return self.zoho.requests[int(answer.returned) - 1]

    def works(self, answer: Answer, what: str) -> None:
        """A step of the application did not raise; raising breaks the clause."""
        if self.recorder.foreign_domains:
            self.workspace.fail(
                "the api_domain of a token is the one that Zoho answered",
                f"it is {format_value(self.recorder.foreign_domains[0])}: the SDK would leave this Zoho",
            )
        if answer.raised is not None:
            self.workspace.fail(f"{what} works", str(answer))

    # comparing

    def calls_as(self, name: str, access_token: str | None = None, centre: DataCentre | None = None) -> None:
        """A call of the API carries a user's valid token, or this one."""
        centre = centre or self.default_centre
        request = self.call_api()
        if access_token is not None and request.access_token != access_token:
            self.workspace.fail(
                f"the API call carries {name}'s stored access token, {format_value(access_token)}",
                f"it carried {format_value(request.access_token)}",
            )
        if centre.owner(request.access_token) != name or request.centre != centre.name:
            self.workspace.fail(
                f"the API call carries a valid access token of {name}, at {centre.url}",
                f"it carried {format_value(request.access_token)}, at /{request.centre}",
            )

    def asked_for_tokens(self, times: int, because: str) -> None:
        """Zoho got so many token requests; any other number breaks the clause."""
        seen = len(self.zoho.asked(TOKEN))
        if seen != times:
            self.workspace.fail(f"{_times(times)}: {because}", _times(seen))

    def passed(self) -> Row:
        """The token that the SDK passed to ``save_token`` last."""
        passed = self.recorder.passed
        return passed[-1] if passed else Row()

    def issued(self, **fields: Any) -> Row:
        """The row that should hold what Zoho issued last, with these other fields.

        When it expires is what the SDK made of the answer, by its clock.
        """
        request = self.zoho.asked(TOKEN)[-1]
        row = Row(
            access_token=request.answer.get("access_token"),
            refresh_token=request.answer.get("refresh_token"),
            api_domain=request.answer.get("api_domain"),
            expires_in=self.passed().expires_in,
        )
        return row.but(**fields)

    def has_row(self, before: Sequence[Row], want: Row, because: str) -> Row:
        """There is one row more, under this user or none, with these fields and an id.

        What it holds beside them is not compared: no flow speaks of it.
        """
        new = self.store.expect(before, new=1, because=because)[0]
        fields = ("user_name", *want.but(id=None).present())
        if new.plain().only(*fields) != want.plain().only(*fields) or absent(new.id):
            self.workspace.fail(f"{because}: {format_row(want)} and an id", format_row(new))
        return new

    def sent(self, credentials: Sequence[str | None], since: int) -> list[Request]:
        """The requests from a number on that carried one of these tokens."""
        known = {token for token in credentials if token}
        return [request for request in self.zoho.requests[since:] if request.credentials & known]

    # threads

    def together(
        self,
        task: Callable[[str, Callable[[], None]], None],
        names: Sequence[str],
        meanwhile: Callable[[set[str]], None] | None = None,
    ) -> None:
        """Run a task in a thread for each name, started together, and wait for all of them.

        Args:
            task: Called with the name and a function that waits for the other threads.
            names: One for each thread.
            meanwhile: Called now and then with the names of the threads that have ended.

        Raises:
            Violation: A task's, or that of a thread which does not come back.
        """
        barrier = threading.Barrier(len(names))
        failures: list[BaseException] = []

        def run(name: str) -> None:
            try:
                barrier.wait()
                task(name, lambda: void(barrier.wait()))
            except BaseException as error:
                failures.append(error)
                barrier.abort()

        threads = {
            name: threading.Thread(target=run, args=(name,), name=f"{THREAD}{name}", daemon=True)
            for name in names
        }
        for thread in threads.values():
            thread.start()
        self._join(threads, meanwhile)
        failures.sort(key=lambda error: isinstance(error, threading.BrokenBarrierError))
        if failures:
            raise failures[0]

    def _join(
        self, threads: dict[str, threading.Thread], meanwhile: Callable[[set[str]], None] | None
    ) -> None:
        """Wait for threads as long as anything happens at all."""
        seen, since = -1, time.monotonic()
        while alive := [name for name, thread in threads.items() if thread.is_alive()]:
            if meanwhile is not None:
                meanwhile(set(threads) - set(alive))
            threads[alive[0]].join(0.005)
            if len(self.workspace.calls) != seen:
                seen, since = len(self.workspace.calls), time.monotonic()
            if time.monotonic() - since > self.workspace.call_limit:
                self._hangs([threads[name] for name in alive])

    def _hangs(self, threads: Sequence[threading.Thread]) -> NoReturn:
        frames = sys._current_frames()
        methods = [self.recorder.inside.get(thread.ident or 0, "the SDK") for thread in threads]
        self.workspace.sut.hangs.append(methods[0])
        stacks = "".join(
            f"\n{thread.name}, in {method}:\n" + "".join(traceback.format_stack(frames[thread.ident])[-6:])
            for thread, method in zip(threads, methods, strict=True)
            if thread.ident in frames
        )
        self.workspace.fail(
            "every thread comes back",
            f"{len(threads)} had not come back after {self.workspace.call_limit:g} seconds:{stacks}",
        )

    # what is recorded

    def _call(self, method: str, *arguments: Any) -> Answer:
        if method == "save_token":
            return self.store.try_save_token(arguments[0]).answer
        return self.store.call(method, *arguments)

    def _tell(self, request: Request) -> None:
        self.workspace.calls.append(CallRecord(0, "Zoho", note=f"Zoho: {request}"))


def void(value: object) -> None:
    """Drop a value."""


def _times(number: int) -> str:
    return {0: "no token request", 1: "one token request"}.get(number, f"{number} token requests")
