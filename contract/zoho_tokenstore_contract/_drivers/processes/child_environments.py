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
        utf8: Python's UTF-8 mode; without it, the locale says which encoding text files have.
        hash_seed: For ``PYTHONHASHSEED``: what `hash` of a text is.
        umask: Which file modes are held back.
    """

    zone: str
    locale: str
    utf8: bool
    hash_seed: int
    umask: int

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
        return {
            **{name: value for name, value in os.environ.items() if name not in _SET},
            "TZ": self.zone,
            "LC_ALL": self.locale,
            "PYTHONUTF8": str(int(self.utf8)),
            "PYTHONCOERCECLOCALE": "0",
            "PYTHONHASHSEED": str(self.hash_seed),
        }

    def __str__(self) -> str:
        encoding = "UTF-8 mode" if self.utf8 else "without UTF-8 mode"
        return f"TZ={self.zone}, LC_ALL={self.locale}, {encoding}, PYTHONHASHSEED={self.hash_seed}"


WEST = Surroundings("America/New_York", "C", utf8=False, hash_seed=1, umask=0o077)
EAST = Surroundings("Asia/Kolkata", "C.UTF-8", utf8=True, hash_seed=2, umask=0o022)
