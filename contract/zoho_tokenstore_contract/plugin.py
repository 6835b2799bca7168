"""The pytest plugin: options, collection of named stores, verdicts.

This module is imported in every pytest run of everyone who has it installed, so it imports nothing
but pytest and the standard library; the kit is imported when a run asks for it.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Generator, Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from ._report.record import Record
    from ._report.verdict import Verdicts
    from ._runner.contract_class import TokenStoreContract

VERDICTS = pytest.StashKey["Verdicts"]()
CLASSES = pytest.StashKey["list[tuple[str, type[TokenStoreContract]]]"]()
COMMAND = pytest.StashKey[str]()
ATTACHED = "tokenstore"
_CONTRACT = f"{__package__}._runner.contract_class"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("tokenstore", "conformance of Zoho CRM TokenStore implementations")
    group.addoption(
        "--tokenstore",
        action="append",
        default=[],
        metavar="PACKAGE.MODULE:FACTORY",
        help="check the store that FACTORY makes; it is called with a directory if it takes an "
        "argument, else with nothing, in that directory. A TokenStoreContract subclass will do too. "
        "Repeatable.",
    )
    group.addoption(
        "--tokenstore-transient",
        action="store_true",
        help="the stores named by --tokenstore forget everything when they are closed",
    )
    group.addoption(
        "--tokenstore-shared-storage",
        action="store_true",
        help="the stores named by --tokenstore have one storage for all locations; it must be empty, "
        "and the kit empties it between tests",
    )
    group.addoption(
        "--tokenstore-disposable",
        action="store_true",
        help="whatever the storage of the stores named by --tokenstore holds may be lost: they are checked "
        "also where get_tokens does not show that it is empty",
    )
    group.addoption(
        "--tokenstore-only",
        action="append",
        default=[],
        metavar="LIST",
        help="check these clauses and groups alone, as SAVE,FIND-5; then there is no verdict on the whole "
        "contract. For every store of the run. Repeatable.",
    )
    group.addoption(
        "--tokenstore-allow",
        action="append",
        default=[],
        metavar="CLAUSE=REASON",
        help="the stores named by --tokenstore may break this clause, for this reason; if they keep "
        "it after all, the run fails. Repeatable.",
    )
    group.addoption(
        "--tokenstore-strict",
        action="store_true",
        help="SHOULD clauses count as MUST, for every store of the run",
    )
    group.addoption(
        "--tokenstore-reproducers",
        metavar="DIR",
        help="write a script for each broken clause of each store into a new or empty directory; it needs "
        "the store and the SDK alone",
    )
    group.addoption(
        "--tokenstore-report",
        action="append",
        default=[],
        metavar="FILE",
        help="write the verdict on every store of the run to a file: a page (.html), Markdown for a "
        "pull request (.md), a badge (.svg) or data (.json), by the ending. Repeatable.",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Look at the options before anything is run."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Gatherer(config), "zoho-tokenstore-gatherer")
    if config.getoption("hypothesis_profile", None) == "tokenstore-thorough":
        import hypothesis

        # Hypothesis refuses a profile that it does not know; the kit reads the name alone.
        hypothesis.settings.register_profile("tokenstore-thorough")
    if reports := _report_paths(config):
        from ._report.files import refusal

        for path in reports:
            if why := refusal(path):
                raise pytest.UsageError(f"--tokenstore-report: {why}")
    reproducers = _reproducers_path(config)
    if reproducers is not None and not hasattr(config, "workerinput"):
        from ._report.scripts import why_not

        if reason := why_not(reproducers):
            raise pytest.UsageError(f"--tokenstore-reproducers: {reason}")
    _only(config)
    if config.getoption("tokenstore"):
        if config.args_source is not pytest.Config.ArgsSource.ARGS:
            # Nothing else was asked for.
            config.args = []
        return
    for option in ("transient", "shared_storage", "disposable", "allow"):
        if config.getoption(f"tokenstore_{option}"):
            raise pytest.UsageError(
                f"--tokenstore-{option.replace('_', '-')} needs a store: name one with --tokenstore"
            )


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell the workers of pytest-xdist how tests are distributed; theirs do not know."""
    node.workerinput["tokenstore_dist"] = node.config.getoption("dist")


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Import and open the named stores once, so that a wrong name is one clear line.

    By now the workers of pytest-xdist start, if there are any: they import the SDK at the same time.
    """
    config = session.config
    if not config.getoption("tokenstore"):
        return
    from ._runner.targets import Declarations, contract_class, parse_allowed
    from ._spec.outcomes import UsageError

    _let_watchdog_speak(config)
    try:
        declared = Declarations(
            transient=config.getoption("tokenstore_transient"),
            shared_storage=config.getoption("tokenstore_shared_storage"),
            disposable=config.getoption("tokenstore_disposable"),
            allowed=parse_allowed(config.getoption("tokenstore_allow")) or None,
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
        module = _TargetModule.from_parent(session, path=session.startpath, name=target, nodeid=target)
        module.contract = cls
        items.extend(session.genitems(module))
    if CLASSES not in session.config.stash and any(item.getparent(_ContractClass) for item in items):
        _let_watchdog_speak(session.config)
    for item in items:
        holder = item.getparent(_ContractClass)
        if holder is not None:
            holder.enter(_verdicts(session.config))
            holder.describe(item)
    if only := _only(session.config):
        holders = [(item, item.getparent(_ContractClass)) for item in items]
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
        holder = item.getparent(_ContractClass)
        if holder is not None and holder.starts_processes(item):
            from ._drivers.processes.fork_server import get_ready

            get_ready()
            return


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: Any, name: str, obj: object) -> pytest.Class | None:
    """Collect contract classes whatever naming rules the project has for its own tests."""
    contract = sys.modules.get(_CONTRACT)
    if contract is None or not isinstance(obj, type) or not issubclass(obj, contract.TokenStoreContract):
        return None
    if obj is contract.TokenStoreContract or not (
        isinstance(collector, _TargetModule) or collector.classnamefilter(name)
    ):
        return None
    made: pytest.Class = _ContractClass.from_parent(collector, name=name, obj=obj)
    return made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach what a test found out to its report, which travels between processes."""
    report = yield
    holder = item.getparent(_ContractClass)
    if holder is not None:
        record = holder.record(item, call)
        if record is not None:
            setattr(report, ATTACHED, record.as_dict())
    return report


class _Gatherer:
    """Takes what the tests found out, in the process that reports, and tells it at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.began = time.time()
        self.reports: list[tuple[Path, OSError | None]] = []
        self.printed: dict[tuple[str, str], list[tuple[str, str]]] = {}
        self.summarized = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in what one test found out, and what it printed."""
        record = record_of(report)
        if record is None:
            return
        _verdicts(self.config).add(record)
        if record.result is not None:
            self.printed[record.key, record.result.clause] = report.sections

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> Generator[None, tuple[str, str, Any], tuple[str, str, Any]]:
        """Have pytest count clauses by what became of them: the summary tells those that are not kept."""
        category, letter, word = yield
        record = record_of(report)
        if record is None or report.when != "call":
            return category, letter, word
        from ._report.wording import category_of

        return category_of(record), letter, word

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Take in which stores a worker collected, though all their tests were deselected."""
        for key, target, strict in getattr(node, "workeroutput", {}).get("tokenstore", ()):
            _verdicts(self.config).expect(key, target, strict=strict)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Write the reports and the scripts before pytest's summary; print the verdict below all of it."""
        self._write(session)
        result = yield
        terminal = self.config.pluginmanager.get_plugin("terminalreporter")
        if self.summarized and terminal is not None:
            from ._report.terminal import conclude

            conclude(terminal, _verdicts(self.config))
        return result

    def _write(self, session: pytest.Session) -> None:
        paths = _report_paths(self.config)
        reproducers = _reproducers_path(self.config)
        if paths or VERDICTS in self.config.stash:
            _verdicts(self.config).put_in_order(self.config.getoption("tokenstore"))
        if reproducers is not None:
            from ._report.scripts import write as write_scripts

            write_scripts(_verdicts(self.config), reproducers)
        if not paths:
            return
        from ._report.files import write
        from ._report.json_report import report_on

        report = report_on(_verdicts(self.config), self._command(), self.began, time.time() - self.began)
        for path in paths:
            try:
                write(report, path)
            except OSError as error:
                # The verdict is still told; but whoever waits for the file must not see success.
                self.reports.append((path, error))
                if session.exitstatus == pytest.ExitCode.OK:
                    session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
            else:
                self.reports.append((path, None))

    def _command(self) -> str:
        arguments = map(str, self.config.invocation_params.args)
        return self.config.stash.get(COMMAND, "") or shlex.join(["pytest", *arguments])

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Print what was found out, below the failures of other tests, and where the reports are."""
        verdicts = self.config.stash.get(VERDICTS, None)
        if verdicts is not None and not (verdicts.began or self.config.getoption("tokenstore")):
            # Other tests were asked for.
            terminalreporter.write_line(f"TokenStore contract: no clause was run of {verdicts.names}")
        elif verdicts is not None:
            from ._report.terminal import summarize

            self.summarized = True
            summarize(terminalreporter, verdicts, self.printed, _reproducers_path(self.config))
        for path, error in self.reports:
            if error is None:
                terminalreporter.write_line(f"report: {path}")
            else:
                terminalreporter.write_line(f"report: {path} could not be written: {error}", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the stores that a worker collected to the process that reports."""
    output = getattr(session.config, "workeroutput", None)
    verdicts = session.config.stash.get(VERDICTS, None)
    if output is not None and verdicts is not None:
        output["tokenstore"] = [(key, store.target, store.strict) for key, store in verdicts.stores.items()]


class _TargetModule(pytest.Module):
    """Stands in for the test module that the user did not have to write."""

    contract: type[TokenStoreContract]

    def _getobj(self) -> ModuleType:
        module = ModuleType(self.name)
        vars(module)[self.contract.__name__] = self.contract
        return module


class _ContractClass(pytest.Class):
    """A contract class: its tests are the clauses, under any naming rules."""

    def funcnamefilter(self, name: str) -> bool:
        """Collect the tests of clauses beside what the project collects."""
        return name.startswith("test_") or super().funcnamefilter(name)

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """Collect the tests, unless there is no SDK, or somebody replaced one after the class was made."""
        from ._runner.contract_class import refuse_overridden_tests, sut_of
        from ._spec.sdk import SDKMissing, load

        try:
            load()
            refuse_overridden_tests(self.obj)
            sut_of(self.obj)
        except (SDKMissing, TypeError, ValueError) as error:
            raise self.CollectError(str(error)) from error
        return super().collect()

    def enter(self, verdicts: Verdicts) -> None:
        """Enter the store of this class in the verdicts."""
        verdicts.expect(self.nodeid, self._target, strict=self._strict)

    def describe(self, item: pytest.Item) -> None:
        """Give a test the properties that JUnit XML shows."""
        from ._spec.clauses import CLAUSES

        clause = self._clause_of(item)
        if clause is not None:
            item.user_properties += [
                ("tokenstore_store", self._target),
                ("tokenstore_clause", clause),
                ("tokenstore_level", CLAUSES[clause].level.value),
            ]

    def omits(self, item: pytest.Item, only: frozenset[str]) -> bool:
        """Whether a test's clause is not among those that a run was told to check."""
        clause = self._clause_of(item)
        return clause is not None and clause not in only

    def starts_processes(self, item: pytest.Item) -> bool:
        """Whether a test's clause speaks of processes of their own, and applies to the store."""
        from ._spec.clauses import CLAUSES

        clause = self._clause_of(item)
        if clause is None or not self.obj.persistent:
            return False
        return CLAUSES[clause].group in ("PROC", "CRASH")

    def record(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Record | None:
        """What a phase of a test found out."""
        from ._report.record import Record
        from ._runner.contract_class import RESULT, SMOKE
        from ._spec.outcomes import ClauseResult, Outcome

        result = item.stash.get(RESULT, None)
        clause = self._clause_of(item)
        failed = call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception)
        if call.when != "call" and failed and clause is not None:
            reason = f"the {call.when} of its test fails: {call.excinfo.exconly() if call.excinfo else ''}"
            result = ClauseResult(clause, Outcome.ERROR, reason=reason)
        elif call.when != "call":
            return None
        cause, calls = "", tuple[str, ...]()
        if SMOKE in item.stash:
            cause, calls = item.stash[SMOKE].cause, item.stash[SMOKE].done
        return Record(self.nodeid, self._target, self._strict, result, cause, calls)

    @staticmethod
    def _clause_of(item: pytest.Item) -> str | None:
        from ._runner.contract_class import clause_of

        return clause_of(getattr(item, "originalname", item.name))

    @property
    def _target(self) -> str:
        from ._runner.contract_class import target_of

        return target_of(self.obj)

    @property
    def _strict(self) -> bool:
        return bool(self.obj.strict or self.config.getoption("tokenstore_strict"))


def record_of(report: pytest.TestReport) -> Record | None:
    """What a test found out, if its report has anything."""
    data = getattr(report, ATTACHED, None)
    if data is None:
        return None
    from ._report.record import Record

    return Record.from_dict(data)


def _verdicts(config: pytest.Config) -> Verdicts:
    if VERDICTS not in config.stash:
        from ._report.verdict import Verdicts

        config.stash[VERDICTS] = Verdicts(only=_only(config))
    return config.stash[VERDICTS]


def _let_watchdog_speak(config: pytest.Config) -> None:
    """Let the last words before a run breaks off reach the terminal, though output is captured."""
    from ._harness.watchdog import Watchdog

    capture = config.pluginmanager.getplugin("capturemanager")
    write = Watchdog.say

    def say(text: str) -> None:
        if capture is not None:
            capture.suspend_global_capture(in_=True)
        write(text)

    setattr(Watchdog, "say", staticmethod(say))  # noqa: B010 (mypy takes it for a method)
    config.add_cleanup(lambda: setattr(Watchdog, "say", staticmethod(write)))


def _only(config: pytest.Config) -> frozenset[str]:
    """The clauses that the run was told to check; none for all."""
    entries = config.getoption("tokenstore_only")
    if not entries:
        return frozenset()
    from ._spec.outcomes import UsageError
    from ._spec.selection import named_clauses

    try:
        return named_clauses(entries, "--tokenstore-only")
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error


def _report_paths(config: pytest.Config) -> list[Path]:
    if hasattr(config, "workerinput"):
        return []  # the process that gathers writes them
    named = dict.fromkeys(config.getoption("tokenstore_report"))
    return [Path(config.invocation_params.dir, name) for name in named]


def _reproducers_path(config: pytest.Config) -> Path | None:
    directory = config.getoption("tokenstore_reproducers")
    return None if directory is None else Path(config.invocation_params.dir, directory)
