"""Where a store comes from: one place that knows how a target is imported and opened, in any process."""

from __future__ import annotations

import base64
import contextlib
import importlib
import importlib.util
import inspect
import pickle
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from .._spec.tokens import format_value


class MissingState(Exception):
    """A contract class opens its store with what only the test process has."""


@dataclass(frozen=True)
class StoreSource:
    """Where a factory or contract class can be imported again, in another process.

    Attributes:
        module: The module's name.
        qualname: The name inside it; has ``<locals>`` in it where nothing can import it.
        file: The module's source file, for modules that are not on the path.
        is_contract_class: The name is a class with a method ``open_store``, not a factory.
    """

    module: str
    qualname: str
    file: str | None
    is_contract_class: bool = False

    @classmethod
    def of(cls, thing: Any, *, is_contract_class: bool = False) -> StoreSource:
        """The source of a class or function.

        Args:
            thing: The class or function.
            is_contract_class: It is a class with a method ``open_store``.
        """
        try:
            file: str | None = inspect.getsourcefile(thing)
        except TypeError:
            file = None
        return cls(
            module=getattr(thing, "__module__", "") or "",
            qualname=getattr(thing, "__qualname__", "<locals>"),
            file=str(Path(file).resolve()) if file else None,
            is_contract_class=is_contract_class,
        )

    @property
    def is_local(self) -> bool:
        """Whether nothing can import it: it is defined inside a function."""
        return "<locals>" in self.qualname

    def opener(self, state: Mapping[str, str]) -> Callable[[Path], Any]:
        """What opens the store in this process, as the test process opens it.

        Args:
            state: Pickled attributes for the instance of a contract class, as `pickled_state` makes them.

        Returns:
            A function that takes the location and returns the store. It raises `MissingState` where a
            contract class needs an attribute that only the test process has.

        Raises:
            Exception: Whatever importing it raises.
        """
        thing: Any = self._module()
        for name in self.qualname.split("."):
            thing = getattr(thing, name)
        if not self.is_contract_class:
            return called_with_location(thing)

        def open_store(location: Path) -> Any:
            test = thing()
            for name, value in state.items():
                with contextlib.suppress(Exception):
                    setattr(test, name, pickle.loads(base64.b64decode(value)))  # noqa: S301 (the parent's)
            try:
                return test.open_store(location)
            except AttributeError as error:
                if error.obj is test or error.obj is thing:
                    raise MissingState(
                        f"open_store uses self.{error.name}, which only the test process has; "
                        "let it depend on the location, module globals or environment variables alone"
                    ) from error
                raise

        return open_store

    def _module(self) -> ModuleType:
        """Import the module by name, or by file where the name means something else here."""
        if self.module != "__main__":
            failure: ImportError | None = None
            try:
                module = importlib.import_module(self.module)
            except ImportError as error:
                failure = error
            else:
                if self.file is None or _is_from(module, self.file):
                    return module
            if self.file is None:
                raise failure or ImportError(f"there is no module {self.module}")
        if self.file is None or not Path(self.file).is_file():
            raise ImportError(f"{self.module} is not a file")
        return _module_of_file(self.module, Path(self.file))


def _module_of_file(module_name: str, path: Path) -> ModuleType:
    # A test file in packages may use relative imports: its name begins at the outermost package.
    root, names = path.parent, [path.stem]
    while (root / "__init__.py").is_file():
        names.insert(0, root.name)
        root = root.parent
    if len(names) > 1:
        sys.path.insert(0, str(root))
        module = importlib.import_module(".".join(names))
        if _is_from(module, str(path)):
            return module
    name = "__mp_main__" if module_name == "__main__" else module_name
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{format_value(str(path))} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if module_name != "__main__":
        # Found beside itself, as the parent found it.
        sys.path.insert(0, str(path.parent))
    spec.loader.exec_module(module)
    return module


def _is_from(module: ModuleType, file: str) -> bool:
    own = getattr(module, "__file__", None)
    return own is not None and Path(own).resolve() == Path(file).resolve()


def pickled_state(opener: Callable[..., Any]) -> dict[str, str]:
    """What fixtures set on the test instance whose method opens the store, as far as it can be pickled.

    Args:
        opener: The bound method ``open_store``, or any other function, which has no state.

    Returns:
        Attribute to value, pickled and in Base64.
    """
    state = {}
    for name, value in getattr(getattr(opener, "__self__", None), "__dict__", {}).items():
        with contextlib.suppress(Exception):
            state[name] = base64.b64encode(pickle.dumps(value)).decode()
    return state


def called_with_location(factory: Callable[..., Any]) -> Callable[[Path], Any]:
    """A function that calls a factory with the location if the factory takes an argument.

    Args:
        factory: A class or function that makes a store.

    Returns:
        A function that takes the location and returns the store.
    """
    if takes_location(factory):
        return factory
    return lambda _: factory()


def takes_location(factory: Callable[..., Any]) -> bool:
    """Whether a factory takes a positional argument: the location."""
    return bool(first_argument(factory))


def first_argument(factory: Callable[..., Any]) -> str:
    """The name of a factory's first positional argument.

    Args:
        factory: A class or function that makes a store.

    Returns:
        "" where it takes none, and "location" where Python cannot tell.
    """
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return "location"
    positional = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.VAR_POSITIONAL,
    )
    return next((parameter.name for parameter in parameters if parameter.kind in positional), "")


def lookup(module: str, qualname: str) -> Any:
    """Import a module and follow a dotted name in it.

    Args:
        module: The module's name.
        qualname: The dotted name in the module.

    Raises:
        ImportError: Where the module cannot be imported.
        AttributeError: Where it has no such name.
    """
    thing: Any = importlib.import_module(module)
    for name in qualname.split("."):
        thing = getattr(thing, name)
    return thing
