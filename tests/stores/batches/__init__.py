"""Stores by people who knew the contract, and neither the kit nor its catalogue."""
