"""Draws ``docs/report.png``, the report on the SDK's ``FileStore``: ``python -m tests.report_picture``."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.servers import program
from tests.snippets import README, ROOT, fences

PICTURE = ROOT / "docs" / "report.png"
STORE = "file_store"
SIZE = "1200,900"  # pixels, wide and high


def main() -> None:
    """Check the store of the README, and photograph the top of the page."""
    chromium = program("chromium")
    assert chromium, "there is no chromium"
    (module,) = (fence.text for fence in fences(README) if fence.name == f"{STORE}.py")
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, f"{STORE}.py").write_text(module, encoding="utf-8")
        command = [sys.executable, "-m", "zoho_tokenstore_contract", "check", f"{STORE}:store"]
        subprocess.run([*command, "--report", "report.html"], cwd=directory, check=False)
        subprocess.run(
            [
                *(chromium, "--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={SIZE}"),
                *(f"--screenshot={PICTURE}", f"file://{directory}/report.html"),
            ],
            check=True,
        )


if __name__ == "__main__":
    main()
