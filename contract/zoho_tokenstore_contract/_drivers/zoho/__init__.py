"""The real SDK over the store, against a loopback Zoho."""
