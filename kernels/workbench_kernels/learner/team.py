"""How threads share work without a leader's orders: each takes the next piece that nobody has taken.

A thread that the machine keeps from running costs at most the piece it holds, and sums are made piece by piece in one
order, so that they are the same bits whatever the number of threads. These are the words of one thread alone; a target
with threads has others.
"""

TICKET, STARTED, DONE = range(3)
"""Counters of a team: pieces taken, rounds begun, pieces done."""

COUNTERS = 3


def claim(team, end):
    """Return the number of the next piece below `end`, which is the caller's alone; -1 if there is none."""
    piece = team[TICKET]
    if piece >= end:
        return -1
    team[TICKET] = piece + 1
    return piece


def advance(team, counter):
    """Count one more, and wake who waits for it."""
    team[counter] += 1


def wait(team, counter, value):
    """Wait until `counter` has reached `value`; one thread alone never has to."""
