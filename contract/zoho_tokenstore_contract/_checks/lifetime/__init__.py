"""Checks of stores that are opened again, and of any sequence of calls."""
