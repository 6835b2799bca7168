"""The SDK at work over the store under test, against a Zoho on loopback."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, NoReturn

from ..._harness.calls import Answer, CallRecord
from ..._harness.messages import format_exception
from ..._harness.store_limits import active
from ..._harness.workspace import Workspace
from ..._spec.clause_results import Violation
from ..._spec.tokens import Row, absent, format_row, format_value
from .app import THREAD, App, oauth_token, sdk_at_rest
from .data_centre import TOKEN, DataCentre, Request
from .recording_store import recording
from .sdk_abilities import CLIENT, FUTURE, PAST, REDIRECT, abilities, void
from .server import Zoho


class Flow:
    """One check's application, store and Zoho. Used as a context manager.

    Attributes:
        store: The store under test, open.
        zoho: The server.
        default_centre: Its data centre that is meant where nothing else is said.
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
        """The row that an earlier run of the application left of a user, with tokens Zoho knows.

        Args:
            name: The user at Zoho.
            expired: The access token has expired.
            centre: The data centre; by default the first one.

        Returns:
            The row, which is not stored yet.
        """
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
        """Start the application anew with a token that has these fields; returns the token.

        Args:
            row: The fields of the token.
            centre: The data centre; by default the first one.

        Returns:
            The token that was passed.
        """
        return self.start_with(oauth_token(row), centre)

    def start_with(self, token: Any, centre: DataCentre | None = None) -> Any:
        """Start the application anew with this very token.

        Args:
            token: The token.
            centre: The data centre; by default the first one.

        Returns:
            The same token.
        """
        centre = centre or self.default_centre
        self.works(self.app.start(token, centre.url, centre.accounts_url), "Initializer.initialize")
        return token

    def try_start(self, row: Row) -> Answer:
        """The same; any answer will do."""
        return self.app.start(oauth_token(row), self.default_centre.url, self.default_centre.accounts_url)

    def switch(self, token: Any, centre: DataCentre | None = None) -> Any:
        """Go on as another user, in this thread.

        Args:
            token: The token of the other user.
            centre: The data centre; by default the first one.

        Returns:
            The same token.
        """
        centre = centre or self.default_centre
        self.works(self.app.switch(token, centre.url, centre.accounts_url), "Initializer.switch_user")
        return token

    def code_of(self, name: str, centre: DataCentre | None = None) -> Row:
        """What an application makes a token of when a user has just come back with a new code.

        An SDK that does not ask Zoho for the name gets it from the application.

        Args:
            name: The user at Zoho.
            centre: The data centre; by default the first one.

        Returns:
            The fields of the token.
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
        """A step of the application did not raise; raising breaks the clause.

        Args:
            answer: The answer of the step.
            what: The step, in words.
        """
        if self.recorder.foreign_domains:
            self.workspace.fail(
                "the api_domain of a token is the one that Zoho answered",
                f"it is {format_value(self.recorder.foreign_domains[0])}: the SDK would leave this Zoho",
            )
        if answer.raised is not None:
            self.workspace.fail(f"{what} works", str(answer))

    # comparing

    def calls_as(self, name: str, access_token: str | None = None, centre: DataCentre | None = None) -> None:
        """A call of the API carries a user's valid token, or this one.

        Args:
            name: The user at Zoho.
            access_token: The token that the call has to carry; by default any valid one.
            centre: The data centre; by default the first one.
        """
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
        """Zoho got so many token requests; any other number breaks the clause.

        Args:
            times: How many requests there have to be.
            because: Why so many, in words.
        """
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
        if not self.zoho.asked(TOKEN):
            self.asked_for_tokens(1, "the SDK gets an access token")
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

        Args:
            before: The stored rows before that.
            want: The fields that the new row has to have.
            because: What led to it, in words.

        Returns:
            The new row.
        """
        new = self.store.expect(before, new=1, because=because)[0]
        fields = ("user_name", *want.but(id=None).present())
        lacks_an_id = absent(new.id) and active().gives_ids  # else SAVE-2 tells it
        if new.plain().only(*fields) != want.plain().only(*fields) or lacks_an_id:
            self.workspace.fail(f"{because}: {format_row(want)} and an id", format_row(new))
        return new

    def sent(self, credentials: Sequence[str | None], since: int) -> list[Request]:
        """The requests from a number on that carried one of these tokens.

        Args:
            credentials: The tokens that are looked for.
            since: The number of the first request that counts.

        Returns:
            The requests, in order.
        """
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


def _times(number: int) -> str:
    return {0: "no token request", 1: "one token request"}.get(number, f"{number} token requests")
