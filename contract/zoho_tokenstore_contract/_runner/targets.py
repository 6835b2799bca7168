"""From ``PACKAGE.MODULE:FACTORY`` on the command line to a contract class that pytest collects."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from .._harness.messages import format_exception
from .._harness.source import StoreSource, takes_location
from .._harness.workspace import Effort, Workspace
from .._spec.clauses import CLAUSES, did_you_mean
from .._spec.outcomes import StoreUnavailable, UsageError
from .._spec.sdk import SDKMissing, load
from .contract_class import TokenStoreContract, sut_of
from .smoke import diagnose


@dataclass(frozen=True)
class Declarations:
    """What the command line declares of the stores that it names.

    Attributes:
        transient: They are not persistent.
        shared_storage: They have one storage for all locations.
        allowed: Clause id to the reason why they may break it.
    """

    transient: bool = False
    shared_storage: bool = False
    allowed: Mapping[str, str] | None = None


def parse_allowed(entries: list[str], option: str = "--tokenstore-allow") -> dict[str, str]:
    """Read ``CLAUSE=REASON`` entries of an option.

    Raises:
        UsageError: Where an entry has another form, or names no clause.
    """
    allowed = {}
    for entry in entries:
        clause, separator, reason = entry.partition("=")
        if not separator or not reason.strip():
            raise UsageError(f"{option}: {entry!r} is not of the form CLAUSE=REASON")
        if clause not in CLAUSES:
            hint = did_you_mean(clause.upper(), CLAUSES)
            raise UsageError(f"{option}: there is no clause {clause!r}{hint}")
        allowed[clause] = reason.strip()
    return allowed


def contract_class(target: str, declared: Declarations, directory: Path) -> type[TokenStoreContract]:
    """Make the contract class for a target, and open its store once to see that it can be.

    Args:
        target: ``PACKAGE.MODULE:FACTORY``, or a `TokenStoreContract` subclass in that form.
        declared: What the command line declares; a subclass declares itself.
        directory: Where pytest was started: modules that are not installed are found there.

    Raises:
        UsageError: Where it cannot be imported or opened, or its storage is not empty.
    """
    thing, module = _import(target, directory)
    if _is_contract(thing):
        if declared != Declarations():
            raise UsageError(
                f"{target} is a contract class and declares itself: no option says that its store is "
                "transient or has a shared storage, or which clauses it may break"
            )
        cls: type[TokenStoreContract] = thing
    else:
        cls = _factory_class(target, thing, module, declared)
    _try_to_open(target, cls)
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

    Raises:
        UsageError: Where it cannot be imported or opened, or is a contract class already.
    """
    thing, module = _import(target, directory)
    if _is_contract(thing):
        raise UsageError(f"{target} is a contract class already: pytest runs it")
    calls = {"location": thing, _IN_IT: lambda location: thing(location / "tokens")}
    refusals: list[UsageError] = []
    opened = []
    for call, factory in calls.items() if callable(thing) and takes_location(thing) else [("", thing)]:
        cls = _factory_class(target, factory, module, declared)
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
    if declared.transient:
        attributes["persistent"] = False
    if declared.shared_storage:
        attributes["own_storage"] = False
    if not (opened[0] or attributes):
        # It takes no argument and keeps what it is given, so it does that beside itself.
        attributes["in_location"] = True
    place = _place_of_hook(thing, module)
    return TargetDescription(opened[0], attributes, None if place is None else place.__name__)


_IN_IT = 'location / "tokens"'


def _is_contract(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, TokenStoreContract)


def _import(target: str, directory: Path) -> tuple[Any, ModuleType]:
    module_name, separator, qualname = target.partition(":")
    if not separator or not module_name or not qualname:
        raise UsageError(f"{target!r} is not of the form PACKAGE.MODULE:FACTORY")
    if str(directory) not in sys.path:
        sys.path.append(str(directory))
    try:
        load()
        module = importlib.import_module(module_name)
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


def _factory_class(
    target: str, factory: Callable[..., Any], module: ModuleType, declared: Declarations
) -> type[TokenStoreContract]:
    if not callable(factory):
        raise UsageError(f"{target} is not callable: name a store class or a function that makes a store")
    with_location = takes_location(factory)

    def open_store(self: TokenStoreContract, location: Path) -> Any:
        return factory(location) if with_location else factory()

    module_name, _, qualname = target.partition(":")
    members = {
        "__doc__": f"Checks what {target} makes.",
        "open_store": open_store,
        "target": target,
        "persistent": not declared.transient,
        "own_storage": not declared.shared_storage,
        "allowed": declared.allowed or {},
        "in_location": True,
        "_source": StoreSource(module_name, qualname, getattr(module, "__file__", None)),
    }
    place = _place_of_hook(factory, module)
    for hook in ("break_storage", "mend_storage"):
        if callable(getattr(place, hook, None)):
            members[hook] = staticmethod(getattr(place, hook))
    return type(qualname.rpartition(".")[2], (TokenStoreContract,), members)


def _place_of_hook(factory: Any, module: ModuleType) -> ModuleType | None:
    """The module with ``break_storage`` beside the factory: the one that is named, or that defines it."""
    for place in (module, sys.modules.get(getattr(factory, "__module__", ""))):
        if place is not None and callable(getattr(place, "break_storage", None)):
            return place
    return None


def _try_to_open(target: str, cls: type[TokenStoreContract]) -> None:
    try:
        sut = sut_of(cls)
        with Workspace(sut, Effort()) as workspace:
            workspace.open()
    except StoreUnavailable as error:
        raise UsageError(f"{target}: {error}") from error
    except (Exception, SystemExit) as error:
        raise UsageError(f"{target} cannot be opened: {format_exception(error)}") from error
