"""Measurements: how fast the reference stores and the kit are, and what becomes of a store that is killed."""
