"""Stores of our own that behave as those in real use, fault for fault: each has several faults at once."""
