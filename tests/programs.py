"""The shortest programs that show what a store breaks, each for one clause.

Each begins with `BEGINNING` and ends in an assertion. It passes on every store that keeps the clause; on a
store that breaks it, it ends in the assertion or in what the store raises. They use the SDK alone.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

from zoho_tokenstore_contract._harness.messages import format_exception
from zoho_tokenstore_contract._spec.tokens import format_value

Program = Callable[[Any], None]

BEGINNING = """\
from contextlib import suppress

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store import DBStore, FileStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

def stored(store, field):
    return sorted((getattr(token, "get_" + field)() for token in store.get_tokens()), key=str)

store = FileStore("tokens.csv")  # or DBStore(...); the file or table is new and empty
ANN, BOB = UserSignature("ann"), UserSignature("bob")
CLIENT = {"client_id": "id", "client_secret": "secret"}
"""

ANN, BOB = UserSignature("ann"), UserSignature("bob")
CLIENT = {"client_id": "id", "client_secret": "secret"}


def stored(store: Any, field: str) -> list[Any]:
    """One field of every stored token."""
    return sorted((getattr(token, f"get_{field}")() for token in store.get_tokens()), key=str)


_programs: dict[str, list[Program]] = {}
_resting_on_empty: set[tuple[str, str]] = set()


def of(clause: str) -> tuple[Program, ...]:
    """The programs for a clause, the plainest first."""
    return tuple(_programs.get(clause, ()))


def shows(clause: str, *, empty: bool = False) -> Callable[[Program], Program]:
    """Register a program for a clause: a function of a new and empty store.

    Args:
        clause: The clause's id.
        empty: The program rests on ``""`` being absent, which the contract says and no text of the SDK.
    """

    def register(program: Program) -> Program:
        assert program.__name__ not in {one.__name__ for one in of(clause)}
        _programs.setdefault(clause, []).append(program)
        if empty:
            _resting_on_empty.add((clause, program.__name__))
        return program

    return register


def rests_on_empty(clause: str, name: str) -> bool:
    """Whether a program rests on ``""`` being absent."""
    return (clause, name) in _resting_on_empty


def source_of(program: Program) -> str:
    """The lines that follow `BEGINNING`."""
    source = textwrap.dedent(inspect.getsource(program))
    body = source[source.index("\n", source.index("\ndef ") + 1) + 1 :]
    return textwrap.dedent(body).strip()


def end_of(program: Program, store: Any) -> str:
    """Run a program on a new store: how it ends, "" where it ends well."""
    try:
        program(store)
    except AssertionError as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code is not program.__code__:
            trace = trace.tb_next
        return (
            f"AssertionError: seen is {format_value(trace.tb_frame.f_locals.get('seen') if trace else None)}"
        )
    except Exception as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, BaseException) and str(cause) not in str(error):
            return f"{format_exception(error)}, caused by {format_exception(cause)}"
        return format_exception(error)
    return ""


# SAVE


@shows("SAVE-2", empty=True)
def an_empty_id(store: Any) -> None:
    store.save_token(OAuthToken(id="", access_token="a"))
    [seen] = stored(store, "id")
    assert seen


@shows("SAVE-3")
def an_id_that_is_no_number(store: Any) -> None:
    store.save_token(OAuthToken(id="abc", access_token="a"))
    store.save_token(OAuthToken(access_token="b"))
    seen = stored(store, "access_token")
    assert seen == ["a", "b"]


@shows("SAVE-5")
def the_access_token_of_another_user(store: Any) -> None:
    store.save_token(OAuthToken(user_signature=ANN, access_token="a"))
    store.save_token(OAuthToken(user_signature=BOB, access_token="a"))
    seen = len(store.get_tokens())
    assert seen == 2


@shows("SAVE-6", empty=True)
def an_access_token_beside_empty_credentials(store: Any) -> None:
    for domain in ("https://one", "https://two"):
        store.save_token(OAuthToken(client_id="", client_secret="", access_token="a", api_domain=domain))
    seen = stored(store, "api_domain")
    assert seen == ["https://two"]


@shows("SAVE-6", empty=True)
def an_access_token_beside_an_empty_user(store: Any) -> None:
    nobody = UserSignature("")
    store.save_token(OAuthToken(access_token="a"))
    store.save_token(OAuthToken(user_signature=nobody, access_token="a", api_domain="https://two"))
    seen = stored(store, "api_domain")
    assert seen == ["https://two"]


@shows("SAVE-7")
def a_grant_token_again(store: Any) -> None:
    store.save_token(OAuthToken(**CLIENT, grant_token="g", access_token="a"))
    store.save_token(OAuthToken(**CLIENT, grant_token="g", access_token="b"))
    seen = stored(store, "access_token")
    assert seen == ["b"]


@shows("SAVE-8")
def a_refresh_token_again(store: Any) -> None:
    store.save_token(OAuthToken(**CLIENT, refresh_token="r", access_token="a"))
    store.save_token(OAuthToken(**CLIENT, refresh_token="r", access_token="b"))
    seen = stored(store, "access_token")
    assert seen == ["b"]


@shows("SAVE-8", empty=True)
def a_refresh_token_beside_an_empty_user(store: Any) -> None:
    nobody = UserSignature("")
    store.save_token(OAuthToken(**CLIENT, refresh_token="r", access_token="a"))
    store.save_token(OAuthToken(**CLIENT, refresh_token="r", user_signature=nobody, access_token="b"))
    seen = stored(store, "access_token")
    assert seen == ["b"]


@shows("SAVE-9")
def grant_and_refresh_token_of_two_rows(store: Any) -> None:
    store.save_token(OAuthToken(**CLIENT, refresh_token="r", access_token="by refresh"))
    store.save_token(OAuthToken(**CLIENT, grant_token="g", access_token="by grant"))
    store.save_token(OAuthToken(**CLIENT, grant_token="g", refresh_token="r", access_token="new"))
    seen = stored(store, "access_token")
    assert seen == ["by refresh", "new"]


@shows("SAVE-10")
def a_refresh_token_of_another_client(store: Any) -> None:
    store.save_token(OAuthToken("id", "secret", refresh_token="r", access_token="a"))
    store.save_token(OAuthToken("other id", "other secret", refresh_token="r", access_token="b"))
    seen = stored(store, "access_token")
    assert seen == ["a", "b"]


@shows("SAVE-11")
def a_new_user_under_the_id_of_another(store: Any) -> None:
    ann = OAuthToken(user_signature=ANN, access_token="a")
    store.save_token(ann)
    with suppress(SDKException):
        store.save_token(OAuthToken(id=ann.get_id(), user_signature=BOB, **CLIENT, refresh_token="r"))
    seen = [(t.get_user_signature().get_name(), t.get_access_token()) for t in store.get_tokens()]
    assert ("bob", "a") not in seen


@shows("SAVE-11")
def a_known_user_under_the_id_of_another(store: Any) -> None:
    ann = OAuthToken(user_signature=ANN, access_token="a")
    bob = OAuthToken(user_signature=BOB, access_token="b")
    store.save_token(ann)
    store.save_token(bob)
    token = OAuthToken(id=ann.get_id(), user_signature=BOB, access_token="c")
    store.save_token(token)
    store.delete_token(token.get_id())  # as token.remove() does
    seen = stored(store, "access_token")
    assert seen == ["a"]


@shows("SAVE-12")
def the_same_token_again(store: Any) -> None:
    token = OAuthToken(access_token="a")
    store.save_token(token)
    store.save_token(token)
    seen = len(store.get_tokens())
    assert seen == 1


@shows("SAVE-12")
def an_equal_token_again(store: Any) -> None:
    store.save_token(OAuthToken(access_token="a"))
    store.save_token(OAuthToken(access_token="a"))
    seen = len(store.get_tokens())
    assert seen == 1


@shows("SAVE-13", empty=True)
def an_empty_text_in_an_update(store: Any) -> None:
    store.save_token(OAuthToken(user_signature=ANN, refresh_token="r", access_token="a"))
    store.save_token(OAuthToken(user_signature=ANN, refresh_token="", access_token="b"))
    seen = stored(store, "refresh_token")
    assert seen == ["r"]


@shows("SAVE-14")
def a_name_that_is_learned_later(store: Any) -> None:
    token = OAuthToken(**CLIENT, refresh_token="r")
    store.save_token(token)
    token.set_user_signature(ANN)
    token.set_access_token("a")
    store.save_token(token)
    seen = stored(store, "access_token")
    assert seen == ["a"]


@shows("SAVE-14")
def a_name_that_is_learned_later_and_has_a_row(store: Any) -> None:
    token = OAuthToken(**CLIENT, refresh_token="r", access_token="b")
    store.save_token(OAuthToken(user_signature=ANN, access_token="a"))
    store.save_token(token)
    token.set_user_signature(ANN)
    with suppress(SDKException):
        store.save_token(token)
    seen = [
        token.get_user_signature() and token.get_user_signature().get_name() for token in store.get_tokens()
    ]
    assert seen.count("ann") == 1


@shows("SAVE-15")
def a_name_that_comes_with_the_refresh_token(store: Any) -> None:
    store.save_token(OAuthToken(**CLIENT, refresh_token="r", access_token="a"))
    store.save_token(OAuthToken(**CLIENT, refresh_token="r", access_token="b", user_signature=ANN))
    seen = stored(store, "access_token")
    assert seen == ["b"]


@shows("SAVE-16", empty=True)
def a_token_without_a_credential(store: Any) -> None:
    with suppress(SDKException):
        store.save_token(OAuthToken(user_signature=ANN, refresh_token="", access_token=""))
    seen = len(store.get_tokens())
    assert seen == 0


@shows("SAVE-20")
def an_access_token_with_client_credentials(store: Any) -> None:
    store.save_token(OAuthToken(**CLIENT, access_token="a"))
    seen = stored(store, "access_token")
    assert seen == ["a"]


@shows("SAVE-21")
def the_id_after_an_update(store: Any) -> None:
    store.save_token(OAuthToken(user_signature=ANN, access_token="a"))
    token = OAuthToken(user_signature=ANN, access_token="b")
    store.save_token(token)
    store.delete_token(token.get_id())  # as token.remove() does
    seen = len(store.get_tokens())
    assert seen == 0


@shows("SAVE-21", empty=True)
def an_empty_id_after_an_update(store: Any) -> None:
    store.save_token(OAuthToken(user_signature=ANN, access_token="a"))
    token = OAuthToken(id="", user_signature=ANN, access_token="b")
    store.save_token(token)
    seen = token.get_id()
    assert [seen] == stored(store, "id")


# FIND


@shows("FIND-1")
def a_stored_user(store: Any) -> None:
    store.save_token(OAuthToken(user_signature=ANN, access_token="a"))
    seen = store.find_token(OAuthToken(user_signature=ANN))
    assert seen is not None


@shows("FIND-2")
def a_stored_access_token(store: Any) -> None:
    store.save_token(OAuthToken(access_token="a"))
    seen = store.find_token(OAuthToken(access_token="a"))
    assert seen is not None


@shows("FIND-3")
def a_stored_grant_token(store: Any) -> None:
    store.save_token(OAuthToken(**CLIENT, grant_token="g"))
    seen = store.find_token(OAuthToken(**CLIENT, grant_token="g"))
    assert seen is not None


@shows("FIND-4")
def a_stored_refresh_token(store: Any) -> None:
    store.save_token(OAuthToken(**CLIENT, refresh_token="r"))
    seen = store.find_token(OAuthToken(**CLIENT, refresh_token="r"))
    assert seen is not None


@shows("FIND-2", empty=True)
def a_stored_access_token_beside_empty_texts(store: Any) -> None:
    store.save_token(OAuthToken(access_token="a"))
    seen = store.find_token(OAuthToken(client_id="", client_secret="", access_token="a"))
    assert seen is not None


@shows("FIND-3", empty=True)
def a_stored_grant_token_beside_an_empty_user(store: Any) -> None:
    store.save_token(OAuthToken(**CLIENT, grant_token="g"))
    seen = store.find_token(OAuthToken(**CLIENT, grant_token="g", user_signature=UserSignature("")))
    assert seen is not None


@shows("FIND-4", empty=True)
def a_stored_refresh_token_beside_an_empty_user(store: Any) -> None:
    store.save_token(OAuthToken(**CLIENT, refresh_token="r"))
    seen = store.find_token(OAuthToken(**CLIENT, refresh_token="r", user_signature=UserSignature("")))
    assert seen is not None


@shows("FIND-5")
def a_stored_id(store: Any) -> None:
    bob = OAuthToken(user_signature=BOB, **CLIENT, refresh_token="of bob")
    store.save_token(OAuthToken(user_signature=ANN, **CLIENT, refresh_token="of ann"))
    store.save_token(bob)
    token = OAuthToken(id=bob.get_id())
    store.find_token(token)  # as token.revoke(id) does
    seen = token.get_refresh_token()
    assert seen == "of bob"


@shows("FIND-6")
def an_id_that_is_not_stored(store: Any) -> None:
    seen = store.find_token(OAuthToken(id="1"))
    assert seen is None


@shows("FIND-7", empty=True)
def an_empty_user_name(store: Any) -> None:
    store.save_token(OAuthToken(user_signature=ANN, access_token="a"))
    found = store.find_token(OAuthToken(user_signature=UserSignature("")))
    seen = found and found.get_access_token()
    assert seen is None


@shows("FIND-7")
def an_unknown_access_token_with_client_credentials(store: Any) -> None:
    store.save_token(OAuthToken(user_signature=ANN, access_token="a", refresh_token="r"))
    found = store.find_token(OAuthToken(**CLIENT, access_token="b"))
    seen = found and found.get_refresh_token()
    assert seen is None


@shows("FIND-9")
def the_id_of_what_is_found(store: Any) -> None:
    store.save_token(OAuthToken(user_signature=ANN, access_token="a"))
    found = store.find_token(OAuthToken(id="77", user_signature=ANN))
    seen = found.get_id()
    assert [seen] == stored(store, "id")


@shows("FIND-9", empty=True)
def an_empty_text_in_what_is_found(store: Any) -> None:
    store.save_token(OAuthToken(user_signature=ANN, access_token="a"))
    found = store.find_token(OAuthToken(user_signature=ANN, access_token=""))
    seen = found.get_access_token()
    assert seen == "a"


@shows("FIND-10")
def the_passed_token_after_a_hit(store: Any) -> None:
    store.save_token(OAuthToken(user_signature=ANN, access_token="a"))
    token = OAuthToken(user_signature=ANN)
    assert store.find_token(token) is not None
    seen = token.get_access_token()
    assert seen == "a"


@shows("FIND-10", empty=True)
def an_empty_text_in_the_passed_token_after_a_hit(store: Any) -> None:
    store.save_token(OAuthToken(user_signature=ANN, access_token="a"))
    token = OAuthToken(user_signature=ANN, access_token="")
    assert store.find_token(token) is not None
    seen = token.get_access_token()
    assert seen == "a"


# BYID, LIST, DEL, CLEAR


@shows("BYID-2")
def an_unknown_id(store: Any) -> None:
    seen = store.find_token_by_id("77")
    assert seen is None


@shows("BYID-2")
def the_name_of_a_column_as_an_id(store: Any) -> None:
    try:
        found = store.find_token_by_id("id")
    except SDKException:
        found = None
    seen = found and found.get_user_signature().get_name()
    assert seen is None


@shows("BYID-3")
def an_id_in_other_letters(store: Any) -> None:
    store.save_token(OAuthToken(id="abc", access_token="a"))
    try:
        found = store.find_token_by_id("ABC")
    except SDKException:
        found = None
    seen = found and found.get_id()
    assert seen is None


@shows("BYID-3")
def an_id_that_is_no_id_but_sql(store: Any) -> None:
    store.save_token(OAuthToken(access_token="a"))
    try:
        found = store.find_token_by_id("x' or '1'='1")
    except SDKException:
        found = None
    seen = found and found.get_access_token()
    assert seen is None


@shows("BYID-5")
def a_token_by_its_id_is_whole(store: Any) -> None:
    token = OAuthToken(access_token="a")
    store.save_token(token)
    found = store.find_token_by_id(token.get_id())
    seen = set(vars(token)) - set(vars(found))  # what it lacks
    assert not seen


@shows("DEL-1")
def deleting_an_id_that_is_no_number(store: Any) -> None:
    store.save_token(OAuthToken(id="abc", access_token="a"))
    store.delete_token("abc")
    seen = store.get_tokens()
    assert seen == []


@shows("DEL-2")
def deleting_an_unknown_id(store: Any) -> None:
    with suppress(SDKException):
        store.delete_token("abc")


@shows("DEL-3")
def deleting_sql(store: Any) -> None:
    store.save_token(OAuthToken(access_token="a"))
    with suppress(SDKException):
        store.delete_token("0 or 1=1")
    seen = stored(store, "access_token")
    assert seen == ["a"]


@shows("DEL-3")
def deleting_the_table(store: Any) -> None:
    store.save_token(OAuthToken(access_token="a"))
    with suppress(SDKException):
        store.delete_token("1; drop table oauthtoken")
    seen = stored(store, "access_token")
    assert seen == ["a"]


@shows("DEL-3")
def deleting_the_name_of_a_column(store: Any) -> None:
    store.save_token(OAuthToken(access_token="a"))
    with suppress(SDKException):
        store.delete_token("id")
    seen = stored(store, "access_token")
    assert seen == ["a"]


@shows("DEL-3")
def deleting_an_id_in_other_letters(store: Any) -> None:
    store.save_token(OAuthToken(id="abc", access_token="a"))
    with suppress(SDKException):
        store.delete_token("ABC")
    seen = stored(store, "id")
    assert seen == ["abc"]


@shows("DEL-5")
def the_id_of_a_deleted_token(store: Any) -> None:
    ann = OAuthToken(user_signature=ANN, access_token="a")
    bob = OAuthToken(user_signature=BOB, access_token="b")
    store.save_token(ann)
    store.delete_token(ann.get_id())
    store.save_token(bob)
    seen = bob.get_id()
    assert seen != ann.get_id()


# VALUE


@shows("VALUE-1")
def a_line_break(store: Any) -> None:
    store.save_token(OAuthToken(access_token="a\r\nb"))
    [seen] = stored(store, "access_token")
    assert seen == "a\r\nb"


@shows("VALUE-1")
def a_quote(store: Any) -> None:
    name = UserSignature("o'brien@example.com")
    store.save_token(OAuthToken(user_signature=name, access_token="a"))
    seen = stored(store, "access_token")
    assert seen == ["a"]


@shows("VALUE-1")
def a_user_called_user_name(store: Any) -> None:
    store.save_token(OAuthToken(user_signature=UserSignature("user_name"), access_token="a"))
    seen = stored(store, "access_token")
    assert seen == ["a"]


@shows("VALUE-3")
def a_long_access_token(store: Any) -> None:
    store.save_token(OAuthToken(access_token="a" * 4096))
    [seen] = stored(store, "access_token")
    assert seen == "a" * 4096


@shows("VALUE-4", empty=True)
def an_empty_text(store: Any) -> None:
    store.save_token(OAuthToken(access_token="a", redirect_url=""))
    [token] = store.get_tokens()
    seen = token.get_redirect_url()
    assert seen is None


@shows("VALUE-6")
def access_tokens_that_differ_in_case(store: Any) -> None:
    store.save_token(OAuthToken(access_token="token", api_domain="https://one"))
    store.save_token(OAuthToken(access_token="TOKEN", api_domain="https://two"))
    seen = stored(store, "access_token")
    assert seen == ["TOKEN", "token"]


@shows("VALUE-7")
def user_names_that_differ_in_case(store: Any) -> None:
    store.save_token(OAuthToken(user_signature=UserSignature("ann"), access_token="a"))
    store.save_token(OAuthToken(user_signature=UserSignature("Ann"), access_token="b"))
    seen = stored(store, "access_token")
    assert seen == ["a", "b"]


@shows("VALUE-8")
def eleven_users(store: Any) -> None:
    for number in range(11):
        store.save_token(
            OAuthToken(user_signature=UserSignature(f"user {number}"), access_token=f"a{number}")
        )
    seen = len(store.get_tokens())
    assert seen == 11


@shows("VALUE-9")
def a_text_that_cannot_be_encoded(store: Any) -> None:
    store.save_token(OAuthToken(user_signature=ANN, access_token="a"))
    store.save_token(OAuthToken(user_signature=BOB, access_token="b"))
    with suppress(Exception):
        store.save_token(OAuthToken(user_signature=ANN, access_token="\ud800"))
    seen = stored(store, "access_token")
    assert "b" in seen


@shows("VALUE-9")
def a_text_that_is_too_long(store: Any) -> None:
    store.save_token(OAuthToken(access_token="a"))
    with suppress(SDKException):
        store.save_token(OAuthToken(access_token="b" * 200_000))
    seen = stored(store, "access_token")
    assert "a" in seen
