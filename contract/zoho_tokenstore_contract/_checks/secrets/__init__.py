"""Checks of what leaks."""
