"""Awkward texts: what a store has to keep exactly, and what it must not take for the same.

Each list is tried as it stands in every run; Hypothesis draws concatenations of them besides.
"""
# ruff: noqa: RUF001 - characters that look like others are the point

from __future__ import annotations

import unicodedata
from typing import Any

from hypothesis import strategies

from .._harness.store_limits import Pool
from .._spec.tokens import FIELDS
from .sample_tokens import WIDTH

COLUMNS = (*FIELDS[:8], "expiry_time", *FIELDS[8:])
"""Columns of the SDK's own table and header."""

TRAPS = Pool(
    (
        # quotes, backslashes, separators
        *("'", "''", '"', '""', "`", "\\", "\\'", "\\n", "\\u0041", ",", ";", "a::b", "a||b", "a #b", "a ;b"),
        *("https://example.com/a/", "|", ":", "/", "=", 'a","b"', "a,b;c|d", "'quoted'", '"quoted"', "=1+1"),
        *("#comment", "key: value", "&amp;<b>", "../../up", "a%20b+c"),
        # line breaks and other space
        *("\n", "\r\n", "\r", "\t", "a\nb", "a\r\nb", "a\rb", "a\tb", "a\n", "\na", "a\r", "\ra", " ", "  "),
        *(" a", "a ", "\ta", "a\t", "a  b", "a\x0bb", "a\x0cb", "a\x1cb", "a\x1db", "a\x1eb", "a\x1fb"),
        *("a\x85b", "a\u2028b", "a\u2029b", "\u00a0a\u00a0", "\u3000a\u3000"),
        # other characters that somebody strips or reads
        *("\x01", "\x08", "\x1a", "\x1b[0m", "\x7f", "\ufeff", "\ufeffa", "a\ufeff", "\u200b", "a\u200db"),
        *("\u00ad", "\ufffd", "\uffff"),
        # names and words that mean something to somebody
        *(*COLUMNS, "ID", "oauthtoken", "None", "none", "null", "NULL", "nan", "NaN", "inf", "undefined"),
        *("True", "false", "N/A", "-", "\\N"),
        # numbers
        *("0", "00", "007", "-1", "1.0", "1e3", "1_000", "0x1F", "12345678901234567890123", "٣", "²"),
        # formats and languages
        *("%", "%s", "%(id)s", "%%", "100%d", "{}", "{0}", "{id}", "$id", "${id}", ":id", "?", "@id", "*"),
        *("_", "' OR '1'='1", "1 or 1=1", "'; drop table oauthtoken; --", "--", "/*", "[]", "{}\n"),
        *('{"id": "1"}', "[1, 2]", '"', "!!python/object:x", "<![CDATA["),
        # Unicode
        *("é", "e\u0301", "Å", "\u212b", "ß", "İ", "ﬁ", "ａ", "日本語", "עברית"),
        *("\u202egnp.exe", "\u0661\u0662"),
        *("😀", "👩\u200d👩\u200d👧", "🇩🇪", "\U0010ffff", "\ue000", "a\u0300\u0301\u0302"),
    )
)
"""Texts that some store once changed, refused or took for something else."""

NUMERALS = ("²", "①", "½", "ⅷ", "٣", "９", "一", "2²", "1½", "9" * 20, "9" * 5000)
"""Texts that are digits to one function of a language and not to another, or too many of them."""

PIECES = tuple(dict.fromkeys(("a", "b", "A", "1", "1000.", "@example.com:77", *TRAPS)))
"""What Hypothesis concatenates texts from; it shrinks towards the first."""

FAMILIES: tuple[tuple[str, ...], ...] = (
    ("token", "Token", "TOKEN", "tokeN"),
    ("café", "cafe", "cafe\u0301", "Café", "CAFE\u0301"),
    ("\u00c5ngstrom", "A\u030angstrom", "\u212bngstrom", "Angstrom"),
    ("straße", "strasse", "STRASSE", "straSSe"),
    ("titi", "tıtı", "TİTİ", "ti\u0307ti"),
    ("wide", "ｗｉｄｅ", "ＷＩＤＥ"),
    ("ab", "ab ", "ab  ", " ab", "ab\t", "ab\n", "ab\r\n", "ab\u00a0", "a b", "a  b"),
    ("zw", "z\u200bw", "z\u200dw", "z\u00adw", "z\ufeffw", "\ufeffzw"),
    ("7", "07", "7.0", "+7", " 7", "7e0", "٧", "⁷", "\uff17"),
    ("fish", "ﬁsh", "ﬁſh"),
    ("σας", "σασ", "ΣΑΣ"),
    ("æon", "aeon", "Æon"),
    ("x-y", "x_y", "x%y", "x.y", "x*y", "x?y", "xy"),
    ("q'r", "q''r", "q\\'r", 'q"r'),
    ("m\\n", "m\n", "m\\\\n"),
    ("v+w", "v w", "v%20w", "v%2Bw"),
    ("1000.long" + "x" * 240 + "1", "1000.long" + "x" * 240 + "2"),
    ("None", "none", "null", "NULL"),
    ("kim@example.org", "kim@Example.ORG", "Kim@example.org"),
    ("😀", "😁"),
    ("\U0001f600x", "\U0001f601x", "\ufffdx", "?x"),
)
"""Texts that collations, normal forms, `strip`, numbers, wildcards and quoting take for the same.

Within a family no two are equal; between families nothing collides.
"""


def folded(text: str) -> str:
    """A text without what a tolerant comparison leaves out: case, accents, width, space, what is unseen."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    # Some collations take all characters that need more than two bytes for one.
    plain = "".join("\ufffd" if letter > "\uffff" else letter for letter in plain)
    return "".join(letter for letter in plain if unicodedata.category(letter)[0] in "LNPS")


def texts() -> strategies.SearchStrategy[str]:
    """A strategy: one to four of the pieces or of all characters, one after another."""
    # Without NUL, and stepping over the surrogates.
    characters = strategies.integers(1, 0x10FFFF - 0x800).map(
        lambda number: chr(number if number < 0xD800 else number + 0x800)
    )
    pieces = strategies.sampled_from(PIECES)
    return strategies.lists(pieces | pieces | characters, min_size=1, max_size=4).map("".join)


def lookalikes() -> strategies.SearchStrategy[tuple[str, str]]:
    """A strategy: two unequal texts of one family, with the same text around them where there is room."""

    @strategies.composite
    def drawn(draw: Any) -> tuple[str, str]:
        family = draw(strategies.sampled_from(FAMILIES))
        first, second = draw(
            strategies.lists(strategies.sampled_from(family), min_size=2, max_size=2, unique=True)
        )
        before = draw(strategies.sampled_from(("", "1000.", "x")))
        after = draw(strategies.sampled_from(("", ".z", "@example.com:77")))
        return before + first + after, before + second + after

    return drawn().filter(lambda pair: max(map(len, pair)) <= WIDTH)
