"""Stores in use: look at one (`audit`), and copy its tokens to another one (`move`).

Used by the command alone. A store in use is only read; `move` writes to its target and to nothing else.
"""
