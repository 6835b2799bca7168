"""BYID: what ``find_token_by_id`` answers."""
