"""Train CartPole by Stable-Baselines3's PPO: on our lanes, and on SB3's own vector environments.

    python benchmarks/sb3_cartpole.py [--lanes 8] [--steps 65536] [--repeats 3] > sb3_cartpole.json

The same hyperparameters, lanes and torch threads for all; each run trains an agent of its own from the same seed, in
turn, so that what else the machine does falls on all alike. Prints JSON: environment steps per second of wall-clock
time over rollouts and updates together, the median of the repeats, and of the vector environment alone under random
actions. Building environments and models, and the first rollout, which loads machine code, are not timed.
"""

import argparse
import json
import statistics
import time
import warnings

import numpy as np

HYPERPARAMETERS = {"n_steps": 256, "batch_size": 512, "n_epochs": 4, "device": "cpu"}


def workbench(lanes, seed):
    """Build our lanes."""
    from workbench.envs import make
    from workbench.envs.outward import as_sb3

    return as_sb3(make("CartPole-v1", lanes, seed=seed))


def sb3(kind):
    """Return how SB3 builds lanes of the original."""

    def build(lanes, seed):
        from stable_baselines3.common import vec_env
        from stable_baselines3.common.env_util import make_vec_env

        return make_vec_env("CartPole-v1", lanes, seed=seed, vec_env_cls=getattr(vec_env, kind))

    return build


CONTENDERS = {"workbench": workbench, "DummyVecEnv": sb3("DummyVecEnv"), "SubprocVecEnv": sb3("SubprocVecEnv")}


def training_speed(build, lanes, steps, seed):
    """Return the steps per second of PPO, and the mean return of the last episodes."""
    from stable_baselines3 import PPO

    env = build(lanes, seed)
    try:
        model = PPO("MlpPolicy", env, seed=seed, **HYPERPARAMETERS)
        model.learn(HYPERPARAMETERS["n_steps"] * lanes)
        before, start = model.num_timesteps, time.perf_counter()
        model.learn(steps, reset_num_timesteps=False)
        elapsed = time.perf_counter() - start
        returns = [episode["r"] for episode in model.ep_info_buffer]
        return (model.num_timesteps - before) / elapsed, statistics.fmean(returns)
    finally:
        env.close()


def environment_speed(build, lanes, steps, seed):
    """Return the steps per second of the vector environment alone."""
    env = build(lanes, seed)
    try:
        ring = np.random.default_rng(seed).integers(0, 2, (64, lanes))
        env.reset()
        env.step(ring[0])
        count = max(1, steps // lanes)
        start = time.perf_counter()
        for k in range(count):
            env.step(ring[k % 64])
        return count * lanes / (time.perf_counter() - start)
    finally:
        env.close()


def measure(lanes=8, steps=65536, repeats=3):
    """Return the medians of all contenders, and how much faster ours trains than each."""
    speeds = {name: {"training": [], "environment": [], "mean_return": []} for name in CONTENDERS}
    for repeat in range(repeats):
        for name, build in CONTENDERS.items():
            speed, mean_return = training_speed(build, lanes, steps, seed=repeat)
            speeds[name]["training"].append(speed)
            speeds[name]["mean_return"].append(mean_return)
            speeds[name]["environment"].append(environment_speed(build, lanes, steps // 4, seed=repeat))
    medians = {name: {k: round(statistics.median(x), 1) for k, x in found.items()} for name, found in speeds.items()}
    ours = medians["workbench"]["training"]
    return {
        "environment": "CartPole-v1",
        "algorithm": "stable_baselines3.PPO, MlpPolicy",
        "lanes": lanes,
        "steps": steps,
        "repeats": repeats,
        "hyperparameters": HYPERPARAMETERS,
        "unit": "environment steps per second, median of the repeats",
        "medians": medians,
        "times_faster_in_training": {
            name: round(ours / found["training"], 2) for name, found in medians.items() if name != "workbench"
        },
    }


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lanes", type=int, default=8)
    parser.add_argument("--steps", type=int, default=65536)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(json.dumps(measure(options.lanes, options.steps, options.repeats), indent=1))


if __name__ == "__main__":
    main()
