"""Checks of threads, processes and crashes."""
