"""Other ways to run an algorithm than torch."""
