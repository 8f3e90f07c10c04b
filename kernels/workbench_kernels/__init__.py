"""Environments and recursions written once in the numba subset; targets run them on every machine."""
