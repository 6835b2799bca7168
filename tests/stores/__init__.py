"""Stores that the kit is examined with: right ones, unusual ones and faulty ones."""
