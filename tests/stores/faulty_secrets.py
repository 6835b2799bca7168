"""Stores that let others read secrets: in files, exceptions, logs and output."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from .catalogue import fault
from .right import Fields, RightStore, break_storage, refusal

# SECRET-1


@fault("SECRET-1", says="mode 0644")
class ReadableByAll(RightStore):
    """Opens its file without a thought for modes."""

    def write_file(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)


@fault("SECRET-1", says="in the middle of save_token")
class ClosesTheDraftLater(RightStore):
    """Closes a file to others only when it is written."""

    def write_file(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        path.chmod(0o600)


@fault("SECRET-1", says="backup has mode 0644")
class KeepsAnOpenBackup(RightStore):
    """Keeps a copy of the rows before each delete, and forgets to close that."""

    def remove(self, state: Any, id: Any) -> None:
        (self.location / "backup").write_text(json.dumps(state["rows"]))
        super().remove(state, id)


# SECRET-2


@fault("SECRET-2", says="repr() of the store")
class ShowsItsRows(RightStore):
    """Shows its rows in ``repr()``."""

    def __repr__(self) -> str:
        return f"ShowsItsRows({self.read()['rows']})"


@fault("SECRET-2", says="exception of save_token")
class NamesTheTokenInTheMessage(RightStore):
    """Refuses a token under the id of another with the fields of both."""

    def id_is_taken(self, row: Fields) -> None:
        if not row["user_name"]:
            raise refusal(f"the id is another user's: {row}")
        row["id"] = None


@fault("SECRET-2", says="the formatted traceback")
class PutsFieldsIntoDetails(RightStore):
    """Refuses a token without a credential with its fields as details."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        try:
            return super().insert(state, sent)
        except SDKException as error:
            raise SDKException(code="TOKEN STORE", message="no credential", details=sent) from error


@fault("SECRET-2", says="cause repr of the exception")
class HandsOnTheCause(RightStore):
    """Names the decoding error of a damaged file as the cause, which quotes the file."""

    def read(self) -> Any:
        try:
            self.file.read_bytes().decode()
        except UnicodeDecodeError as error:
            raise refusal("the storage is damaged", error) from None
        except OSError:
            pass
        return super().read()


@fault("SECRET-2", says="at DEBUG")
class LogsWhatItSaves(RightStore):
    """Logs the fields of an update at the level that nobody reads until something goes wrong."""

    def update(self, row: Fields, sent: Fields) -> None:
        logging.getLogger("token_store").debug("updating with %s", sent)
        super().update(row, sent)


@fault("SECRET-2", says="a warning")
class WarnsOfOddTexts(RightStore):
    """Warns of a text that is unusually long, and quotes its beginning."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        for name, value in sent.items():
            if value and len(value) > 1000:
                warnings.warn(f"{name} is long: {value[:30]}...", stacklevel=2)
        return super().insert(state, sent)


@fault("SECRET-2", says="standard output or error", break_storage=break_storage)
class PrintsWhatItLost(RightStore):
    """Prints a token that could not be stored, so that it is not lost."""

    def save_token(self, token: Any) -> None:
        try:
            super().save_token(token)
        except SDKException:
            print("not stored:", json.dumps(self.fields_of(token)), file=sys.stderr)  # noqa: T201
            raise


@fault("SECRET-2", says="a log record of token_store at INFO during delete_tokens")
class LogsWhatItClears(RightStore):
    """Logs the rows that ``delete_tokens`` removes, so that they are not lost."""

    def clear(self, state: Any) -> None:
        logging.getLogger("token_store").info("removing %s", state["rows"])
        super().clear(state)
