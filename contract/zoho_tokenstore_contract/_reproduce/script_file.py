"""The whole file of a script: what it imports, how it opens the store, its body."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

from .._harness.store_source import lookup, takes_location
from .._harness.store_under_test import StoreUnderTest
from .._spec.clauses import Clause
from .script_body import ScriptBody


def script(sut: StoreUnderTest, clause: Clause, made: ScriptBody, notes: list[str]) -> str:
    """The whole script.

    Args:
        sut: The store under test.
        clause: What it breaks.
        made: The calls and the assertion.
        notes: What was expected and seen, in plain words.
    """
    code = made.code
    imports = ["import tempfile", "from pathlib import Path"]
    if "suppress(" in code:
        imports.append("from contextlib import suppress")
    opening = _opening(sut, made)
    path = _path(sut)
    imports += [f"import {name}" for name in ("os", "sys") if f"{name}." in path + opening + code]
    sdk = [
        f"from {module} import {name}"
        for name, module in (
            ("OAuthToken", "zohocrmsdk.src.com.zoho.api.authenticator.oauth_token"),
            ("TokenStore", "zohocrmsdk.src.com.zoho.api.authenticator.store.token_store"),
            ("SDKException", "zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception"),
            ("UserSignature", "zohocrmsdk.src.com.zoho.crm.api.user_signature"),
        )
        if re.search(rf"\b{name}\b", code)
    ]
    imports = sorted(one for one in imports if one.startswith("import")) + sorted(
        one for one in imports if one.startswith("from")
    )
    notes = [*notes, made.chance] if made.chance else notes
    says = "\n".join(
        line
        for text in (f"{sut.target} breaks {clause.id} ({clause.level.value}): {clause.text}", *notes)
        for line in [*textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False), ""]
    ).rstrip()
    quote = says.replace("\\", "\\\\").replace('"""', "'''")
    parts = [f'"""{quote}\n"""', "\n".join(imports), "\n".join(sdk)]
    return "\n\n".join(part for part in parts if part) + "\n\n" + path + opening + "\n\n" + code


def _path(sut: StoreUnderTest) -> str:
    """The line that lets Python find a module that is not installed."""
    if sut.source.file is None or "site-packages" in sut.source.file:
        return ""
    file = Path(sut.source.file)
    top = file.parents[sut.source.module.count(".") - 1] if "." in sut.source.module else file
    return f"sys.path.insert(0, os.getcwd())  # run this where {top.name} lies\n"


def _hook(sut: StoreUnderTest, thing: Any, qualname: str) -> str:
    """What puts the storage out of reach, as its author says."""
    if hasattr(thing, "open_store"):
        return f"break_storage = {qualname}().break_storage"
    hook = sut.break_storage
    return f"from {getattr(hook, '__module__', '')} import {getattr(hook, '__name__', '')}"


def _is_first(sut: StoreUnderTest) -> str:
    """Whether a location is opened for the first time; of a storage for all of them, whether any is."""
    return "not location.exists()" if sut.own_storage else "not os.listdir(directory.name)"


def _opened(sut: StoreUnderTest, opens: str) -> list[str]:
    """Opens the store; a script writes to no storage that ``get_tokens`` has not shown to be empty."""
    if sut.disposable:
        return [f"    return {opens}"]
    return [
        f"    store = {opens}",
        "    if is_new and store.get_tokens() != []:",
        '        sys.exit("the storage holds tokens, perhaps of a run before; nothing was written")',
        "    return store",
    ]


def _opening(sut: StoreUnderTest, made: ScriptBody) -> str:
    """Imports what opens the store, and opens it as the run did."""
    module, qualname = sut.source.module, sut.source.qualname
    thing = lookup(module, qualname)
    first, dot, rest = qualname.partition(".")
    imported = f"from {module} import {first}"
    if first.islower():  # the script has names like this of its own
        imported += " as make_store"
        qualname = f"make_store{dot}{rest}"
    lines = [imported]
    if "break_storage(" in made.code:
        lines.append(_hook(sut, thing, qualname))
    lines += ["", 'directory = tempfile.TemporaryDirectory(prefix="store-")', ""]
    if hasattr(thing, "open_store"):
        lines.insert(0, "# A test class, which imports the kit: put what its open_store does in its place.")
        opens = f"{qualname}().open_store(location)"
        closes = f"{qualname}().close_store(store)"
    else:
        opens = f"{qualname}({'location' if takes_location(thing) else ''})"
        closes = 'getattr(store, "close", lambda: None)()'
    lines += [
        "",
        'def where(place="location 1"):',
        "    return Path(directory.name, place)",
        "",
        "",
        'def open_store(place="location 1"):',
        "    location = where(place)",
        *([] if sut.disposable else [f"    is_new = {_is_first(sut)}"]),
        "    location.mkdir(exist_ok=True)",
        *(["    os.chdir(location)"] if sut.in_location else []),
        *_opened(sut, opens),
        "",
    ]
    if "close_store(" in made.code:
        lines += ["", "def close_store(store):", f"    {closes}", ""]
    return "\n".join(lines)
