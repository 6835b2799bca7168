"""THREAD: many callers at once."""
