"""IFACE: calls as the SDK makes them, answered with plain values."""
