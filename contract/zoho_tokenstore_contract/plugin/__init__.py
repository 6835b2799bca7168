"""The pytest plugin: its hooks. Options, collection and what is gathered have a module each.

This package is imported in every pytest run of everyone who has it installed, so it imports nothing
but pytest and the standard library; the kit is imported when a run asks for it.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from . import options
from .gathering import ATTACHED, VERDICTS, Gatherer, verdicts_of
from .nodes import ContractClass, TargetModule

if TYPE_CHECKING:
    from .._runner.contract_class import TokenStoreContract

CLASSES: pytest.StashKey[list[tuple[str, type[TokenStoreContract]]]] = pytest.StashKey()
_SURFACE = f"{__name__.rpartition('.')[0]}._spec.surface"
_CONTRACT = f"{__name__.rpartition('.')[0]}._runner.contract_class"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    options.add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Look at the options before anything is run."""
    worker = getattr(config, "workerinput", None)
    if worker is None:
        config.pluginmanager.register(Gatherer(config), "zoho-tokenstore-gatherer")
    elif "tokenstore_surface" in worker:
        from .._spec.surface import Surface, called_by

        cleanup = contextlib.ExitStack()
        cleanup.enter_context(called_by(Surface(worker["tokenstore_surface"])))
        config.add_cleanup(cleanup.close)
    if config.getoption("hypothesis_profile", None) == "tokenstore-thorough":
        import hypothesis

        # Hypothesis refuses a profile that it does not know; the kit reads the name alone.
        hypothesis.settings.register_profile("tokenstore-thorough")
    if reports := options.report_paths(config):
        from .._report.report_files import refusal
        from .._spec.surface import option

        for path in reports:
            if why := refusal(path):
                raise pytest.UsageError(f"{option('report')}: {why}")
    if (reproducers := options.reproducers_path(config)) is not None:
        from .._report.script_files import why_not
        from .._spec.surface import option

        if reason := why_not(reproducers):
            raise pytest.UsageError(f"{option('reproducers')}: {reason}")
    options.only(config)
    if config.getoption("tokenstore"):
        if config.args_source is not pytest.Config.ArgsSource.ARGS:
            # Nothing else was asked for.
            config.args = []
        return
    for name in ("transient", "shared_storage", "disposable", "allow"):
        if config.getoption(f"tokenstore_{name}"):
            raise pytest.UsageError(
                f"--tokenstore-{name.replace('_', '-')} needs a store: name one with --tokenstore"
            )


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell the workers of pytest-xdist how tests are distributed; theirs do not know."""
    node.workerinput["tokenstore_dist"] = node.config.getoption("dist")
    if loaded := sys.modules.get(_SURFACE):
        node.workerinput["tokenstore_surface"] = loaded.surface().value


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Import and open the named stores once, so that a wrong name is one clear line.

    By now the workers of pytest-xdist start, if there are any: they import the SDK at the same time.
    """
    config = session.config
    if not config.getoption("tokenstore"):
        return
    from .._runner.targets import Declarations, contract_class, parse_allowed
    from .._spec.clause_results import UsageError

    _see_to_the_end(session)
    try:
        declared = Declarations(
            persistent=not config.getoption("tokenstore_transient"),
            own_storage=not config.getoption("tokenstore_shared_storage"),
            disposable=config.getoption("tokenstore_disposable"),
            allowed=parse_allowed(config.getoption("tokenstore_allow")),
        )
        targets = dict.fromkeys(config.getoption("tokenstore"))
        classes = [
            (target, contract_class(target, declared, config.invocation_params.dir)) for target in targets
        ]
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[CLASSES] = classes


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Add the tests of the named stores; enter every store of the run, also where all is deselected."""
    for target, cls in session.config.stash.get(CLASSES, []):
        # The path is that of a directory that exists, so that hooks of a conftest.py there are called.
        module = TargetModule.from_parent(session, path=session.startpath, name=target, nodeid=target)
        module.contract = cls
        items.extend(session.genitems(module))
    if CLASSES not in session.config.stash and any(item.getparent(ContractClass) for item in items):
        _see_to_the_end(session)
    for item in items:
        holder = item.getparent(ContractClass)
        if holder is not None:
            holder.enter(verdicts_of(session.config))
            holder.describe(item)
    if only := options.only(session.config):
        holders = [(item, item.getparent(ContractClass)) for item in items]
        left = [item for item, holder in holders if holder is not None and holder.omits(item, only)]
        session.config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Start what takes seconds to start, so that it is ready when a test needs it.

    The workers of pytest-xdist have the processors busy already: there it waits for the test.
    """
    if session.config.option.collectonly or hasattr(session.config, "workerinput"):
        return
    for item in session.items:
        holder = item.getparent(ContractClass)
        if holder is not None and holder.starts_processes(item):
            from .._drivers.processes.fork_server import get_ready

            get_ready()
            return


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: Any, name: str, obj: object) -> pytest.Class | None:
    """Collect contract classes whatever naming rules the project has for its own tests."""
    contract = sys.modules.get(_CONTRACT)
    if contract is None or not isinstance(obj, type) or not issubclass(obj, contract.TokenStoreContract):
        return None
    if obj is contract.TokenStoreContract or not (
        isinstance(collector, TargetModule) or collector.classnamefilter(name)
    ):
        return None
    made: pytest.Class = ContractClass.from_parent(collector, name=name, obj=obj)
    return made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach what a test found out to its report, which travels between processes."""
    report = yield
    holder = item.getparent(ContractClass)
    if holder is not None:
        record = holder.record(item, call)
        if record is not None:
            setattr(report, ATTACHED, record.as_dict())
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the stores that a worker collected to the process that reports."""
    output = getattr(session.config, "workeroutput", None)
    verdicts = session.config.stash.get(VERDICTS, None)
    if output is not None and verdicts is not None:
        output["tokenstore"] = [(key, store.target, store.strict) for key, store in verdicts.stores.items()]


def _see_to_the_end(session: pytest.Session) -> None:
    """Have the status tell the verdict, whatever a store does between calls and at the end of the process.

    Where pytest is the program, that holds until the process ends. A process that works for another one may
    end: what it has not reported is missed there.
    """
    config = session.config
    _let_watchdog_speak(config)
    if hasattr(config, "workerinput"):
        return
    from .._harness.exit_guard import ProcessEndGuard
    from .._harness.run_end import end_with

    guard = ProcessEndGuard(successes=True)
    guard.__enter__()
    if list(map(str, config.invocation_params.args)) == sys.argv[1:]:
        config.add_cleanup(lambda: end_with(int(session.exitstatus)))
    else:
        config.add_cleanup(guard.__exit__)


def _let_watchdog_speak(config: pytest.Config) -> None:
    """Let the last words before a run breaks off reach the terminal, though output is captured."""
    from .._harness.watchdog import Watchdog

    capture = config.pluginmanager.getplugin("capturemanager")
    write = Watchdog.say

    def say(text: str) -> None:
        if capture is not None:
            capture.suspend_global_capture(in_=True)
        write(text)

    setattr(Watchdog, "say", staticmethod(say))  # noqa: B010 (mypy takes it for a method)
    config.add_cleanup(lambda: setattr(Watchdog, "say", staticmethod(write)))
