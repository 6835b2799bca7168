"""Stores that keep their rows in files, a log or a directory, with one mistake that other kinds make too."""

from __future__ import annotations

import datetime as dt
import json
import locale
import tempfile
import unicodedata
import zlib
from pathlib import Path
from typing import Any

from .batches.first_designs import DirStore, LogStore, by_key, first, merge, refuse
from .catalogue import correct, fault
from .faulty_locks_kept import USUAL
from .right import Fields, RightStore


@fault("SAVE-14", says="a name came that has a row already")
class MovesWhatARowIsFoundAs(RightStore):
    """Notes in each row the name that finds it, which goes over to an unnamed row whose token brings it."""

    def by_user(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return next((row for row in rows if row["found_as"] == sent["user_name"]), None)

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row, unnamed = super().match_to_save(rows, sent), self.unnamed(self.by_id(rows, sent["id"]))
        if row and unnamed and sent["user_name"]:
            row["found_as"], unnamed["found_as"] = None, sent["user_name"]
        return row

    def insert(self, state: Any, sent: Fields) -> Fields:
        row = super().insert(state, sent)
        row["found_as"] = row["user_name"]
        return row


# Other surroundings


@fault("PERSIST-5", says="expires_in")
class ReadsUtcAsLocalTime(DirStore):
    """Writes expiry times in UTC without saying so, and reads them as local times."""

    def _put(self, seq: Any, row: Any) -> None:
        text = row["expires_in"]
        if text and text.isdecimal() and len(text) == 13:
            when = dt.datetime.fromtimestamp(int(text[:-3]), dt.timezone.utc).replace(tzinfo=None)
            row = {**row, "expires_in": f"{when.isoformat()}|{text[-3:]}"}
        super()._put(seq, row)

    def _parse(self, data: Any) -> Any:
        row = super()._parse(data)
        text, bar, rest = (row["expires_in"] or "").partition("|")
        if bar:
            row["expires_in"] = f"{int(dt.datetime.fromisoformat(text).timestamp())}{rest}"
        return row


class WritesPlainText(LogStore):
    """The common part of those whose log is for people to read."""

    def encoding(self) -> str:
        raise NotImplementedError

    def _line(self, record: Any) -> Any:
        try:
            text = json.dumps(record, ensure_ascii=False).encode(self.encoding())
        except UnicodeError:
            raise refuse("a character that the log cannot keep") from None
        return b"%08x %s\n" % (zlib.crc32(text), text)

    def _parse(self, line: Any) -> Any:
        if len(line) < 10 or int(line[:8], 16) != zlib.crc32(line[9:]):
            raise ValueError
        return json.loads(line[9:].decode(self.encoding()))


@fault("PERSIST-5", says="the store opens in another process")
class LogsInTheLocalesEncoding(WritesPlainText):
    """Writes its log in the encoding that the locale prefers."""

    def encoding(self) -> str:
        return locale.getpreferredencoding(False)


@correct()
class LogsInUtf8(WritesPlainText):
    """Writes its log in UTF-8, whatever the locale prefers."""

    def encoding(self) -> str:
        return "utf-8"


class NumbersNames(LogStore):
    """The common part of those that find users by a number made from the name."""

    def number(self, name: str) -> int:
        raise NotImplementedError

    def _key(self, rows: Any, row: Any) -> Any:
        if row["user_name"]:
            own = [one for one in rows if one["user_name"] and one["number"] == self.number(row["user_name"])]
            return first(own, user_name=row["user_name"])
        return super()._key(rows, row)

    def _insert(self, state: Any, row: Any) -> Any:
        return super()._insert(state, self._numbered(row))

    def _merge(self, old: Any, new: Any) -> Any:
        return self._numbered(super()._merge(old, new))

    def _numbered(self, row: Any) -> Any:
        return {**row, "number": self.number(row["user_name"] or "")}


@fault("PERSIST-5", says="finds its row in a process with")
class LogsHashesOfNames(NumbersNames):
    """Writes `hash` of each user's name into its log, and finds users by it."""

    def number(self, name: str) -> int:
        return hash(name)


@correct()
class LogsCheckSumsOfNames(NumbersNames):
    """Writes a check sum of each user's name into its log, and finds users by it."""

    def number(self, name: str) -> int:
        return zlib.crc32(name.encode("utf-8", "surrogatepass"))


# Values, ids and keys


@fault("VALUE-3", says="comes back as")
class LogsPieces(LogStore):
    """Logs values in pieces of 256 characters, which replace the pieces of the same number."""

    def _merge(self, old: Any, new: Any) -> Any:
        row = merge(old, new)
        for name in (name for name in new if name not in ("id", "user_name") and new[name] and old[name]):
            row[name] += old[name][-(-len(new[name]) // 256) * 256 :]
        return row


@fault("DEL-5", says="no deleted row had")
class ReadsTheEndOfItsLog(LogStore):
    """Gives the lowest number that no row has, and none of the last 80 that its log says are deleted."""

    def _apply(self, state: Any, rec: Any) -> None:
        gone = {"put": [], "del": [rec.get("id")], "clear": list(state["rows"])}[rec["op"]]
        state["gone"] = [*state.get("gone", ()), *gone][-80:]
        super()._apply(state, rec)

    def _new_id(self, state: Any) -> str:
        used = {*state["rows"], *state.get("gone", ())}
        return next(str(number) for number in range(1, len(used) + 2) if str(number) not in used)


@fault("DEL-3", says="none is removed")
class DeletesByTheValueOfDigits(RightStore):
    """Reads the digits of any script, also small and circled ones, when it deletes by id."""

    def remove(self, state: Any, id: Any) -> None:
        if isinstance(id, str):
            id = "".join(str(unicodedata.digit(letter, letter)) for letter in id)
        super().remove(state, id)


@fault("SAVE-1", says="is not JSON serializable")
class WritesOtherAttributesToo(RightStore):
    """Keeps what else a token carries beside its fields."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        row = super().insert(state, sent)
        row["others"] = self.others
        return row

    def save_token(self, token: Any) -> None:
        attributes = vars(token) if hasattr(token, "__dict__") else {}
        self.others = {name: value for name, value in attributes.items() if not name.startswith("_")}
        super().save_token(token)


@fault("VALUE-6", "SAVE-10", says="one new row")
class NamesRowsByClientAndToken(DirStore):
    """Compares client id, secret and token as one text, joined with an underscore as in a file's name."""

    def _key(self, rows: Any, row: Any) -> Any:
        rows = list(rows)
        found = by_key(rows, row)
        if found or row["user_name"] or not (row["client_id"] and row["client_secret"]):
            return found
        for name in ("grant_token", "refresh_token"):
            whole = [one for one in rows if one["client_id"] and one["client_secret"] and one[name]]
            same = [one for one in whole if row[name] and self._name(one, name) == self._name(row, name)]
            if same:
                return same[0]
        return None

    def _name(self, row: Any, name: str) -> str:
        return "_".join(row[part] for part in ("client_id", "client_secret", name))


@fault("SECRET-1", says="outside")
class LogsAmongTemporaryFilesToo(LogStore):
    """Writes each record to a second log in the directory for temporary files, for all to read."""

    def _append(self, records: Any) -> None:
        super()._append(records)
        second = Path(tempfile.gettempdir()) / f"zoho-{self.dir.name}.log"
        if second.parent not in USUAL:
            with second.open("ab") as file:
                file.writelines(map(self._line, records))


@fault("SAVE-12", says="again changes nothing")
class DoublesGrantTokensWithoutAClient(RightStore):
    """Looks for no id where a grant token comes without its client."""

    def by_id_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = super().by_id_to_save(rows, sent)
        return None if sent["grant_token"] and not sent["client_id"] else row

    def id_is_taken(self, row: Fields) -> None:
        row["id"] = None
