"""Slow, plain, float64: what the fast code is compared with."""
