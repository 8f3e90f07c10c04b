"""The network from the inside: what its layers hold, how far the last update pulled them, and what they put out."""
