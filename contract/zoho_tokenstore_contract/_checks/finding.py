"""FIND: what ``find_token`` finds, and what it leaves alone."""
