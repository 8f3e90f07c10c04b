"""Counters that threads and processes wait for."""

import mmap
import multiprocessing
import threading

import numpy as np
import pytest

from workbench_kernels.targets import signals

LONG = 60_000  # milliseconds, of a wait that somebody ends


def words(count=3):
    return np.zeros(count * signals.WORDS, np.uint32)


def test_a_wait_ends_when_the_target_is_reached_or_the_time_is_over():
    memory = words()
    assert not signals.wait(memory, 1, 1, 10, 1)
    assert signals.advance(memory, 1, 2) == 0
    assert signals.wait(memory, 1, 1, 0, LONG)
    assert signals.wait(memory, 1, 2, 0, LONG)
    assert not signals.wait(memory, 1, 3, 0, 1)
    assert memory[[0, signals.WORDS, 2 * signals.WORDS]].tolist() == [0, 2, 0]
    assert memory[signals.WORDS + 1] == 0  # nobody sleeps


def test_values_wrap_around():
    memory = words(1)
    memory[0] = 2**32 - 1
    assert not signals.wait(memory, 0, 1, 0, 1)
    signals.advance(memory, 0, 3)
    assert memory[0] == 2
    assert signals.wait(memory, 0, 1, 0, LONG)
    assert signals.wait(memory, 0, 2**32 - 2, 0, LONG)  # long ago


@pytest.mark.parametrize("spins", [0, 1000])
def test_two_threads_take_turns(spins):
    memory, turns = words(), 2000

    def answer():
        for turn in range(turns):
            while not signals.wait(memory, 1, turn + 1, spins, LONG):
                pass
            signals.advance(memory, 2, 1)

    thread = threading.Thread(target=answer)
    thread.start()
    for turn in range(turns):
        signals.advance(memory, 1, 1)
        while not signals.wait(memory, 2, turn + 1, spins, LONG):
            pass
        assert memory[2 * signals.WORDS] == turn + 1
    thread.join()


def test_sleepers_are_woken_for_their_target_only_and_all_of_them():
    memory = words(1)
    done = []

    def sleeper():
        while not signals.wait(memory, 0, 3, 0, LONG):
            pass
        done.append(int(memory[0]))

    threads = [threading.Thread(target=sleeper) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        signals.advance(memory, 0, 1)
    for thread in threads:
        thread.join(30.0)
        assert not thread.is_alive()
    assert done == [3, 3, 3, 3]


def test_nobody_gets_a_place_twice():
    counter, found = np.zeros(1, np.int64), []

    def take():
        found.append([signals.claim(counter, 1) for _ in range(5000)])

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(place for each in found for place in each) == list(range(20_000))


def reply(connection):
    from multiprocessing import reduction

    shared = mmap.mmap(reduction.recv_handle(connection), mmap.PAGESIZE)
    memory = np.frombuffer(shared, np.uint32)
    for turn in range(500):
        while not signals.wait(memory, 0, turn + 1, 0, LONG):
            pass
        signals.advance(memory, 1, 1)


def test_processes_wake_one_another():
    import os
    from multiprocessing import reduction

    descriptor = os.memfd_create("test")
    os.ftruncate(descriptor, mmap.PAGESIZE)
    shared = mmap.mmap(descriptor, mmap.PAGESIZE)
    memory = np.frombuffer(shared, np.uint32)
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe()
    process = context.Process(target=reply, args=(theirs,))
    process.start()
    reduction.send_handle(ours, descriptor, process.pid)
    for turn in range(500):
        signals.advance(memory, 0, 1)
        while not signals.wait(memory, 1, turn + 1, 0, 100):
            assert process.is_alive()
    process.join()
    assert process.exitcode == 0
    os.close(descriptor)
