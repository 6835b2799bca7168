"""The contract: every clause with its level, its text, why it matters, and its source.

This registry is the living copy of the contract. Clause ids are public API: reports, ``allowed``
lists and reproducers name them, so an id never changes its meaning and is never used again.

The contract has a version of its own, which moves seldom, so that a new release of the kit fails no
store for a clause that nobody knew: see `CONTRACT_VERSION` and ``docs/versioning.md``.
"""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterable
from dataclasses import dataclass

CONTRACT_VERSION = 1
"""The version of the contract that verdicts are given by.

A new clause comes with `Clause.since` one above it: it is run and reported, and weighs nothing until
this number reaches it.
"""


class Level(str, enum.Enum):
    """How much a clause weighs."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


@dataclass(frozen=True)
class Clause:
    """One promise that a conforming store keeps.

    Attributes:
        id: The public name, such as ``SAVE-4``.
        level: MUST fails a run, SHOULD only under the strict option, MAY never.
        text: What is promised.
        why: What users of a store that breaks it meet.
        source: Where it comes from: marks of `SOURCES`, with spaces between them.
        since: The version of the contract from which on it counts.
    """

    id: str
    level: Level
    text: str
    why: str
    source: str
    since: int = 1

    @property
    def new(self) -> bool:
        """Whether it is run and reported, and does not count yet."""
        return self.since > CONTRACT_VERSION

    @property
    def group(self) -> str:
        """The part of the id before the number: ``SAVE`` of ``SAVE-4``."""
        return self.id.rpartition("-")[0]

    def weighs(self, *, strict: bool) -> bool:
        """Whether breaking it fails a run: MUST always does, SHOULD in a strict one, a new clause never."""
        return not self.new and (self.level is Level.MUST or (self.level is Level.SHOULD and strict))


GROUPS = {
    "IFACE": "the interface",
    "SAVE": "save_token",
    "FIND": "find_token",
    "BYID": "find_token_by_id",
    "LIST": "get_tokens",
    "DEL": "delete_token",
    "CLEAR": "delete_tokens",
    "VALUE": "what comes back",
    "ISO": "one store and another",
    "PERSIST": "one store and the next",
    "MODEL": "any sequence of calls",
    "THREAD": "threads",
    "PROC": "processes",
    "CRASH": "crashes and full disks",
    "SECRET": "secrets stay secret",
    "FLOW": "the real SDK over the store",
}

SOURCES = {
    "K": "the text Kaizen 192, Implementing Custom Token Persistence in Python SDK",
    "I": "the docstrings of TokenStore in the SDK",
    "S": "what the SDK itself does with a store",
    "B": "behaviour that both stores shipped in the SDK have in common",
    "safety": "what keeps tokens safe, though no text asks for it",
    "users": "what users need and no published store does",
    "all": "all of them together",
}
"""Where a clause comes from: each mark of `Clause.source` in words."""

MUST, SHOULD, MAY = Level.MUST, Level.SHOULD, Level.MAY

_ALL = (
    Clause(
        "IFACE-1",
        MUST,
        "The store is an instance of the SDK's TokenStore, and its six methods take the SDK's "
        "positional arguments.",
        "The SDK refuses anything else, or every call of it ends in a TypeError.",
        "S I",
    ),
    Clause(
        "IFACE-2",
        MUST,
        "The methods answer with plain values, not coroutines, also while an event loop runs in "
        "the calling thread.",
        "The SDK awaits nothing: a coroutine is never run, so nothing is saved or found.",
        "S",
    ),
    Clause(
        "SAVE-1",
        MUST,
        "A token that matches no row becomes one new row. save_token returns None.",
        "A user whose token is not stored has to log in again.",
        "K",
    ),
    Clause(
        "SAVE-2",
        MUST,
        "An inserted token without an id gets one: a non-empty str, unlike every other stored "
        "id, also set on the token that was passed.",
        "The SDK's later calls look the token up by that id: two tokens with one id send one "
        "user's calls with another user's token.",
        "B S",
    ),
    Clause(
        "SAVE-3",
        MUST,
        "An inserted token that brings an unused id keeps it (any text of up to 10 characters; "
        "an id that this store cannot keep fails cleanly), and whatever ids are stored, the "
        "store goes on finding unused ones for later tokens.",
        "One odd id in the storage would stop every later user from being saved.",
        "I safety",
    ),
    Clause(
        "SAVE-4",
        MUST,
        "A token whose user name is stored updates that row in place: the same id, no new row; also "
        "where the token brings an id that no row has any more (a stale one: the row was deleted and "
        "saved anew meanwhile).",
        "Every renewal would leave another row, and an old token could be found first.",
        "K",
    ),
    Clause(
        "SAVE-5",
        MUST,
        "The user name outranks the rest: a token that names user a never updates a row of user "
        "b, whichever other field the two share.",
        "One user's token would overwrite another's.",
        "K",
    ),
    Clause(
        "SAVE-6",
        MUST,
        "With no user name and no client credentials, a stored access token is updated in place.",
        "Each start with the same access token would leave another row.",
        "K",
    ),
    Clause(
        "SAVE-7",
        MUST,
        "With no user name, but client credentials, a stored grant token is updated in place.",
        "Each start with the same code would leave another row.",
        "K",
    ),
    Clause(
        "SAVE-8",
        MUST,
        "With no user name and no grant token, but client credentials, a stored refresh token is "
        "updated in place.",
        "Each renewal would leave another row, and the expired token could be found first.",
        "K",
    ),
    Clause(
        "SAVE-9",
        SHOULD,
        "The grant token outranks the refresh token where they match different rows.",
        "The wrong one of two rows would be overwritten.",
        "K",
    ),
    Clause(
        "SAVE-10",
        SHOULD,
        "A grant or refresh token matches only under the same client id and secret; under others "
        "it is a new row.",
        "One client's row would be overwritten by another client's token.",
        "K",
    ),
    Clause(
        "SAVE-11",
        MUST,
        "Users stay apart. Saving user b under the id of user a's row never leaves a row that "
        "holds fields of both, and never loses a: the save fails cleanly, or b's own row, old or "
        "new, holds it.",
        "User b's calls would be sent with user a's token.",
        "K",
    ),
    Clause(
        "SAVE-12",
        MUST,
        "Saving the same token again changes nothing: one row, equal in every field.",
        "Duplicates pile up, or an error appears where nothing was wrong.",
        "K",
    ),
    Clause(
        "SAVE-13",
        MUST,
        "An update replaces the fields that the token has and keeps the stored value of those it lacks.",
        "A renewal carries no refresh token: losing the stored one logs the user out for good.",
        "B",
    ),
    Clause(
        "SAVE-14",
        MUST,
        "A row stored without a user name takes the name when its token, found again and so "
        "carrying its id, is saved with one: one row, now under that name. Where a row of that "
        "name exists already, the save fails cleanly or leaves exactly one row of that name, "
        "with what was saved; never two.",
        "The SDK learns the name after the first save: a duplicate, or an error that it "
        "swallows, means that the renewed token is never stored.",
        "S K",
    ),
    Clause(
        "SAVE-15",
        SHOULD,
        "The same where the token carries no id but shares grant or refresh token and client "
        "credentials with that unnamed row.",
        "One token would be two rows, and the stale one could be found.",
        "K",
    ),
    Clause(
        "SAVE-16",
        MUST,
        "A token with an id or a user name, but no credential and no row to update, fails cleanly.",
        "A row without any credential is found later, and the SDK fails where the cause is gone.",
        "B K",
    ),
    Clause(
        "SAVE-17",
        MUST,
        "The passed token keeps every field that it had, the id aside. Fields that were absent "
        "may be filled from the row.",
        "The SDK goes on with that object: an access token replaced in it is the wrong one to send.",
        "B",
    ),
    Clause(
        "SAVE-18",
        MUST,
        "The row is a copy: changing the passed token later changes nothing stored.",
        "The SDK changes its tokens while it works; half-done changes would be what others find.",
        "B",
    ),
    Clause(
        "SAVE-19",
        MUST,
        "Anything that is not an OAuthToken changes nothing stored; it is refused with "
        "SDKException or ignored.",
        "A call by mistake would corrupt the storage or end in an exception nobody handles.",
        "B",
    ),
    Clause(
        "SAVE-20",
        MUST,
        "An access token together with client credentials, but without grant, refresh or user, "
        "is stored as a new row when no row holds it.",
        "Such a token could never be stored, and the SDK hides the error.",
        "K",
    ),
    Clause(
        "SAVE-21",
        MUST,
        "After an update, too, the passed token carries the row's id.",
        "OAuthToken.remove deletes by that id, and says that it worked even when the id is None: "
        "a user who logged out stays logged in.",
        "S",
    ),
    Clause(
        "SAVE-22",
        MUST,
        "A row stays until it is deleted. Neither that its access token has expired, nor how long ago "
        "it was saved, nor opening, saving, listing or finding removes it: a refresh token lives until "
        "it is revoked.",
        "An hour after the last call, the user would have to log in again.",
        "K S",
    ),
    Clause(
        "FIND-1",
        MUST,
        "find_token finds by user name, whatever else the token has or lacks.",
        "A known user has to log in again.",
        "K",
    ),
    Clause(
        "FIND-2",
        MUST,
        "find_token finds by access token, with no client credentials.",
        "Each start with the same access token stores it once more.",
        "K",
    ),
    Clause(
        "FIND-3",
        MUST,
        "find_token finds by grant token, with client credentials.",
        "The code would be exchanged a second time, which Zoho refuses.",
        "K",
    ),
    Clause(
        "FIND-4",
        MUST,
        "find_token finds by refresh token, with client credentials.",
        "Every start requests a new access token, and Zoho allows ten in ten minutes.",
        "K",
    ),
    Clause(
        "FIND-5",
        MUST,
        "find_token finds by id when the token has nothing else, and fills in the very token "
        "that was passed.",
        "OAuthToken.revoke(id) reads that token: it would revoke nothing, or another user's token.",
        "K S",
    ),
    Clause(
        "FIND-6",
        MUST,
        "find_token returns None when nothing matches; it does not raise.",
        "A new user could never log in.",
        "K",
    ),
    Clause(
        "FIND-7",
        MUST,
        "find_token returns None when the token has no key and no id (an empty user name; an "
        "access token with client credentials that is not stored): never some row.",
        "A caller who names nobody would get somebody's token.",
        "K",
    ),
    Clause(
        "FIND-8",
        MUST,
        "A token that names a user who is not stored finds no other user's row, whichever other "
        "field they share.",
        "A new user's calls would be sent with another user's token.",
        "K",
    ),
    Clause(
        "FIND-9",
        MUST,
        "A hit is complete: every field that the argument lacked comes from the row, the id among "
        "them, and every field that it had is kept. (An id that it had and that is not the row's is "
        "left open.)",
        "The SDK renews with what it finds: without refresh token, client or expiry it cannot.",
        "B S",
    ),
    Clause(
        "FIND-10",
        MUST,
        "On a hit the passed token is filled in as well as returned.",
        "OAuthToken.remove and the SDK's later calls read the id from the passed token.",
        "B S",
    ),
    Clause(
        "FIND-11",
        MUST,
        "The result of find_token is detached: changing it changes nothing stored.",
        "The SDK changes what it finds before it saves; a failed renewal would already be stored.",
        "B",
    ),
    Clause(
        "FIND-12",
        SHOULD,
        "On a miss the passed token is left as it was.",
        "The SDK goes on with that token and would save what a miss left in it.",
        "B",
    ),
    Clause(
        "FIND-13",
        MUST,
        "What find_token returns is a whole OAuthToken, as its constructor makes it.",
        "The SDK reads an attribute that a token built with object.__new__ lacks; the "
        "AttributeError swallows the save.",
        "S",
    ),
    Clause(
        "BYID-1",
        MUST,
        "A stored id gives a complete OAuthToken.",
        "Every API call of a token that has an id asks find_token_by_id.",
        "K I",
    ),
    Clause(
        "BYID-2",
        MUST,
        "An unknown id gives None; it does not raise.",
        "A deleted user ends in an error of the store instead of the SDK's own answer.",
        "K",
    ),
    Clause(
        "BYID-3",
        MUST,
        "Ids are compared as whole, exact text: no numeric reading, wildcard, quoting or case "
        "folding finds another row.",
        "A call with one user's id would be sent with another user's token.",
        "K",
    ),
    Clause(
        "BYID-4",
        MUST,
        "The result of find_token_by_id is detached: changing it changes nothing stored.",
        "The SDK merges into and renews what it finds; a failed renewal would already be stored.",
        "B",
    ),
    Clause(
        "BYID-5",
        SHOULD,
        "A token from find_token_by_id or get_tokens is a whole OAuthToken: handed to "
        "Initializer.initialize or switch_user it works.",
        "Built with object.__new__ it lacks an attribute, and the SDK fails with AttributeError.",
        "S",
    ),
    Clause(
        "LIST-1",
        MUST,
        "get_tokens gives a list (or a subclass) with one complete OAuthToken for each row.",
        "Administrators would not see, and not revoke, every stored token.",
        "K I",
    ),
    Clause(
        "LIST-2",
        MUST,
        "get_tokens gives [] when nothing is stored.",
        "The first start of an application would fail.",
        "K",
    ),
    Clause(
        "LIST-3",
        MUST,
        "The list and its tokens are detached: changing them changes nothing stored.",
        "Code that only looks at the tokens would change them for everyone.",
        "B",
    ),
    Clause(
        "DEL-1",
        MUST,
        "delete_token removes the row with that id and no other.",
        "A user who logs out stays logged in, or logs somebody else out.",
        "K",
    ),
    Clause(
        "DEL-2",
        MUST,
        "An id that is not stored removes nothing: delete_token returns None or raises "
        "SDKException, and nothing else.",
        "Logging out twice would remove another user's token or crash.",
        "K",
    ),
    Clause(
        "DEL-3",
        MUST,
        "None and hostile text (quotes, wildcards, `1 or 1=1`, `1; drop table oauthtoken`, a "
        "column's name, ` 1`, `01`, `1.0`) remove nothing that does not have exactly that id, "
        "and the store works on.",
        "An id that comes from outside could empty the storage.",
        "K",
    ),
    Clause(
        "DEL-4",
        MUST,
        "A deleted token is found by no lookup, and its user can be saved again as one row.",
        "A revoked or logged-out token would go on being used.",
        "K",
    ),
    Clause(
        "DEL-5",
        SHOULD,
        "The id of a deleted row, by delete_token or delete_tokens, is never given to another token.",
        "Somebody who kept the old id would get the new user's token.",
        "safety",
    ),
    Clause(
        "CLEAR-1",
        MUST,
        "delete_tokens removes every row, and is no error on an empty store.",
        "A global logout would leave tokens behind.",
        "K",
    ),
    Clause(
        "CLEAR-2",
        MUST,
        "The store works on after delete_tokens.",
        "Nobody could log in after a global logout.",
        "K",
    ),
    Clause(
        "CLEAR-3",
        SHOULD,
        "File-backed stores: neither delete_tokens nor delete_token touches what is not a token: other "
        "files under the location stay as they are.",
        "A logout would destroy whatever else an application keeps in that directory.",
        "K safety",
    ),
    Clause(
        "VALUE-1",
        MUST,
        "Every field but the id and expires_in round-trips exactly: any Unicode text without NUL "
        "or lone surrogates, quotes, backslashes, separators, line breaks, leading and trailing "
        "space, and texts that are names of the store's own columns or headers.",
        "A secret that comes back changed is refused by Zoho.",
        "K",
    ),
    Clause(
        "VALUE-2",
        MUST,
        "So do values of 255 characters, the width of the SDK's own table (expires_in: 20 digits).",
        "A token that was cut is refused by Zoho.",
        "B",
    ),
    Clause(
        "VALUE-3",
        SHOULD,
        "So do values of 4,096 characters.",
        "Tokens of other issuers grow; a longer one could not be stored.",
        "safety",
    ),
    Clause(
        "VALUE-4",
        MUST,
        "An absent field comes back as None; an absent user as no UserSignature at all.",
        "The SDK asks `is None`: an empty text or signature sends it down the wrong path.",
        "S",
    ),
    Clause(
        "VALUE-5",
        MUST,
        "expires_in comes back as str, and the user name inside a UserSignature.",
        "The SDK takes the length of expires_in: a number ends in a TypeError in every call.",
        "S",
    ),
    Clause(
        "VALUE-6",
        MUST,
        "Grant, refresh and access tokens match by exact text: case, accents, width, trailing "
        "space and Unicode form count.",
        "Tokens are case-sensitive random text: a loose match is another user's row.",
        "S",
    ),
    Clause(
        "VALUE-7",
        SHOULD,
        "User names match by exact text too: case, accents, width, space and Unicode form count.",
        "Two accounts that differ in case or accent would share one token.",
        "safety",
    ),
    Clause(
        "VALUE-8",
        MUST,
        "A thousand tokens of a thousand users are a thousand rows with a thousand ids.",
        "The store works until the tenth or hundredth user, and fails in production.",
        "K",
    ),
    Clause(
        "VALUE-9",
        MUST,
        "Text that a store cannot keep (NUL, a lone surrogate, 4,096 or 200,000 characters) "
        "fails cleanly or round-trips; it is never cut or changed, and every other row still "
        "reads, now and after opening again.",
        "One hostile value would make everybody's tokens unreadable.",
        "K",
    ),
    Clause(
        "VALUE-10",
        SHOULD,
        "An empty text counts as absent everywhere: it is no key, no id and no credential, replaces "
        "nothing when it is saved, hinders no other key when it is looked for, is filled in from the "
        "row, and comes back as None.",
        "A form field that was left empty would erase a refresh token, or hide the stored one.",
        "safety",
    ),
    Clause(
        "ISO-1",
        MUST,
        "Stores opened on different locations share nothing.",
        "Two applications, or production and test, would use each other's tokens.",
        "K",
    ),
    Clause(
        "PERSIST-1",
        MUST,
        "Persistent stores: a store opened again on the same location has every row, and opening "
        "loses none; a store that was left empty opens again too.",
        "Every restart would log everyone out.",
        "K",
    ),
    Clause(
        "PERSIST-2",
        MUST,
        "Persistent stores: of two stores open on one location, each sees at once what the other "
        "saved and deleted.",
        "One worker goes on with the token that another has replaced or revoked.",
        "S",
    ),
    Clause(
        "PERSIST-3",
        MUST,
        "Persistent stores: ids given after opening again are still unlike all others.",
        "After a restart, two users would share an id and so a token.",
        "B",
    ),
    Clause(
        "PERSIST-4",
        SHOULD,
        "Persistent stores: an open store stays on its location when the process changes its "
        "working directory.",
        "A daemon that changes directory would start over with an empty storage.",
        "safety",
    ),
    Clause(
        "PERSIST-5",
        MUST,
        "Persistent stores: a process with another time zone, locale, preferred encoding or hash seed "
        "reads the same rows, finds them by every key, and updates them in place; and the other way "
        "round.",
        "A cron job or a container would read other expiry times than the web server, or no row at all.",
        "K",
    ),
    Clause(
        "MODEL-1",
        MUST,
        "Any sequence of calls gives the answers of the reference model, and leaves its rows, as "
        "far as the MUST clauses go.",
        "Faults that need several calls to show would reach production.",
        "all",
    ),
    Clause(
        "THREAD-1",
        MUST,
        "A store made in one thread works in every other, also after calls that found nothing, were "
        "refused or raised.",
        "Web servers serve each request in a thread of its own.",
        "S",
    ),
    Clause(
        "THREAD-2",
        MUST,
        "Threads that save different users leave each user one row, with unique ids and no error.",
        "Users who log in at the same moment would lose their tokens.",
        "S K",
    ),
    Clause(
        "THREAD-3",
        MUST,
        "Threads that save the same user, each with every field set, leave one row, whole: all "
        "its fields from one of the saves.",
        "Two renewals at once would leave two rows, or an access token with another's expiry.",
        "S K",
    ),
    Clause(
        "THREAD-4",
        MUST,
        "A reader beside a writer sees the row before or after a save, never a mixture and never an error.",
        "A call made during a renewal would be sent with half a token.",
        "S",
    ),
    Clause(
        "THREAD-5",
        MUST,
        "Any short concurrent history is linearizable: some order of its calls, each between its "
        "start and its end, explains every answer; get_tokens and delete_tokens are single steps "
        "too.",
        "Under load, calls would see states that no order of events can explain.",
        "S",
    ),
    Clause(
        "PROC-1",
        MUST,
        "Persistent stores: THREAD-2 and THREAD-3 hold between processes that each opened the "
        "store for themselves, at least one of them freshly executed.",
        "Workers of one web server would lose one another's users.",
        "K",
    ),
    Clause(
        "PROC-2",
        MUST,
        "Persistent stores, where the system forks: a store that was opened before a fork works on in "
        "parent and children, which save different users and the same user as in PROC-1, while the "
        "parent closes too; or it refuses in the child with SDKException, every time, and nothing is "
        "lost.",
        "A server that loads the application before it forks would lose or mix up its workers' tokens.",
        "B S",
    ),
    Clause(
        "CRASH-1",
        MUST,
        "Persistent stores: after SIGKILL in the middle of saving, the store opens, and every "
        "save that had returned is there, whole.",
        "A killed worker would log everyone out.",
        "K",
    ),
    Clause(
        "CRASH-2",
        MUST,
        "File-backed stores: when the storage takes no more (file-size limit), saving raises, "
        "and every earlier row is still there afterwards.",
        "A full disk would destroy the tokens that were stored before.",
        "K",
    ),
    Clause(
        "CRASH-3",
        SHOULD,
        "File-backed stores: the main file, damaged while the store is closed, is refused with "
        "SDKException, when opening or at the first call, and left as it is; or every row is "
        "still there.",
        "Starting empty over a damaged file destroys what could have been recovered.",
        "safety",
    ),
    Clause(
        "CRASH-4",
        MUST,
        "When the storage is out of reach, every method raises; none pretends to have saved, "
        "found nothing or deleted.",
        "The SDK would ask for new logins, or believe that a token was stored or revoked.",
        "K",
    ),
    Clause(
        "CRASH-5",
        MUST,
        "When the storage is in reach again, the same store object works on, with every row.",
        "After a short outage, every process would have to be started anew.",
        "S",
    ),
    Clause(
        "CRASH-6",
        SHOULD,
        "An exception that is raised in the middle of a call from outside (a signal handler: a soft "
        "time limit, Ctrl-C) ends that call alone. It comes out as it is; every earlier row is there, "
        "whole; the row in question is as before or as after; the next calls answer what was asked of "
        "them, in this thread and others; nothing stays locked.",
        "After one task that ran out of time, the next one would hang, or get another user's token.",
        "safety",
    ),
    Clause(
        "SECRET-1",
        SHOULD,
        "File-backed stores: every file with content that the store writes is closed to group "
        "and others, by its own mode or that of a directory that the store made around it "
        "(POSIX).",
        "Every account on the machine could read every refresh token.",
        "K",
    ),
    Clause(
        "SECRET-2",
        SHOULD,
        "No credential or client secret appears in a formatted exception, its args, details or "
        "cause, a log record, a warning, standard output or error, or repr() and str() of the "
        "store.",
        "Refresh tokens in a log are refresh tokens for everyone who reads logs.",
        "K",
    ),
    Clause(
        "FLOW-1",
        MUST,
        "Grant flow: the code is exchanged once, and the row holds what the server issued, under "
        "the user that the server names.",
        "A code is valid once: a second exchange fails, and the user has to log in again.",
        "K S",
    ),
    Clause(
        "FLOW-2",
        MUST,
        "Persistent stores: a new process with only the refresh token, the user name or the id "
        "uses the stored access token; no token request is sent.",
        "Every restart would spend one of ten token requests in ten minutes.",
        "K S",
    ),
    Clause(
        "FLOW-3",
        MUST,
        "An expired access token is renewed once (calls one after another), and the same row "
        "then holds the new one.",
        "Every call would request a new token until Zoho refuses.",
        "K S",
    ),
    Clause(
        "FLOW-4",
        MUST,
        "Id flow: OAuthToken(id=...) works with a stored id; with an unknown one no other user's "
        "token is sent or changed.",
        "A call with one id would be sent with another user's token.",
        "K S",
    ),
    Clause(
        "FLOW-5",
        MUST,
        "Access-token flow (OAuthToken(access_token=...) alone): stored once, however often it "
        "is initialized.",
        "Every start would leave another row.",
        "S",
    ),
    Clause(
        "FLOW-6",
        MUST,
        "Several users, switch_user and threads: every API call carries its own user's token, "
        "one row a user.",
        "Users would see and change each other's data.",
        "K S",
    ),
    Clause(
        "FLOW-7",
        MUST,
        "OAuthToken.remove() removes its own row and no other: after the grant flow, after a "
        "start with refresh token or user name, after signing in again with a new code.",
        "A user who logged out stays logged in, or another one is logged out.",
        "S",
    ),
    Clause(
        "FLOW-8",
        MUST,
        "OAuthToken.revoke(id) sends that row's refresh token, and no other's.",
        "Revoking one user would revoke another, or nobody.",
        "S",
    ),
    Clause(
        "FLOW-9",
        MUST,
        "When the first user look-up fails and a later one works, the token is still one row, "
        "and it is saved.",
        "After a hiccup at login, the renewed token would never be stored again.",
        "S",
    ),
    Clause(
        "FLOW-10",
        MAY,
        "Single flight: threads (and processes) that meet one expired token send one token "
        "request, not one each.",
        "Zoho refuses more than 10 access tokens per refresh token in 10 minutes.",
        "users",
    ),
)

CLAUSES: dict[str, Clause] = {clause.id: clause for clause in _ALL}
"""Every clause by its id, in the order in which a run checks and reports them."""


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The end of a message about a name that is not there: the closest that is, or "" where none is close.

    Args:
        name: The name that is not there.
        names: Those that are.

    Returns:
        The end of the message.
    """
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]}?" if close else ""
