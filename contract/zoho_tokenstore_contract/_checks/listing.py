"""LIST: what ``get_tokens`` answers."""
