"""From ``PACKAGE.MODULE:FACTORY`` on the command line to a contract class that pytest collects."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import operator
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from .._harness.exit_guard import ProcessEndGuard
from .._harness.messages import format_exception
from .._harness.store_source import StoreSource, first_argument, takes_location
from .._harness.watchdog import Watchdog
from .._harness.workspace import Workspace
from .._spec.clause_results import UsageError
from .._spec.clause_selection import refuse_wrong_allowances
from .._spec.sdk import SDKMissing, load
from .contract_class import TokenStoreContract, sut_of
from .smoke_check import Diagnosis, diagnose, first_look


@dataclass(frozen=True)
class Declarations:
    """What is declared of the stores that factories make, as `TokenStoreContract` declares it of its own.

    Attributes:
        persistent: Opening the same location again means the same rows.
        thread_safe: One store object may be used by several threads.
        own_storage: Each location has storage of its own.
        disposable: Everything in their storage may be lost.
        allowed: Clause id to the reason why they may break it.
    """

    persistent: bool = True
    thread_safe: bool = True
    own_storage: bool = True
    disposable: bool = False
    allowed: Mapping[str, str] = field(default_factory=dict)


def parse_allowed(entries: list[str], option: str = "--tokenstore-allow") -> dict[str, str]:
    """Read ``CLAUSE=REASON`` entries of an option.

    Args:
        entries: The option's values.
        option: The option, for the message.

    Returns:
        Clause id to the reason.

    Raises:
        UsageError: Where an entry has another form, or names no clause.
    """
    allowed = {}
    for entry in entries:
        clause, separator, reason = entry.partition("=")
        if not separator or not reason.strip():
            raise UsageError(f"{option}: {entry!r} is not of the form CLAUSE=REASON")
        allowed[clause] = reason.strip()
    refuse_wrong_allowances(allowed, option)
    return allowed


def contract_class(target: str, declared: Declarations, directory: Path) -> type[TokenStoreContract]:
    """Make the contract class for a target, and open its store once to see that it can be.

    Args:
        target: ``PACKAGE.MODULE:FACTORY``, or a `TokenStoreContract` subclass in that form.
        declared: What the command line declares; a subclass declares itself.
        directory: Where pytest was started: modules that are not installed are found there.

    Returns:
        The class; a subclass as it is.

    Raises:
        UsageError: Where it cannot be imported or opened, or its storage is not empty.
    """
    with _examining(target):
        thing, module = _import(target, directory)
        return _class_of(target, thing, _source_of_target(target, module), declared)


def contract_class_of(factory: Any, declared: Declarations, target: str = "") -> type[TokenStoreContract]:
    """Make the contract class for a factory, and open its store once to see that it can be.

    Args:
        factory: A class or function that makes a store, or a `TokenStoreContract` subclass.
        declared: What is declared of its store; a subclass declares itself.
        target: The name in reports; by default the factory's own.

    Returns:
        The class; a subclass as it is.

    Raises:
        UsageError: Where the store cannot be opened, or its storage is not empty.
    """
    try:
        load()
    except SDKMissing as error:
        raise UsageError(str(error)) from error
    source = StoreSource.of(factory)
    target = target or f"{source.module}:{source.qualname}"
    with _examining(target):
        return _class_of(target, factory, _importable(factory), declared)


@contextlib.contextmanager
def _examining(target: str) -> Iterator[None]:
    """Whatever a module, a class or a store raises when it is looked at becomes one message."""
    try:
        yield
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"{target} cannot be opened: {format_exception(error)}") from error


def _class_of(
    target: str, thing: Any, source: StoreSource, declared: Declarations
) -> type[TokenStoreContract]:
    if _is_contract(thing):
        if declared != Declarations():
            raise UsageError(
                f"{target} is a contract class and declares itself: no option says that its store is "
                "transient or disposable, has a shared storage, or may break a clause"
            )
        cls: type[TokenStoreContract] = thing
    else:
        cls = _factory_class(target, thing, source, declared)
    _try_to_open(target, cls, first_argument(thing) if not _is_contract(thing) else "")
    return cls


@dataclass(frozen=True)
class TargetDescription:
    """What a contract class of its own has to say of a store that ``--tokenstore`` can name.

    Attributes:
        call: The arguments of the factory, in terms of ``location``.
        attributes: Those of `TokenStoreContract` that are not as they are by default.
        hook: The module with the function ``break_storage``, if there is one.
    """

    call: str
    attributes: dict[str, bool]
    hook: str | None


def inspect_target(target: str, declared: Declarations, directory: Path) -> TargetDescription:
    """Find out how a contract class would open the store that a target makes, by opening it.

    A factory's argument may be the directory itself, or a file in it: the first that the simplest calls work
    with, else the first that opens.

    Args:
        target: ``PACKAGE.MODULE:FACTORY``.
        declared: What the command line declares.
        directory: Where the command was started.

    Returns:
        What the class has to say.

    Raises:
        UsageError: Where it cannot be imported or opened, or is a contract class already.
    """
    with _examining(target):
        return _described(target, declared, directory)


def _described(target: str, declared: Declarations, directory: Path) -> TargetDescription:
    thing, module = _import(target, directory)
    if _is_contract(thing):
        raise UsageError(f"{target} is a contract class already: pytest runs it")
    source = _source_of_target(target, module)
    calls = {"location": thing, _IN_IT: lambda location: thing(location / "tokens")}
    refusals: list[UsageError] = []
    opened = []
    for call, factory in calls.items() if callable(thing) and takes_location(thing) else [("", thing)]:
        cls = _factory_class(target, factory, source, declared)
        try:
            _try_to_open(target, cls)
        except UsageError as error:
            refusals.append(error)
            continue
        opened.append(call)
        if diagnose(sut_of(cls)) is None:
            opened = [call]
            break
    if not opened:
        raise refusals[0]
    attributes = {}
    if not declared.persistent:
        attributes["persistent"] = False
    if not declared.own_storage:
        attributes["own_storage"] = False
    if declared.disposable:
        attributes["disposable"] = True
    if not (opened[0] or attributes):
        # It takes no argument and keeps what it is given, so it does that beside itself.
        attributes["in_location"] = True
    place = _place_of_hook(thing, source)
    return TargetDescription(opened[0], attributes, None if place is None else place.__name__)


_IN_IT = 'location / "tokens"'


def _is_contract(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, TokenStoreContract)


def _import(target: str, directory: Path) -> tuple[Any, ModuleType]:
    module_name, separator, qualname = target.partition(":")
    if not separator or not module_name or not qualname or "/" in module_name or module_name.endswith(".py"):
        raise UsageError(f"{target!r} is not of the form PACKAGE.MODULE:FACTORY{_meant(target)}")
    if str(directory) not in sys.path:
        sys.path.append(str(directory))
    try:
        load()
        module = _imported(module_name)
    except SDKMissing as error:
        raise UsageError(str(error)) from error
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name + ".").startswith(error.name + "."):
            raise UsageError(f"importing {module_name} fails: {format_exception(error)}") from error
        raise UsageError(
            f"there is no module {module_name!r}, neither installed nor in the current directory"
        ) from error
    except (Exception, SystemExit) as error:
        raise UsageError(f"importing {module_name} fails: {format_exception(error)}") from error
    thing: Any = module
    for name in qualname.split("."):
        try:
            thing = getattr(thing, name)
        except AttributeError as error:
            close = difflib.get_close_matches(name, dir(thing), n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise UsageError(f"{module_name} has no {qualname!r}{hint}") from error
    return thing, module


def _imported(name: str) -> ModuleType:
    """Import a module under the eye of the watchdog.

    Raises:
        UsageError: It takes longer than a call may.
    """
    watchdog = Watchdog(Workspace.call_limit, lambda: None, notice=_NOTICE)
    watchdog.start()
    watchdog.waiting = (f"importing {name}", time.monotonic())
    try:
        with ProcessEndGuard():
            module = importlib.import_module(name)
    except BaseException:
        if not watchdog.hung:
            raise
    finally:
        watchdog.waiting = None
        watchdog.stop()
    if watchdog.hung:
        raise UsageError(
            f"importing {name} had not come back after {watchdog.limit:g} seconds; nothing was written"
        )
    return module


_NOTICE = 10.0
"""Seconds after which standard error says that importing a module takes long."""


def _meant(target: str) -> str:
    """What was probably meant by a target of another form: a file, or a dotted name."""
    name, separator, qualname = target.partition(":")
    if not separator:
        name, _, qualname = target.rpartition(".")
    path = Path(name.removesuffix(".py"))
    parts = [part for part in path.parts if part not in (".", "..", "/")]
    if not parts or not qualname or qualname == "py":
        return (
            ": write the module's name, a colon, and the name of a class or function in it, as tokens:Store"
        )
    meant = f"{'.'.join(parts)}:{qualname}"
    elsewhere = ", where that module lies" if path.is_absolute() or ".." in path.parts else ""
    return f": a module is named as Python imports it. Did you mean {meant!r}{elsewhere}?"


def _source_of_target(target: str, module: ModuleType) -> StoreSource:
    name, _, qualname = target.partition(":")
    return StoreSource(name, qualname, getattr(module, "__file__", None))


def _importable(factory: Any) -> StoreSource:
    """Where another process finds a factory; local where its name leads elsewhere, as a method's."""
    source = StoreSource.of(factory)
    try:
        found = operator.attrgetter(source.qualname)(sys.modules[source.module])
    except (AttributeError, KeyError):
        found = None
    return (
        source
        if source.is_local or found == factory
        else replace(source, qualname=f"<locals>.{source.qualname}")
    )


def _factory_class(
    target: str, factory: Callable[..., Any], source: StoreSource, declared: Declarations
) -> type[TokenStoreContract]:
    if not callable(factory):
        raise UsageError(f"{target} is not callable: name a store class or a function that makes a store")
    with_location = takes_location(factory)

    def open_store(self: TokenStoreContract, location: Path) -> Any:
        return factory(location) if with_location else factory()

    members = {
        "__doc__": f"Checks what {target} makes.",
        "open_store": open_store,
        "target": target,
        **vars(declared),
        "in_location": True,
        "_source": source,
    }
    place = _place_of_hook(factory, source)
    for hook in ("break_storage", "mend_storage"):
        if callable(getattr(place, hook, None)):
            members[hook] = staticmethod(getattr(place, hook))
    return type(source.qualname.rpartition(".")[2], (TokenStoreContract,), members)


def _place_of_hook(factory: Any, source: StoreSource) -> ModuleType | None:
    """The module with ``break_storage`` beside the factory: the one that is named, or that defines it."""
    for name in (source.module, getattr(factory, "__module__", "")):
        place = sys.modules.get(name)
        if place is not None and callable(getattr(place, "break_storage", None)):
            return place
    return None


def _try_to_open(target: str, cls: type[TokenStoreContract], argument: str = "") -> None:
    """Open the store and look at what it holds, so that a store that cannot be checked is one message.

    Args:
        target: What was named.
        cls: Its contract class.
        argument: The name of the factory's first argument, which gets the location.

    Raises:
        UsageError: It does not open, or its storage may be somebody's.
    """
    with _examining(target):
        sut = sut_of(cls)
        found = first_look(sut)
    if found is not None and (sut.refusal or not found.clauses):
        raise UsageError(f"{target}: {found.cause}{_hint(target, argument, found)}")


_OF_A_DIRECTORY = ("Is a directory", "unable to open", "Permission denied")
"""What systems say of a directory that is opened as a file."""


def _hint(target: str, argument: str, found: Diagnosis) -> str:
    """What to write where a factory takes its first argument for a file name, and gets a directory."""
    if not argument or not any(words in found.cause for words in _OF_A_DIRECTORY):
        return ""
    module, _, factory = target.partition(":")
    return (
        f"\nThe kit passes the Path of an empty directory as the first argument, {argument}. If {factory} "
        f"expects a file name there, write a function, as make_store in a module of your own, and name that "
        f"instead:\n\n    from {module} import {factory}\n\n    def make_store(location):\n"
        f'        return {factory}(location / "tokens")\n'
    )
