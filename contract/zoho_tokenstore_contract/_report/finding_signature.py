"""What a finding shows, as values that can be compared with what another clause's shows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise

from .._spec.clause_results import ClauseResult, Difference, Finding
from .._spec.short_wording import differing_fields
from .shortest_program import program_of
from .wording import methods_at_once

Sign = tuple[str, ...]

OPENED_EMPTY: Sign = ("opened again", "no rows")
"""A store that was opened again has none of the rows that were saved."""

USERS_AS_ONE: Sign = ("kind", "the store", "takes users whose names differ for one")
IDS_TWICE: Sign = ("kind", "save_token", "gave an id twice")
ID_CHANGED: Sign = ("kind", "save_token", "changed the id that a token brought")
_NOT_FILLED: Sign = ("passed token", "not filled in")
_NO_SUCH_NAME = "no row has exactly the user_name "
_OTHER = re.compile(r"other values than any save in (\w+(?:, \w+)*)")
_LOST = "no such row;"
_OPENED = re.compile(r"store(\d*)\.open\(\) -> opened")
_EMPTY = re.compile(r"store(\d*)\.get_tokens\(\) -> returned \[\]")
_ASSERTED = re.compile(
    r"seen = (?:stored\(\w+, '((?!id')\w+)'\)|\w+\.get_(?!user_signature\b)(\w+_\w+)\(\))$", re.MULTILINE
)
"""The field of which the last line of a shortest program speaks."""
_FAILED = re.compile(
    r"(?:store\d*\.|at once, in process \d+: )(?P<method>\w+)\((?P<argument>.*)\) -> "
    r"(?P<answer>returned None|raised .+)",
    re.DOTALL,
)
_USER_SAVED = re.compile(
    r"store\d*\.save_token\(OAuthToken\(user_name=('[^']*').*; the token's id is now '([^']*)'$", re.DOTALL
)
_ELSEWHERE = re.compile(r"Row\(([^()]*)\) finds its row in a process")
_LISTED = re.compile(r"store\d*\.get_tokens\(\) -> returned (.+)", re.DOTALL)
_DELETED = re.compile(r"store\d*\.delete_token\('([^']*)'\) -> returned None")
_IDS = re.compile(r"(?:(?<=OAuthToken\(id=)|(?<=ids )|(?<=', ))'([^']*)'")
_VALUES = re.compile(r"""(\w+)=('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")
_BY = re.compile(r"(?:\(|, )(\w+)=")
_FEW = 3
"""Fields by which a token is addressed; a token with more is a whole one."""
_LAST = 8
"""Calls before the end of a check that can have led to it."""


def signs_of(*findings: Finding) -> set[Sign]:
    """The faults that some findings tell.

    Args:
        findings: Ways in which a clause is broken.

    Returns:
        What another clause's findings may show, too.
    """
    return {sign for finding in findings for sign in _signs(finding)}


def signs_on_the_way(finding: Finding) -> set[Sign]:
    """What failed among the last calls of a check, in the words of other clauses' faults.

    Args:
        finding: One way in which a clause is broken.

    Returns:
        What can be compared with the faults of another clause.
    """
    return {*_of_calls(finding), *_of_listings(finding.done)}


def kept_keys(result: ClauseResult) -> set[Sign]:
    """What all findings of a clause share, for groups of clauses.

    Args:
        result: A broken clause.

    Returns:
        What another clause's findings may share, too.
    """
    found = [{*_keys(finding)} for finding in result.findings if not finding.precondition_failed]
    return set.intersection(*found) if found else set()


def is_opened_empty(result: ClauseResult) -> bool:
    """Whether no check of the clause on rows after opening again found one, where it compared rows."""
    kinds = {one.difference.kind for one in result.findings if one.difference and one.difference.kind}
    return result.clause == "PERSIST-1" and kinds == {"lost every row"}


def _keys(finding: Finding) -> Iterator[Sign]:
    yield from _of_program(finding)
    if _is_told_by_program(finding):
        return
    if found := _ELSEWHERE.match(finding.expected) if finding.seen == "None" else None:
        yield "by", "find_token", "found nothing", *_BY.findall(f"({found[1]}")
    if (other := _OTHER.search(finding.seen)) and "," not in other[1]:
        yield "field", other[1]
    if asserted := _ASSERTED.search("\n".join(finding.shortest[-3:])):
        yield from (("field", asserted[1] or asserted[2]), ("among", asserted[1] or asserted[2]))
    if len(differing := _differing(finding)) == 1:
        yield from (("field", name) for name in differing)
    if finding.difference is not None:
        yield from _of_difference(finding.difference)
    if methods := _at_once(finding):
        yield "together", methods
        if _LOST in finding.seen:
            yield "lost together", methods


def takes_names_for_one(finding: Finding) -> bool:
    """Whether a finding shows that a row of another name is taken, and nothing else that two tokens share."""
    program = program_of(finding)
    return finding.expected.startswith(_NO_SUCH_NAME) or (
        program is not None and program.takes_users_for_one and program.shares_nothing
    )


def _of_program(finding: Finding) -> Iterator[Sign]:
    program = program_of(finding)
    if finding.expected.startswith(_NO_SUCH_NAME):
        yield USERS_AS_ONE
    if program is None:
        return
    if program.gives_an_id_twice:
        yield IDS_TWICE
    if program.changes_an_id:
        yield ID_CHANGED
    if program.takes_users_for_one:
        yield USERS_AS_ONE
    if program.mistaken:
        yield "field", program.mistaken
    if (
        (difference := finding.difference)
        and program.last.startswith(("save_", "delete_"))
        and difference.kind
    ):
        yield "kind", program.last, difference.kind
    if program.look_up and 0 < len(program.passed) <= _FEW:
        yield "by", program.last, program.look_up, *program.passed
        if program.look_up != "found nothing":
            yield "by", program.last, "found a wrong row", *program.passed


def _is_told_by_program(finding: Finding) -> bool:
    """Whether the calls that a search left over show something else than what was compared first."""
    program = program_of(finding)
    return program is not None and (program.gives_an_id_twice or program.look_up == "found another row")


def _differing(finding: Finding) -> set[str]:
    """The fields in which the rows that should be there differ from those that are, where both are shown."""
    _, colon, wanted = finding.expected.partition(": Row(")
    if colon and "Row(" not in wanted and finding.seen.count("Row(") == 1:
        one, other = dict(_VALUES.findall(wanted)), dict(_VALUES.findall(finding.seen))
        return {name for name in {**one, **other} if one.get(name) != other.get(name)}
    fields = differing_fields(f"Row({wanted}", finding.seen) if colon else {}
    return {*chain.from_iterable(fields.values())}


def _of_difference(difference: Difference) -> Iterator[Sign]:
    kind, method = difference.kind, difference.method
    if len(difference.fields) == 1:
        yield "field", difference.fields[0]
    if 0 < len(difference.fields) <= _FEW and kind != "changed another row":
        yield from (("among", field) for field in difference.fields)
    if difference.rows:
        yield "rows", difference.rows
    if kind.startswith("raised"):
        yield "error", method, difference.words.partition(" (at ")[0].removeprefix("raised ")
    elif kind:
        if 0 < len(difference.by) <= _FEW:
            yield "by", method, kind, *difference.by
        yield "kind", method, kind


def _at_once(finding: Finding) -> str:
    """The methods of two callers at the same time, such as ``save_token beside get_tokens``."""
    if any("both save at once" in line for line in finding.done):  # parent and child
        return "save_token beside save_token"
    return " beside ".join(sorted(methods_at_once(finding)[:2], reverse=True))


def _signs(finding: Finding) -> Iterator[Sign]:
    yield from _of_program(finding)
    for key in _keys(finding):
        if key[0] not in ("among", "rows", "kind"):
            yield key
    if _is_made_one(finding.done):
        yield USERS_AS_ONE
    difference = finding.difference
    if difference is not None and not _is_told_by_program(finding):
        # Where a whole token is passed, the way of addressing tells nothing.
        if difference.kind and not difference.by:
            yield "kind", difference.method, difference.kind
        elif difference.kind and len(difference.by) > _FEW:
            yield "kind", difference.method, difference.kind, *difference.fields
        if difference.kind == "did not fill in the passed token" or difference.call == "delete_token(None)":
            yield _NOT_FILLED
    if "thread" in finding.check:
        yield ("threads",)
    if _is_empty_again(finding):
        yield OPENED_EMPTY


def _of_calls(finding: Finding) -> Iterator[Sign]:
    """What failed among the last calls of another clause's check, in the words of its own."""
    for place in range(max(0, len(finding.done) - _LAST), len(finding.done)):
        failed = _FAILED.match(finding.done[place])
        if failed is None:
            continue
        method, argument, answer = failed.groups()
        if answer.startswith("raised "):
            yield "error", method, answer.removeprefix("raised ")
        elif method == "find_token" and _are_stored(argument, finding.done[:place]):
            yield "by", method, "found nothing", *_BY.findall(argument)
    last = finding.done[-1] if finding.done else ""
    if finding.seen == "it sent nothing" and "find_token(" in last and "-> returned OAuthToken(" in last:
        # `OAuthToken.revoke` ignores what is returned, and reads the token that it passed.
        yield _NOT_FILLED


def _of_listings(done: Sequence[str]) -> Iterator[Sign]:
    """Deletions after which other rows are gone, too, by the lists of rows before and after."""
    before: set[str] = set()
    deleted = ""
    for line in done:
        if listed := _LISTED.match(line):
            if deleted and before - {deleted, *_IDS.findall(listed[1])} and "…" not in line:
                yield "kind", "delete_token", "lost another row"
            before, deleted = {*_IDS.findall(listed[1])}, ""
        elif one := _DELETED.match(line):
            before, deleted = (before if not deleted else set()), one[1]
        elif "save_token(" in line or "delete_tokens(" in line or "open()" in line:
            before = set()


def _are_stored(argument: str, before: Sequence[str]) -> bool:
    """Whether everything that a token is looked for by was saved or listed before."""
    known = " ".join(line for line in before if "save_token(" in line or "get_tokens(" in line)
    values = re.findall(r"'[^']+'", argument)
    return bool(values) and all(value in known for value in values)


def _is_made_one(done: Sequence[str]) -> bool:
    """Whether the last save gave a user the id of another one, whose row is not there any more."""
    users: dict[str, str] = {}
    made_one = ""
    for line in done:
        if saved := _USER_SAVED.match(line):
            made_one = saved[2] if users.get(saved[2], saved[1]) != saved[1] else ""
            users[saved[2]] = saved[1]
        elif "delete_token" in line or (made_one and line.count(f"'{made_one}'") > 1):
            users, made_one = {}, ""
    return bool(made_one)


def _is_empty_again(finding: Finding) -> bool:
    if finding.difference is not None and finding.difference.kind == "lost every row":
        return True
    if "of another store on the same location" in finding.seen:
        return True
    if re.search(r"\b0 rows in all", finding.seen):
        return True
    saved = False
    for line, following in pairwise(finding.done):
        saved |= "save_token" in line and "-> returned None" in line
        opened, empty = _OPENED.match(line), _EMPTY.match(following)
        if saved and opened and empty and opened[1] == empty[1]:
            return True
    return False
