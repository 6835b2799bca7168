"""SECRET-2: no secret is told in logs, output or errors."""

from __future__ import annotations

import base64
import contextlib
import copy
import functools
import hashlib
import io
import logging
import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Any, cast

from ..._harness.calls import Answer, CallRecord
from ..._harness.messages import format_exception
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.tokens import SECRETS, Row, format_value, to_token
from ..registry import check
from ..sample_tokens import ACCESS, ANN, BOB, GRANT, ONE_OF_EVERY_KIND, person
from ..storage_faults import DAMAGES, files_in, main_file, out_of_reach

_LONG = 200_000


def secret(name: str) -> str:
    """A secret that occurs nowhere else: 60 letters and digits that depend on its name."""
    return base64.b32encode(hashlib.sha512(name.encode(errors="surrogatepass")).digest()).decode()[:60]


STEP, BLOCK = 4, 14


class Secrets:
    """Recognizes secrets, cut ones too, and as they look when they are encoded."""

    def __init__(self) -> None:
        self._blocks: dict[str, str] = {}

    def make(self, row: Row) -> Row:
        """The row with secrets of its own in the place of its secrets."""
        made = {}
        for name in SECRETS:
            if (value := getattr(row, name)) is not None:
                made[name] = self.new(name.replace("_", " "), f"{row.user_name}{value}")
        return row.but(**made)

    def new(self, name: str, seed: str) -> str:
        """A new secret.

        Args:
            name: What the secret is, for the message.
            seed: What makes it unlike every other.

        Returns:
            The secret.
        """
        text = secret(name + seed)
        # A part of a secret is one as well: blocks so close together that any long part has one.
        for form in (text, text.encode().hex(), *(_base64(text[start:]) for start in range(3))):
            for start in range(0, len(form) - BLOCK + 1, STEP):
                self._blocks[form[start : start + BLOCK]] = name
        return text

    def leak(self, text: str) -> str | None:
        """The first secret that a text holds, with what is around it; ``None`` where it holds none."""
        for place in range(len(text) - BLOCK + 1):
            name = self._blocks.get(text[place : place + BLOCK])
            if name is not None:
                return f"the {name} in {format_value(text[max(0, place - 60) : place + BLOCK + 30])}"
        return None


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode().rstrip("=")[:-1]


class OutputCapture:
    """Hears everything that is logged, warned of or written to standard output and error."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self._undo = contextlib.ExitStack()
        # One file for everything: what goes to the descriptors, and what goes to `sys.stdout`.
        self._output = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (closed at the end)
        self._stream = io.TextIOWrapper(
            cast(Any, self._output), encoding="utf-8", errors="backslashreplace", write_through=True
        )

    def __enter__(self) -> OutputCapture:  # noqa: PYI034 (Self needs Python 3.11)
        with contextlib.ExitStack() as undo:
            undo.callback(self._stream.close)
            self._hear_logs(undo)
            self._hear_warnings(undo)
            self._hear_output(undo)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._undo.close()

    def output(self) -> list[tuple[str, str]]:
        """What was heard so far: where it came from, and the text. It is forgotten then."""
        heard, self.heard[:] = list(self.heard), []
        self._stream.flush()
        self._output.seek(0)
        if written := self._output.read():
            heard.append(("standard output or error", written.decode(errors="replace")))
            self._output.seek(0)
            self._output.truncate()
        return heard

    def _hear_logs(self, undo: contextlib.ExitStack) -> None:
        make = logging.getLogRecordFactory()
        formatter = logging.Formatter()

        def made(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record = make(*args, **kwargs)
            where = f"a log record of {record.name} at {record.levelname}"
            with contextlib.suppress(Exception):
                # A copy: formatting leaves its traces in a record.
                self.heard.append((where, formatter.format(copy.copy(record))))
            self.heard.append((where, repr(record.msg) + repr(record.args)))
            return record

        undo.callback(logging.setLogRecordFactory, make)
        logging.setLogRecordFactory(made)
        undo.callback(logging.disable, logging.root.manager.disable)
        logging.disable(logging.NOTSET)
        for logger in (logging.root, *logging.root.manager.loggerDict.values()):
            if isinstance(logger, logging.Logger) and (
                logger is logging.root or logger.level or logger.disabled
            ):
                undo.callback(setattr, logger, "disabled", logger.disabled)
                undo.callback(logger.setLevel, logger.level)
                logger.setLevel(1)
                logger.disabled = False

    def _hear_warnings(self, undo: contextlib.ExitStack) -> None:
        undo.enter_context(warnings.catch_warnings())
        warnings.simplefilter("always")

        def show(message: Any, category: Any, *rest: Any, **more: Any) -> None:
            self.heard.append(("a warning", f"{category.__name__}: {message} {message!r}"))

        warnings.showwarning = show

    def _hear_output(self, undo: contextlib.ExitStack) -> None:
        for name, number in (("stdout", 1), ("stderr", 2)):
            stream = getattr(sys, name)
            with contextlib.suppress(Exception):
                stream.flush()
            undo.callback(setattr, sys, name, stream)
            setattr(sys, name, self._stream)
            with contextlib.suppress(OSError):  # closed
                copy = os.dup(number)
                undo.callback(os.close, copy)
                undo.callback(os.dup2, copy, number)
                os.dup2(self._output.fileno(), number)


class LeakCheckedStore:
    """A store whose every answer is searched for secrets."""

    def __init__(self, store: StoreHandle, ears: OutputCapture, secrets: Secrets) -> None:
        self.workspace = store.workspace
        self.ears = ears
        self.secrets = secrets
        self.store = store
        self.silent("opening")

    def save(self, row: Row) -> Any:
        """Save a token; any answer will do, as long as it is discreet. Returns the token."""
        token = to_token(row)
        self.store.remember(row)
        self.answered("save_token", self.store.call("save_token", token))
        return token

    def find(self, row: Row) -> None:
        """Look for a token."""
        self.answered("find_token", self.store.call("find_token", to_token(row)))

    def ask(self, method: str, *arguments: Any) -> None:
        """Call any method."""
        self.answered(method, self.store.call(method, *arguments))

    def answered(self, method: str, answer: Answer) -> None:
        """Search an answer, and whatever was heard meanwhile.

        Args:
            method: The method that was called.
            answer: What came back.
        """
        if answer.raised is not None:
            for where, text in _told_by(answer.raised):
                self._search(f"{where} of the exception of {method}", text)
        self.silent(method)

    def silent(self, method: str) -> None:
        """Search what was heard, and how the store shows itself."""
        for where, text in self.ears.output():
            self._search(f"{where} during {method}", text)
        for name, show in (("repr()", repr), ("str()", str)):
            call = functools.partial(show, self.store.store)
            answer = self.workspace.guarded(name, call, self.store.location)
            self._search(f"{name} of the store after {method}", str(answer.returned))

    def _search(self, where: str, text: str) -> None:
        if (leak := self.secrets.leak(text)) is not None:
            self.workspace.fail("no secret in what a log or a traceback may show", f"{where} shows {leak}")


def _told_by(error: BaseException) -> Iterator[tuple[str, str]]:
    """The texts with which an exception may give a secret away: whose they are, and the text."""
    yield "the formatted traceback", "".join(traceback.format_exception(error))
    told: list[Any] = []
    waiting: list[tuple[str, Any]] = [("", error)]
    while waiting:
        path, one = waiting.pop()
        if any(one is other for other in told) or len(told) > 50:
            continue
        told.append(one)
        if not isinstance(one, BaseException):
            yield path, _safely(repr, one)
            yield path, _safely(str, one)
            continue
        yield f"{path} text".strip(), _safely(str, one)
        yield f"{path} repr".strip(), _safely(repr, one)
        for name in ("args", "details", "cause", "message", "code"):
            value = getattr(one, name, None)
            if isinstance(value, BaseException):
                waiting.append((f"{path} {name}".strip(), value))
            elif value is not None:
                yield f"{path} {name}".strip(), _safely(repr, value)
                if name == "args" and isinstance(value, tuple):
                    waiting += [(f"{path} args".strip(), item) for item in value]
        if one.__cause__ is not None:
            waiting.append((f"{path} cause".strip(), one.__cause__))


def _safely(show: Callable[[Any], str], value: Any) -> str:
    try:
        return show(value)
    except Exception as error:
        return format_exception(error)


@check("SECRET-2")
def no_secret_is_told_when_all_goes_well(workspace: Workspace) -> None:
    secrets = Secrets()
    rows = [secrets.make(row) for row in ONE_OF_EVERY_KIND]
    with OutputCapture() as ears:
        tapped = LeakCheckedStore(workspace.open(), ears, secrets)
        ids = [tapped.save(row).get_id() for row in rows]
        _holds(tapped, rows[0])
        tapped.save(secrets.make(ANN.but(access_token="renewed")))
        for row in rows:
            tapped.find(row)
        tapped.save(secrets.make(ANN.but(**dict.fromkeys(SECRETS, "replaced"))))
        tapped.find(secrets.make(person("nobody")))
        tapped.ask("get_tokens")
        tapped.ask("find_token_by_id", ids[0])
        tapped.ask("find_token_by_id", "no such id")
        tapped.ask("delete_token", ids[-1])
        tapped.ask("delete_token", "no such id")
        tapped.answered("delete_tokens", tapped.store.clear())
        workspace.close(tapped.store)
        tapped.silent("closing")


@check("SECRET-2")
def no_secret_is_told_when_a_token_is_refused(workspace: Workspace) -> None:
    secrets = Secrets()
    with OutputCapture() as ears:
        tapped = LeakCheckedStore(workspace.open(), ears, secrets)
        ann = tapped.save(secrets.make(ANN))
        _holds(tapped, secrets.make(ANN))
        id = ann.get_id()
        tapped.save(secrets.make(BOB).but(id=id))
        tapped.save(secrets.make(ACCESS).but(id=id))
        tapped.save(secrets.make(GRANT).but(id=id))
        tapped.save(secrets.make(person("zoe", refresh_token=None, access_token=None, grant_token=None)))
        tapped.save(secrets.make(person("long")).but(id="i" * 300))
        for number, name in enumerate(SECRETS):
            text = secrets.new(name.replace("_", " "), f"odd{number}")
            for kind, odd in enumerate(("'", '"', "\0", "\ud800", "x" * _LONG)):
                row = secrets.make(person(f"odd{number}-{kind}"))
                tapped.save(row.but(**{name: f"{text}{odd}{text}"}))
                tapped.find(row.but(user_name=None, **{name: f"{text}{odd}{text}"}))
        tapped.save(secrets.make(person("zoe\ud800")))
        tapped.find(secrets.make(person("zoe\ud800")))
        tapped.find(Row(access_token=f"{secrets.new('access token', 'lone')}\ud800"))
        token = secrets.new("access token", "no token")
        tapped.ask("save_token", token)
        tapped.ask("save_token", {"access_token": token})
        tapped.ask("find_token", token)
        tapped.ask("delete_token", "1' or '1'='1")


@check("SECRET-2")
def no_secret_is_told_when_the_storage_fails(workspace: Workspace) -> None:
    secrets = Secrets()
    known, row = secrets.make(ANN), secrets.make(BOB)
    with OutputCapture() as ears:
        tapped = LeakCheckedStore(workspace.open(), ears, secrets)
        ids = [tapped.save(one).get_id() for one in (known, secrets.make(GRANT))]
        _holds(tapped, known)
        workspace.close(tapped.store)
        tapped.silent("closing")
        workspace.opened.append(tapped.store)  # a store may open itself again when it is called
        _all_methods(tapped, known, row, ids[0])
        if workspace.sut.break_storage is not None:
            with out_of_reach(workspace, [known, row]) as (store, rows):
                _all_methods(LeakCheckedStore(store, ears, secrets), known, row, rows[0].id)
        if workspace.sut.persistent and files_in(tapped.store.location):
            for what, damage in DAMAGES:
                workspace.fresh_examples()
                tapped = LeakCheckedStore(workspace.open(), ears, secrets)
                ids = [tapped.save(one).get_id() for one in (known, secrets.make(GRANT))]
                workspace.close(tapped.store)
                main = main_file(tapped.store)
                main.write_bytes(damage(main.read_bytes()))
                workspace.calls.append(CallRecord(1, "damage", answer=f"{main.name}: {what}"))
                tapped.silent("closing")
                answer, opened = workspace.try_open(tapped.store.location)
                tapped.answered(f"opening when {what}", answer)
                if opened is not None:
                    _all_methods(LeakCheckedStore(opened, ears, secrets), known, row, ids[0])


def _all_methods(tapped: LeakCheckedStore, known: Row, new: Row, id: Any) -> None:
    for row in (known, new):
        tapped.find(row)
        tapped.save(row)
    tapped.ask("get_tokens")
    tapped.ask("find_token_by_id", id)
    tapped.ask("delete_token", id)


def _holds(tapped: LeakCheckedStore, row: Row) -> None:
    """What follows says nothing unless the store holds the secret."""
    found = tapped.store.found(row.only("user_name"))
    if found is None or found.refresh_token != row.refresh_token:
        tapped.workspace.fail(
            "the store holds the secrets that were saved", f"found {found}", precondition_failed=True
        )
