"""Stores that change, lose or mix up what they keep."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

from .catalogue import fault
from .right import OTHERS, Fields, RightStore, refusal

TEXTS = ("user_name", *(name for name in OTHERS if name != "expires_in"))


class Changing(RightStore):
    """The common part of those that change what they are given: also what they look for."""

    def fields_of(self, token: Any) -> Fields:
        fields = super().fields_of(token)
        return {
            name: self.changed(name, value) if value and name in TEXTS else value
            for name, value in fields.items()
        }

    def changed(self, name: str, value: str) -> str | None:
        raise NotImplementedError


# VALUE-1


@fault("VALUE-1", says="save_token stores the token")
class CannotQuote(RightStore):
    """Puts values into its SQL: a quote ends in a syntax error."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        if any("'" in (sent[name] or "") for name in TEXTS):
            raise refusal("near quote: syntax error")
        return super().insert(state, sent)


@fault("VALUE-1", says="comes back as")
class ReadsLinesAsText(Changing):
    r"""Opens its file in text mode, so that `\r\n` and `\r` come back as `\n`."""

    def changed(self, name: str, value: str) -> str:
        return value.replace("\r\n", "\n").replace("\r", "\n")


@fault("VALUE-1", says="comes back as")
class StripsRedirects(Changing):
    """Strips one field."""

    def changed(self, name: str, value: str) -> str | None:
        return value.strip() or None if name == "redirect_url" else value


@fault("VALUE-1", says="comes back as")
class TakesWordsForNothing(Changing):
    """Takes the text `None` in a field for no value."""

    def changed(self, name: str, value: str) -> str | None:
        return None if value == "None" else value


@fault("VALUE-1", says="comes back as")
class Normalises(Changing):
    """Brings texts into one Unicode form."""

    def changed(self, name: str, value: str) -> str:
        return unicodedata.normalize("NFC", value)


@fault("VALUE-1", says="comes back as")
class EscapesUpdatesTwice(RightStore):
    """Escapes backslashes in updates that it does not unescape."""

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(
            row, {name: value.replace("\\", "\\\\") if value else value for name, value in sent.items()}
        )


@fault("VALUE-1", says="comes back as")
class ListsWithoutMarks(RightStore):
    """Drops a byte order mark in the answer of ``find_token_by_id``."""

    def find_token_by_id(self, id: Any) -> Any:
        token = super().find_token_by_id(id)
        if token is not None:
            for name in OTHERS:
                value = getattr(token, f"get_{name}")()
                getattr(token, f"set_{name}")(value.lstrip("\ufeff") or None if value else value)
        return token


@fault("VALUE-1", says="the row with")
class TakesAColumnsNameForTheHeader(RightStore):
    """Passes over a row whose user is named like the header of its column."""

    def by_user(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return None if sent["user_name"] == "user_name" else super().by_user(rows, sent)


@fault("VALUE-1", says="comes back as")
class SplitsAtLineSeparators(Changing):
    """Reads its file with ``str.splitlines``, which ends a line at U+2028, U+0085 and U+001C too."""

    def changed(self, name: str, value: str) -> str | None:
        return (value.splitlines() or [""])[0] or None if name == "client_secret" else value


@fault("VALUE-1", says="save_token stores the token")
class CannotEncode(RightStore):
    """Writes Latin-1, and refuses the rest."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        if any(character > "\xff" for name in TEXTS for character in sent[name] or ""):
            raise refusal("character cannot be encoded")
        return super().insert(state, sent)


@fault("VALUE-1", says="find_token")
class LooksForGrantTokensByPattern(RightStore):
    """Looks for grant tokens with LIKE, in which a backslash escapes."""

    def by_grant(self, rows: list[Fields], sent: Fields) -> Fields | None:
        if "\\" in (sent["grant_token"] or ""):
            return None
        return super().by_grant(rows, sent)


@fault("VALUE-1", says="comes back as")
class EscapesWhatAnUpdateKeeps(RightStore):
    """An update writes what it keeps as it was read from the file, with its escapes."""

    def update(self, row: Fields, sent: Fields) -> None:
        kept = {name: json.dumps(row[name])[1:-1] for name in OTHERS if row[name] and not sent[name]}
        super().update(row, sent)
        row.update(kept)


# VALUE-2, VALUE-3


class Cutting(Changing):
    """The common part of those that cut."""

    width = 0

    def changed(self, name: str, value: str) -> str:
        return value[: self.width]


@fault("VALUE-2", says="255 characters")
class CutsAt100(Cutting):
    """Cuts every value at 100 characters."""

    width = 100


@fault("VALUE-2", says="255 characters")
class CutsBytes(Changing):
    """Cuts redirect URLs at 255 bytes, which is right for ASCII."""

    def changed(self, name: str, value: str) -> str:
        return value.encode()[:255].decode(errors="ignore") if name == "redirect_url" else value


@fault("VALUE-2", says="expires_in")
class KeepsSmallNumbers(RightStore):
    """Keeps the expiry as a signed number of 64 bits."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        if sent["expires_in"]:
            sent = {**sent, "expires_in": str(min(int(sent["expires_in"]), 2**63 - 1))}
        return super().insert(state, sent)


@fault("VALUE-3", says="4096 characters")
class CutsAt1000(Cutting):
    """Cuts every value at 1,000 characters."""

    width = 1000


@fault("VALUE-3", says="save_token stores the token")
class RefusesLongClientSecrets(RightStore):
    """Refuses a client secret of more than 2,048 characters."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        if len(sent["client_secret"] or "") > 2048:
            raise refusal("value too long")
        return super().insert(state, sent)


# VALUE-4


@fault("VALUE-4", says="comes back as None")
class AnswersEmptyTexts(RightStore):
    """Answers with an empty text where a field is absent."""

    def new_token(self, row: Fields) -> Any:
        token = super().new_token(row)
        for name in OTHERS:
            getattr(token, f"set_{name}")(row[name] or "")
        return token


@fault("VALUE-4", says="without a UserSignature")
class AnswersNamelessUsers(RightStore):
    """Answers with a UserSignature around nothing where no user is named."""

    def new_token(self, row: Fields) -> Any:
        token = super().new_token(row)
        token.set_user_signature(UserSignature(row["user_name"]))
        return token


@fault("VALUE-4", "SAVE-12", says="comes back as None")
class WritesNoneAsText(RightStore):
    """An update writes the word None into an API domain that nobody has set."""

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(row, sent)
        row["api_domain"] = str(row["api_domain"])


@fault("VALUE-4", says="from find_token it is")
class FindsWithEmptyGrantTokens(RightStore):
    """``find_token`` fills an absent grant token with an empty text."""

    def found(self, token: Any, row: Fields) -> Any:
        super().found(token, row)
        if not row["grant_token"]:
            token.set_grant_token("")
        return token


@fault("VALUE-4", says="from find_token_by_id it is ''")
class FindsClientsWithEmptyRefreshTokens(RightStore):
    """``find_token_by_id`` gives the access token of a client, without a user, an empty refresh token."""

    def find_token_by_id(self, id: Any) -> Any:
        token = super().find_token_by_id(id)
        named = token is None or token.get_user_signature() is not None
        if not named and token.get_client_id() and token.get_access_token():
            token.set_refresh_token(token.get_refresh_token() or "")
        return token


# VALUE-5


@fault("VALUE-5", says="expires_in comes back as the str")
class AnswersWithNumbers(RightStore):
    """Answers with the expiry as a number."""

    def new_token(self, row: Fields) -> Any:
        token = super().new_token(row)
        token.set_expires_in(int(row["expires_in"]) if row["expires_in"] else None)
        return token


@fault("VALUE-5", "FIND-9", says="from find_token ")
class FindsNumbers(RightStore):
    """Only ``find_token`` answers with the expiry as a number."""

    def found(self, token: Any, row: Fields) -> Any:
        super().found(token, row)
        token.set_expires_in(int(row["expires_in"]) if row["expires_in"] else None)
        return token


@fault("VALUE-5", "SAVE-6", says="expires_in comes back as the str")
class LosesTheExpiry(RightStore):
    """Has no place for the expiry."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        return super().insert(state, {**sent, "expires_in": None})

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(row, {**sent, "expires_in": None})


@fault("VALUE-5", says="as a UserSignature")
class AnswersWithBareNames(RightStore):
    """Answers with something that has the user's name and is no UserSignature."""

    def new_token(self, row: Fields) -> Any:
        token = super().new_token(row)
        if row["user_name"]:
            token.set_user_signature(SimpleNamespace(get_name=lambda: row["user_name"]))
        return token


@fault("VALUE-5", "VALUE-2", says="expires_in comes back as the str")
class RoundsTheExpiry(RightStore):
    """Keeps the expiry as a floating-point number, which is right up to 2**53."""

    def update(self, row: Fields, sent: Fields) -> None:
        super().update(row, sent)
        if sent["expires_in"]:
            row["expires_in"] = str(int(float(sent["expires_in"])))


@fault("VALUE-5", "BYID-1", says="as a UserSignature of")
class NamesNobodyWithoutAnAccessToken(RightStore):
    """``find_token_by_id`` leaves the user out where there is no access token yet."""

    def find_token_by_id(self, id: Any) -> Any:
        token = super().find_token_by_id(id)
        if token is not None and not token.get_access_token():
            token.set_user_signature(None)
        return token


# VALUE-6, VALUE-7


def loosely(fold: Callable[[str], str]) -> Any:
    """A comparison of what is left after folding, as a method."""
    return lambda _, stored, sent: bool(stored and sent) and fold(stored) == fold(sent)


def bare(text: str) -> str:
    """A text without accents."""
    return "".join(one for one in unicodedata.normalize("NFD", text) if not unicodedata.combining(one))


@fault("VALUE-6", says="exactly the")
class TokensWithoutCase(RightStore):
    """Compares tokens without case."""

    same_token = loosely(str.casefold)


@fault("VALUE-6", says="exactly the")
class TokensWithoutAccents(RightStore):
    """Compares tokens without accents."""

    same_token = loosely(bare)


@fault("VALUE-6", says="exactly the")
class TokensWithoutTrailingSpace(RightStore):
    """Compares tokens without the space at their end."""

    same_token = loosely(lambda text: text.rstrip(" "))


@fault("VALUE-6", says="exactly the refresh_token")
class RefreshTokensOfOneWidth(RightStore):
    """Compares refresh tokens in compatibility form: full width and ligatures do not count."""

    def by_refresh(self, rows: list[Fields], sent: Fields) -> Fields | None:
        def folded(fields: Fields) -> Fields:
            return {**fields, "refresh_token": unicodedata.normalize("NFKC", fields["refresh_token"] or "")}

        for row in rows:
            if super().by_refresh([folded(row)], folded(sent)) is not None:
                return row
        return None


@fault("VALUE-6", "VALUE-2", says="exactly the access_token")
class FindsTheBeginningOfLongTokens(RightStore):
    """Has an index of the first 200 characters of an access token, and compares no more."""

    def by_access(self, rows: list[Fields], sent: Fields) -> Fields | None:
        cut = [{**row, "access_token": (row["access_token"] or "")[:200]} for row in rows]
        match = super().by_access(cut, {**sent, "access_token": (sent["access_token"] or "")[:200]})
        return None if match is None else rows[cut.index(match)]


def slug(text: str) -> str:
    """The letters and digits of a text, as for the name of a file."""
    return "".join(one for one in unicodedata.normalize("NFKD", text).casefold() if one.isalnum())


@fault("VALUE-6", says="exactly the")
class FilesNamedByTokens(RightStore):
    """Has a file for each of Zoho's tokens, named by its letters and digits, and compares those alone."""

    def same_token(self, stored: str | None, sent: str | None) -> bool:
        if stored and sent and stored.startswith("1000.") and sent.startswith("1000."):
            return slug(stored) == slug(sent)
        return super().same_token(stored, sent)


@fault("VALUE-7", says="exactly the user_name")
class NamesWithoutCase(RightStore):
    """Compares user names without case."""

    same_name = loosely(str.lower)


@fault("VALUE-7", says="exactly the user_name")
class NamesWithoutSpace(RightStore):
    """Compares user names without the space around them."""

    same_name = loosely(str.strip)


@fault("VALUE-7", says="exactly the user_name")
class NamesInOneForm(RightStore):
    """Compares user names in one Unicode form."""

    same_name = loosely(lambda text: unicodedata.normalize("NFC", text))


@fault("VALUE-7", says="exactly the user_name")
class FilesNamedByUsers(RightStore):
    """Has a file for each user and organization, named by the letters and digits of the user's name."""

    def same_name(self, stored: str | None, sent: str | None) -> bool:
        return super().same_name(self.file_of(stored), self.file_of(sent))

    def file_of(self, name: str | None) -> str | None:
        user, colon, organization = (name or "").rpartition(":")
        return slug(user) + colon + organization if colon else name


# VALUE-8


@fault("VALUE-8", "SAVE-1", says="an id of its own")
class CountsByText(RightStore):
    """Takes the greatest id as text, so that the tenth and the eleventh user get one id."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        row = super().insert(state, {**sent, "id": None})
        greatest = max((other["id"] for other in state["rows"] if other is not row), default="0")
        row["id"] = str(int(greatest) + 1)
        twin = self.by_id([other for other in state["rows"] if other is not row], row["id"])
        if twin is not None:
            state["rows"].remove(twin)
        return row


@fault("VALUE-8", "SAVE-3", says="an id of its own")
class CountsInOneByte(RightStore):
    """Counts in one byte, so that the 257th user gets the first one's id."""

    def next_id(self, state: Any) -> str:
        state["last"] = (state["last"] + 1) % 256
        return str(state["last"])


@fault("VALUE-8", says="rows for")
class KeepsTheLast500(RightStore):
    """Drops the oldest row when there are more than five hundred."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        row = super().insert(state, sent)
        del state["rows"][:-500]
        return row


@fault("VALUE-8", says="rows for")
class ListsOnePage(RightStore):
    """Lists the first page of two hundred rows."""

    def get_tokens(self) -> list[Any]:
        return super().get_tokens()[:200]


# VALUE-9


@fault("VALUE-9", says="or save_token raises SDKException")
class CutsAtNUL(Changing):
    """Ends a text at its first NUL."""

    def changed(self, name: str, value: str) -> str | None:
        return value.partition("\0")[0] or None


@fault("VALUE-9", says="or save_token raises SDKException")
class ReplacesSurrogates(Changing):
    """Writes a question mark for what it cannot encode."""

    def changed(self, name: str, value: str) -> str:
        return value.encode(errors="replace").decode()


@fault("VALUE-9", says="is refused with SDKException")
class LetsEncodingErrorsOut(RightStore):
    """Lets UnicodeEncodeError out where a text cannot be encoded."""

    def fields_of(self, token: Any) -> Fields:
        fields = super().fields_of(token)
        for value in fields.values():
            (value or "").encode()
        return fields


@fault("VALUE-9", says="exactly as they were")
class SavesBeforeItRefuses(RightStore):
    """Refuses a text that it cannot encode when half of it is already done."""

    def save_token(self, token: Any) -> None:
        sent = self.fields_of(token)
        if any("\0" in (value or "") for value in sent.values()):
            with self.changing() as state:
                row = self.match_to_save(state["rows"], sent)
                if row is not None:
                    row["redirect_url"] = "half"
            raise refusal("NUL")
        super().save_token(token)


@fault("VALUE-9", says="or save_token raises SDKException")
class CutsAt64K(Cutting):
    """Cuts every value at 65,535 characters."""

    width = 65_535


@fault("VALUE-9", says="every row still reads")
class CannotReadLongFields(RightStore):
    """Writes a field of more than 131,072 characters, after which nothing can be read any more."""

    def read(self) -> Any:
        state = super().read()
        for row in state["rows"]:
            if any(len(value or "") > 131_072 for value in row.values()):
                raise refusal("field larger than field limit (131072)")
        return state


@fault("VALUE-9", says="after opening again")
class LosesWhatItCannotReadAgain(RightStore):
    """Leaves out, when it is opened, the rows with a lone surrogate, and the rows after them."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        with self.changing() as state:
            for place, row in enumerate(state["rows"]):
                if any("\ud800" <= one <= "\udfff" for value in row.values() for one in value or ""):
                    del state["rows"][place:]
                    break


@fault("VALUE-9", says="returns None, or raises SDKException")
class LooksForNULInVain(RightStore):
    """Lets a ValueError out where an id has a NUL in it."""

    def same_id(self, stored: str, asked: Any) -> bool:
        if isinstance(asked, str) and "\0" in asked:
            raise ValueError("embedded null character")
        return super().same_id(stored, asked)


@fault("VALUE-9", says="none is removed")
class EndsIdsAtNUL(RightStore):
    """Ends an id at its first NUL when it deletes, and so finds the row of what is before it."""

    def remove(self, state: Any, id: Any) -> None:
        super().remove(state, id.partition("\0")[0] if isinstance(id, str) else id)


class ChangingNewRows(RightStore):
    """The common part of those that change what they insert."""

    def insert(self, state: Any, sent: Fields) -> Fields:
        changed = {name: self.changed(name, value) if value else value for name, value in sent.items()}
        return super().insert(state, changed)

    def changed(self, name: str, value: str) -> str | None:
        raise NotImplementedError


@fault("VALUE-9", says="redirect_url comes back as")
class InsertsRedirectsUpToNUL(ChangingNewRows):
    """Ends the redirect URL of a new row at its first NUL."""

    def changed(self, name: str, value: str) -> str | None:
        return value.partition("\0")[0] or None if name == "redirect_url" else value


@fault("VALUE-9", says="or save_token raises SDKException")
class InsertsSecretsWithoutSurrogates(ChangingNewRows):
    """Leaves out of the client secret of a new row what it cannot encode."""

    def changed(self, name: str, value: str) -> str | None:
        return value.encode(errors="ignore").decode() or None if name == "client_secret" else value


@fault("VALUE-9", says="or save_token raises SDKException")
class InsertsUpTo64K(ChangingNewRows):
    """Cuts the values of a new row at 65,535 characters."""

    def changed(self, name: str, value: str) -> str | None:
        return value if name == "id" else value[:65_535]


@fault("VALUE-9", says="id comes back as")
class CutsIds(ChangingNewRows):
    """Cuts an id that a token brings at 64 characters."""

    def changed(self, name: str, value: str) -> str | None:
        return value[:64] if name == "id" else value


@fault("VALUE-8", says="are left")
class ClearsOnePage(RightStore):
    """Deletes the first hundred rows where it should delete all."""

    def clear(self, state: Any) -> None:
        del state["rows"][:100]


@fault("VALUE-1", says="redirect_url")
class TrimsASlash(RightStore):
    """Takes the slash off the end of a redirect URL."""

    def fields_of(self, token: Any) -> Fields:
        fields = super().fields_of(token)
        if fields["redirect_url"]:
            fields["redirect_url"] = fields["redirect_url"].rstrip("/") or fields["redirect_url"]
        return fields


@fault("VALUE-7", says="user_name")
class ComparesDomainsWithoutCase(RightStore):
    """Takes names for one that differ in the case of what follows the @."""

    def same_name(self, stored: str | None, sent: str | None) -> bool:
        return super().same_name(self.lowered(stored), self.lowered(sent))

    def lowered(self, name: str | None) -> str | None:
        if name is None:
            return None
        local, at, domain = name.partition("@")
        return local + at + domain.lower()
