"""Everything that is logged, warned of or written to standard output and error while a store is called."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import os
import sys
import tempfile
import warnings
from typing import Any, cast


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
