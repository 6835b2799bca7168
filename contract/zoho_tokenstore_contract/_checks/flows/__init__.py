"""Checks of the real SDK over the store."""
