"""``python -m zoho_tokenstore_contract`` is the command ``zoho-tokenstore``."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command, and say in one line that Ctrl-C ended it, also while it is imported.

    Returns:
        The exit status: 0, 1 or 2.
    """
    try:
        from ._cli.commands import main as command  # noqa: PLC0415 (what takes time)

        return command()
    except KeyboardInterrupt:
        sys.stderr.write("zoho-tokenstore: interrupted\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
