"""Run directories written by hand: what the side panel reads, without the seconds that training takes."""

import json
import time

from workbench.training.metrics import Metrics


def write_run(path, *, env="CartPole-v1", algorithm="ppo", created="2026-01-02T03:04:05+00:00", rows=(), **more):
    """Write a run; `rows` are pairs of steps and metrics."""
    path.mkdir(parents=True)
    description = {"env": env, "algorithm": algorithm, "hyperparameters": {}, "created": created, **more}
    (path / "run.json").write_text(json.dumps(description))
    if rows:
        metrics = Metrics()
        metrics.open(path)
        for steps, values in rows:
            metrics.append(steps, values)
        metrics.close()
    return path


def write_status(path, state="running", **more):
    """Let a run say how it goes, on another machine, just now."""
    told = {"state": state, "heard": time.time(), "host": "another machine", **more}
    (path / "status.json").write_text(json.dumps(told))
