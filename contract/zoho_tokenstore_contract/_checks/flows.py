"""FLOW: the real SDK over the store."""
