"""PROC: many processes on one location."""
