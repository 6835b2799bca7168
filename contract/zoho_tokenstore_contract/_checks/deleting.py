"""DEL and CLEAR: what ``delete_token`` and ``delete_tokens`` remove."""
