"""A sink that remembers what it was told, and can be slow or fail."""

import threading


class Recorder:
    def __init__(self, fail_at=None, error=RuntimeError):
        self.calls, self.threads = [], set()
        self.fail_at, self.error = fail_at, error
        self.gate = threading.Event()
        self.gate.set()

    def _take(self, name, *arguments):
        assert self.gate.wait(60)
        self.threads.add(threading.current_thread())
        self.calls.append((name, *arguments))
        if name == self.fail_at:
            raise self.error(f"{name} does not work")

    def open(self, run):
        self._take("open", run)

    def scalars(self, steps, row):
        self._take("scalars", steps, row)

    def histogram(self, steps, name, histogram):
        self._take("histogram", steps, name, histogram)

    def video(self, steps, name, path):
        self._take("video", steps, name, path)

    def close(self, reason):
        self._take("close", reason)

    def told(self, name):
        return [call[1:] for call in self.calls if call[0] == name]
