"""What the command line writes for a store's author: a store to start from, its test, a list to paste."""

from __future__ import annotations

import importlib.util
import keyword
import re
import shlex
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

from .._report.verdict import StoreVerdict
from .._spec.clause_results import Outcome, UsageError
from .._spec.clauses import did_you_mean

BUNDLE = "zoho_reference_stores"
TESTS = "_contract_tests"
"""The directory in the bundle with, for each module of a store, the test file that is copied beside it."""
_SEEN = 90
"""How many characters of what was seen stand in a reason to be replaced."""


def bundled() -> dict[str, Path]:
    """The modules of the reference stores, one of them a package, by the names that they are copied under.

    The bundle is not imported: that would need the SDK, and what each of its stores needs beside.
    """
    spec = importlib.util.find_spec(BUNDLE)
    folders = [] if spec is None else spec.submodule_search_locations or []
    tests = sorted(test for folder in folders for test in (Path(folder) / TESTS).glob("[!_]*.py"))
    modules = [test.parent.with_name(test.name) for test in tests]
    return {_name(one.stem): one if one.is_file() else one.with_suffix("") for one in modules}


def about(module: Path) -> str:
    """What a module's docstring says first: its first line, read alone, for completion asks too."""
    text = module / "__init__.py" if module.is_dir() else module
    with text.open(encoding="utf-8") as file:
        return file.readline().strip().strip('"')


def copy(name: str, destination: Path) -> list[Path]:
    """Copy a reference store, and beside it what it imports and a test that runs the contract on the copy.

    Args:
        name: One of `bundled`.
        destination: The module or package to write; its name is also that of the test file. The modules
            that the store imports keep their names; one that is there already, as it would be written, is
            left.

    Returns:
        The files that were written, the store first and the test last.

    Raises:
        UsageError: Where one of them is there already or cannot be written; nothing was written.
    """
    stores = bundled()
    if name not in stores:
        hint = did_you_mean(name.lower().replace("_", "-"), stores) or f": there are {', '.join(stores)}"
        raise UsageError(f"there is no reference store {name!r}{hint}")
    store = stores[name]
    if destination.suffix != store.suffix or not importable(destination.stem):
        kind, example = ("module", "./my_store.py") if store.suffix else ("package", "./my_store")
        raise UsageError(f"{destination} is no name of a {kind}: it has to be like {example}")
    if destination.stem in sys.stdlib_module_names:
        raise UsageError(
            f"{destination} would hide Python's own module {destination.stem}: take another name"
        )
    files = _copied_package(store, destination) if store.is_dir() else _copied_module(store, destination)
    test = _copied(store.parent / TESTS / f"{store.stem}.py", destination)
    beside = destination.with_name(f"test_{destination.stem}.py")
    files[beside] = test.replace(f"{BUNDLE}.{store.stem}", _module_name(destination))
    write(files)
    return list(files)


def _copied_module(store: Path, destination: Path) -> dict[Path, str]:
    """A module and what it imports from beside it, which is written beside the copy too."""
    files = {destination: _copied(store, destination)}
    for module in imported_modules(store):
        if module.name == destination.name:
            raise UsageError(
                f"{destination} is the name of a module that the store imports: take another name"
            )
        path, text = destination.with_name(module.name), _copied(module, destination)
        if not _holds(path, text):
            files[path] = text
    return files


def _copied_package(store: Path, destination: Path) -> dict[Path, str]:
    """A package and what it imports from beside it, which is written into the copy."""
    files = {}
    for module in sorted(store.rglob("*.py")):
        text = module.read_text(encoding="utf-8")
        files[destination / module.relative_to(store)] = text.replace("\nfrom ..", "\nfrom .")
    for module in imported_modules(store):
        files[destination / module.name] = module.read_text(encoding="utf-8")
    return files


_SIBLING = re.compile(r"^from \.(\w+) import ", re.MULTILINE)
_ABOVE = re.compile(r"^from \.\.(\w+) import ", re.MULTILINE)


def imported_modules(module: Path) -> list[Path]:
    """The modules beside this one, or this package, that it imports, directly or through one another."""
    found: list[Path] = []
    waiting = list(module.glob("*.py")) if module.is_dir() else [module]
    while waiting:
        one = waiting.pop()
        imports = _ABOVE if one.parent == module else _SIBLING
        for name in imports.findall(one.read_text(encoding="utf-8")):
            one = module.with_name(f"{name}.py")
            if one not in (module, *found):
                found.append(one)
                waiting.append(one)
    return found


def _copied(module: Path, destination: Path) -> str:
    """The text of a module, so that it finds its siblings where the copy lies."""
    text = module.read_text(encoding="utf-8")
    if (destination.parent / "__init__.py").is_file():
        return text
    return _SIBLING.sub(r"from \1 import ", text)


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def write(files: dict[Path, str]) -> None:
    """Write new files, all or none.

    Raises:
        UsageError: Where one is there already, or its directory is not.
    """
    for path in files:
        if path.exists():
            raise UsageError(f"{path} exists, and nothing is overwritten: take another name")
    top = min((path.parent for path in files), key=lambda one: len(one.parts))
    if not top.is_dir():
        raise UsageError(f"there is no directory {top}")
    written: list[Path] = []
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                written.append(path)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink()
        raise UsageError(f"{error.filename or path} cannot be written: {error.strerror}") from error


def contract_test(target: str, call: str, *, attributes: Mapping[str, bool], hook: str | None) -> str:
    """A test file for an existing store.

    Args:
        target: ``PACKAGE.MODULE:FACTORY``.
        call: The arguments of the factory, in terms of ``location``.
        attributes: What is declared of the store.
        hook: The module with a function ``break_storage`` that puts the storage out of reach, if any.
    """
    module, _, factory = target.partition(":")
    imported = {module: [factory.partition(".")[0]]}
    if hook is not None:
        imported.setdefault(hook, []).append("break_storage")
    imported.setdefault("zoho_tokenstore_contract", []).append("TokenStoreContract")
    lines = [
        f'"""The token store {target} keeps the TokenStore contract."""',
        "",
        *(f"from {source} import {', '.join(names)}" for source, names in imported.items()),
        "",
        "",
        f"class Test{camel(factory)}(TokenStoreContract):",
        *(f"    {name} = {value}  # {_MEANS[name]}" for name, value in attributes.items()),
        *([""] if attributes else []),
        "    def open_store(self, location):",
        f"        return {factory}({call})",
    ]
    if hook is not None:
        lines += [
            "",
            "    def break_storage(self, store, location):",
            "        break_storage(store, location)",
        ]
    return "\n".join(lines) + "\n"


_MEANS = {
    "disposable": "everything in its storage may be lost",
    "in_location": "it keeps its files in the current directory",
    "own_storage": "it has one storage for all locations, which the kit empties",
    "persistent": "it forgets everything when it is closed",
}


def allowed(store: StoreVerdict) -> dict[str, str]:
    """What a store breaks today, as the list of what it may break, with what was seen as the reason.

    Clauses that fail no run are left out; what is on the list already keeps its reason.
    """
    found = {}
    for result in store.all_results:
        if result.outcome is Outcome.ALLOWED:
            found[result.clause] = result.reason.removeprefix("Allowed: ")
        elif result.outcome in (Outcome.BROKEN, Outcome.NOT_REACHED) and store.weighs(result):
            found[result.clause] = f"TODO why it may; seen: {_plain(result.findings[0].seen)}"
    return found


def as_attribute(reasons: dict[str, str]) -> str:
    """A list of what may be broken as the attribute of a contract class."""
    lines = [f'    "{clause}": {_literal(reason)},' for clause, reason in reasons.items()]
    return "\n".join(["allowed = {", *lines, "}"])


def as_options(reasons: dict[str, str]) -> list[str]:
    """The same as options of ``zoho-tokenstore check``, quoted for a shell."""
    return [f"--allow {shlex.quote(f'{clause}={reason}')}" for clause, reason in reasons.items()]


def camel(name: str) -> str:
    """``make_store`` as ``MakeStore``; names that are written like that already stay."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[._]", name))


def snake(name: str) -> str:
    """``SQLiteFileStore`` as ``sqlite_file_store``."""
    word = name.rpartition(".")[2].replace("SQLite", "Sqlite")  # it is one word
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", word).lower()


def importable(stem: str) -> bool:
    """Whether a file of this name can be imported as a module."""
    return stem.isidentifier() and not keyword.iskeyword(stem)


def _plain(seen: str) -> str:
    """A short text without what a shell or a string literal would have to quote."""
    kept = "".join(one for one in seen if one.isprintable() or one.isspace())
    return textwrap.shorten(re.sub("[\"'`$\\\\!]", "", kept), _SEEN, placeholder=" ...")


def _literal(text: str) -> str:
    return repr(text) if re.search(r'["\\]', text) or not text.isprintable() else f'"{text}"'


def _name(stem: str) -> str:
    # The file is what "SQLite" means to most people, and to say "store" again tells nothing.
    return stem.removesuffix("_store").removesuffix("_file").replace("_", "-")


def _module_name(path: Path) -> str:
    """The name under which pytest's tests beside a file import it: with the packages that it lies in."""
    names, directory = [path.stem], path.resolve().parent
    while (directory / "__init__.py").is_file():
        names.insert(0, directory.name)
        directory = directory.parent
    return ".".join(names)
