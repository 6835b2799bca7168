"""Checks of what comes back: texts, lookalikes, many rows."""
