"""Classes of faults that stores have in practice: faulty stores of three kinds each, and a correct twin."""

from __future__ import annotations

from dataclasses import dataclass

from tests.stores.batches import first_designs, second_designs
from tests.stores.faulty_threads import MemoryStore
from tests.stores.right import RightStore
from tests.stores.unusual import InMemory


@dataclass(frozen=True)
class FaultClass:
    """Stores with the same fault.

    Attributes:
        fault: What they do wrong.
        clauses: The clauses that this breaks: each store claims one of them.
        stores: The names of faulty stores of the catalogue.
        twin: The name of a correct store that does nearly the same.
    """

    fault: str
    clauses: str
    stores: str
    twin: str


CLASSES = [
    FaultClass(
        "a cache that delete_tokens forgets",
        "CLEAR-1",
        "ForgetsItsLruCache RemembersIdsThatItCleared DropsItsTableAndNotWhatItNoted",
        "EmptiesWhatItNoted",
    ),
    FaultClass(
        "an index that a clash of names loses",
        "SAVE-14 SAVE-11",
        "LosesTheNameOfTheIdsRow MovesWhatARowIsFoundAs MovesANameToTheUnnamedRow",
        "AbsorbsAndKeepsItsIndex",
    ),
    FaultClass(
        "times that another time zone reads otherwise",
        "PERSIST-5",
        "KeepsLocalTimes ReadsUtcAsLocalTime LocalTimeExpiry",
        "KeepsTimesInUtc",
    ),
    FaultClass(
        "text in the encoding of the process",
        "PERSIST-5",
        "JsonPreferredEncoding LogsInTheLocalesEncoding ReadsTextInTheLocalesEncoding",
        "LogsInUtf8",
    ),
    FaultClass(
        "`hash` as a stored key",
        "PERSIST-5",
        "FindsByHash LogsHashesOfNames PythonHashIndex",
        "LogsCheckSumsOfNames",
    ),
    FaultClass(
        "rows that expire or have a lifetime",
        "SAVE-22",
        "MemSweepsExpired KeepsRowsForThirtyDays SavingSweepsExpired",
        "NotesWhenItSaved",
    ),
    FaultClass(
        "a shorter value that leaves the rest of a longer one",
        "SAVE-13 VALUE-3",
        "WritesInPlace LogsPieces OverwritesTheBeginning",
        "KeepsPiecesAndDropsOldOnes",
    ),
    FaultClass(
        "a lock kept after a miss or a refusal",
        "THREAD-1",
        "KeepsItsLockAfterALongValue KeepsTheLockAfterWhatIsNoToken MissKeepsLock",
        "TakesItsLockTwice",
    ),
    FaultClass(
        "ids given again after many deletions",
        "DEL-5",
        "RemembersSixtyFourIds ReadsTheEndOfItsLog KeepsATableOfDeletedIds",
        "RemembersAllIds",
    ),
    FaultClass(
        "digits that are none to `int`",
        "BYID-2 DEL-3",
        "ReadsFractionsAsNumbers DeletesByTheValueOfDigits BindsDigitsAsNumbers",
        "ReadsAsciiDigitsAsNumbers",
    ),
    FaultClass(
        "an update lost after two conflicts",
        "THREAD-5",
        "OverwritesAfterTwoConflicts LeavesItsFileAfterTwoConflicts ComparesItsVersionTwice",
        "TriesUntilItIsWritten",
    ),
    FaultClass(
        "fields read from a token's attributes",
        "SAVE-1 SAVE-13",
        "UpdatesFromAttributes WritesOtherAttributesToo InsertsAllAttributes",
        "ReadsMangledAttributes",
    ),
    FaultClass(
        "first calls that build the state without a lock",
        "THREAD-2 PROC-1",
        "MakesItsRowsLate MakesItsFileLate MakesItsTableLate JsonFirstOpenWrites",
        "OkLazyJson",
    ),
    FaultClass(
        "client and token joined to one key",
        "VALUE-6 SAVE-10",
        "JoinsKeysWithAColon NamesRowsByClientAndToken JoinsColumns",
        "JoinsKeysWithTheirLengths",
    ),
    FaultClass(
        "a readable copy outside the location",
        "SECRET-1",
        "LeavesACopyInTheCache LogsAmongTemporaryFilesToo BacksItsDatabaseUpAtHome",
        "ClosesItsCopyToOthers",
    ),
    FaultClass(
        "a cache that all locations share",
        "ISO-1",
        "SharesACacheOfAccessTokens EqualStoresShareAnLruCache ModuleWideCache",
        "SharesACacheByLocation",
    ),
    FaultClass(
        "a store that was opened before a fork",
        "PROC-2",
        "SharesItsLockWithItsChild CloseRemovesLock WriterThreadNotInChild",
        "WriterThreadSql",
    ),
    FaultClass(
        "a store that stays dead after an outage",
        "CRASH-5",
        "IsDeadForEver BrokenForGood ErrorEmptiesMemory",
        "OpensItsFileAnew",
    ),
    FaultClass(
        "a call that an exception ends half-way",
        "CRASH-6",
        "UpdatesFieldByField KeepsTheLockAfterAnException NoRollback",
        "RollsBackForAnything",
    ),
    FaultClass(
        "a token doubled whose id is its only address",
        "SAVE-12",
        "DoublesTokensWithHalfAClient DoublesGrantTokensWithoutAClient InsertsWhatNoColumnFinds",
        "DistrustsIds",
    ),
    FaultClass(
        "a long id that is taken and not found",
        "SAVE-3",
        "LooksForTenCharacters BroughtIdCut HasIdsOfTwentyCharacters",
        "RefusesLongIds",
    ),
    FaultClass(
        "a passed token that is tidied",
        "SAVE-17",
        "TakesALastSlashAway CutsTheDomainOfThePassedToken NameLoweredOnToken",
        "FillsInOnSavingToo",
    ),
]

KINDS: dict[type, str] = {
    RightStore: "JSON",
    InMemory: "memory",
    MemoryStore: "memory",
    first_designs.MemStore: "memory",
    first_designs.JsonStore: "JSON",
    first_designs.LogStore: "log",
    first_designs.DirStore: "directory",
    first_designs.SqlStore: "SQLite",
    second_designs.MemCore: "memory",
    second_designs.JsonCore: "JSON",
    second_designs.CsvCore: "CSV",
    second_designs.SnapCore: "snapshot",
    second_designs.LogCore: "log",
    second_designs.DirCore: "directory",
    second_designs.SqlCore: "SQLite",
}
"""Where the stores keep their rows that others are made from."""


def kind_of(store: type) -> str:
    """Where a store keeps its rows.

    Args:
        store: The class of the store.

    Returns:
        The kind of the nearest store that it is made from.
    """
    return next(KINDS[base] for base in store.__mro__ if base in KINDS)
