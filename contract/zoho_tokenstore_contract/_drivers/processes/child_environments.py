"""What a process is started in: zone, locale, encoding, hash seed, directories, file mode mask."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_SET = ("LANG", "LANGUAGE", "LC_CTYPE", "PYTHONIOENCODING")
"""Variables that would speak against those that are set here."""


@dataclass(frozen=True)
class Surroundings:
    """What a process is started in, other than the test process.

    Attributes:
        zone: Its time zone, for ``TZ``.
        locale: Its locale, for ``LC_ALL``.
        umask: Which file modes are held back.
        executed: Python is executed in them, without UTF-8 mode and with a hash seed of its own: the locale
            then says which encoding text files have. That costs seconds; otherwise the process is forked.
    """

    zone: str
    locale: str
    umask: int
    executed: bool = False

    def environment(self, directory: Path) -> dict[str, str]:
        """The environment variables of such a process.

        Args:
            directory: An empty directory, in which its home and its temporary files lie.
        """
        home, temporary = directory / "home", directory / "tmp"
        home.mkdir()
        temporary.mkdir()
        return {**self.variables(), "HOME": str(home), "TMPDIR": str(temporary)}

    def variables(self) -> dict[str, str]:
        """What Python reads when it starts, beside all other variables of this process."""
        kept = {name: value for name, value in os.environ.items() if name not in _SET}
        return {**kept, "TZ": self.zone, "LC_ALL": self.locale, **self._of_python()}

    def _of_python(self) -> dict[str, str]:
        """What nothing but a new Python reads: it has another hash seed than this process."""
        if not self.executed:
            return {}
        seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
        return {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONHASHSEED": seed}

    def __str__(self) -> str:
        words = [f"TZ={self.zone}", f"LC_ALL={self.locale}"]
        if self.executed:
            words += ["without UTF-8 mode", f"PYTHONHASHSEED={self._of_python()['PYTHONHASHSEED']}"]
        return ", ".join(words)


WEST = Surroundings("America/New_York", "C", umask=0o077, executed=True)
EAST = Surroundings("Asia/Kolkata", "C.UTF-8", umask=0o022)
