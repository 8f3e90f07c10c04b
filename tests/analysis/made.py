"""Runs made up on disk, whose numbers are known."""

import json

from workbench.analysis.runs import Run


def make_run(folder, name="run", rows=(), *, env="CartPole-v1", algorithm="ppo", seed=0, created="", **hyperparameters):
    """Write a run whose rows are (steps, value) of `episode_return`, or dictionaries; a second takes 1,000 steps."""
    path = folder / name
    path.mkdir(parents=True)
    description = {"env": env, "algorithm": algorithm, "seed": seed, "created": created or name}
    description |= {"hyperparameters": hyperparameters, "lanes": 8, "git": {"revision": "abcdef123456", "dirty": False}}
    (path / "run.json").write_text(json.dumps(description))
    lines = []
    for row in rows:
        known = row if isinstance(row, dict) else {"steps": row[0], "episode_return": row[1]}
        lines.append(json.dumps({"seconds": known["steps"] / 1000, **known}))
    (path / "metrics.jsonl").write_text("".join(line + "\n" for line in lines))
    return Run(path, name)


def constant(value, end=1000, step=100):
    """Rows that all say the same."""
    return [(steps, value) for steps in range(step, end + 1, step)]


def rising(top, end=1000, step=100):
    """Rows on a straight line to `top`."""
    return [(steps, top * steps / end) for steps in range(step, end + 1, step)]
