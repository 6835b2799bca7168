"""ISO and PERSIST: one store and another, one store and the next."""
