"""Checks of single calls: saving, finding, listing, deleting."""
