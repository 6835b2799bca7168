"""``python -m zoho_tokenstore_contract`` is the command ``zoho-tokenstore``."""

from __future__ import annotations

import sys

from ._cli.commands import main

if __name__ == "__main__":
    sys.exit(main())
