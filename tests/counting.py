"""A store whose ids are the same in every run, for tests that compare what two runs say."""

import inspect
import itertools

from zoho_reference_stores import ListStore


class Counting(ListStore):
    """Counts its ids."""

    def _unused_id(self) -> str:
        return next(id for id in map(str, itertools.count(1)) if id not in self._used_ids)


SOURCE = f"import itertools\nfrom zoho_reference_stores import ListStore\n\n\n{inspect.getsource(Counting)}\n"
"""The same for a module of another project."""
