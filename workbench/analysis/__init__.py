"""Runs, read from where they lie: listed, compared, drawn."""
