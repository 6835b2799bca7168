"""Threads that are paused at chosen places, and the check of their histories."""
