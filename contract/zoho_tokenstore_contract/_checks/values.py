"""VALUE: what comes back of what was stored."""
