"""Other processes that open the store, race and are killed."""
