"""Write recorded measurements, `benchmarks/results/*.json`, as Markdown tables."""

import statistics
from collections.abc import Iterable
from typing import Any


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Write a Markdown table."""
    lines = [list(head), *([str(cell).replace("|", "\\|") for cell in row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def magnitude(number: float) -> str:
    """Write a rate in three significant digits: `950`, `12.3 k`, `154 M`."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


def _where(record: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items() if version)
    return f"Machine: {record['machine']}. Versions: {versions}.\n"


def evidence(record: dict[str, Any], picture: str | None) -> str:
    """Write what one algorithm reached: seeds, times, the machine, and the curve where there is a picture of it.

    Args:
        record: machine, versions, configuration, and seeds: a list of seed, seconds, steps and evaluation_mean.
        picture: The address of the curve, as the page sees it.
    """
    settings = ", ".join(f"`{name}={value}`" for name, value in record["configuration"].items())
    rows = [
        (run["seed"], f"{run['seconds']:.2f}", f"{run['steps']:,}", f"{run['evaluation_mean']:.1f}")
        for run in record["seeds"]
    ]
    columns = ("seed", "training time, s", "environment steps", "mean return, 100 greedy episodes")
    curve = f"![Episode return over environment steps, one line a seed]({picture})\n\n" if picture else ""
    return f"{curve}{table(columns, rows)}\nConfiguration: {settings}.\n\n{_where(record)}"


def throughput(record: dict[str, Any]) -> str:
    """Write the measured steps per second, one row a measurement."""
    rows = [
        (
            row["what"],
            magnitude(row["steps_per_second"]),
            f"{row['lanes']:,}",
            row["policy"],
            row["backend"],
            row["threads"],
            row["repeats"],
            row["configuration"],
        )
        for row in record["rows"]
    ]
    head = ("what", "steps/s", "lanes", "policy", "backend", "threads", "repeats", "configuration")
    return f"{table(head, rows)}\n{_where(record)}"


def guests(record: dict[str, Any]) -> str:
    """Write what it costs to step environments of others, to flatten observations, and what native lanes bring them."""
    names = list(record["ratios"])
    found = {(row["what"], row["environment"]): row for row in record["rows"]}
    stepped = [
        (who, *(f"{magnitude(found[who, name]['steps_per_second'])}" for name in names))
        for who in dict.fromkeys(row["what"] for row in record["rows"])
    ]
    lanes = record["rows"][0]["lanes"]
    times = [
        (name, *(f"{ratios[who]:.1f}" for who in ("Gymnasium AsyncVectorEnv", "SB3 SubprocVecEnv")))
        for name, ratios in record["ratios"].items()
    ]
    sb3 = record["sb3"]
    trained = [
        (name, magnitude(each["training"]), magnitude(each["environment"])) for name, each in sb3["medians"].items()
    ]
    cheetah = [(name, magnitude(rate)) for name, rate in record["mujoco"]["steps_per_second"].items()]
    return (
        f"Steps per second of {lanes} lanes:\n\n{table(('who steps', *names), stepped)}\n"
        "How many times the faster of our two ways with processes is as fast:\n\n"
        f"{table(('environment', 'as AsyncVectorEnv', 'as SubprocVecEnv'), times)}\n"
        f"Stable-Baselines3's PPO on CartPole-v1, {sb3['lanes']} lanes:\n\n"
        f"{table(('lanes of', 'training, steps/s', 'stepping alone, steps/s'), trained)}\n"
        f"{record['mujoco']['id']}, {record['mujoco']['lanes']} lanes, {record['mujoco']['workers']} workers:\n\n"
        f"{table(('who steps', 'steps/s'), cheetah)}\n"
        f"Medians of {record['repeats']} rounds of {record['seconds']} s. {_where(record)}"
    )


def kernels(record: dict[str, Any]) -> str:
    """Write what was measured beside the native environments: the originals, and the advantages."""
    others = [
        (row["environment"], row["what"], f"{row['lanes']:,}", magnitude(row["steps_per_second"]))
        for row in record["rows"]
        if row["what"] != "rl-workbench"
    ]
    advantages = [
        (
            row["what"],
            f"{row['milliseconds']:.3f}",
            f"{row['gigabytes_per_second']:.1f}",
            f"{row['share_of_memory']:.0%}",
            f"{row['times_torch']:.1f}",
        )
        for row in record["recursions"]
    ]
    columns = ("advantages of [128, 4096]", "ms", "GB/s", "of the memory's rate", "times torch's loop")
    return (
        f"{table(('environment', 'whose', 'lanes', 'steps/s'), others)}\n{table(columns, advantages)}\n"
        f"Medians of {record['repeats']} measurements of {record['seconds']} s; native environments with 4,096 lanes, "
        f"on the faster of one thread and all. The memory moved {record['memory_gigabytes_per_second']:.0f} GB/s. "
        f"{_where(record)}"
    )


def returns(record: dict[str, Any], algorithm: str, picture: str | None) -> str:
    """Write what an algorithm reached in each task, beside the threshold that was fixed beforehand.

    Args:
        record: tasks, by their names, as `benchmarks/returns.py` measures them.
        algorithm: By the name the command line uses.
        picture: The address of the curves, as the page sees it.
    """
    tasks = [task for task in record["tasks"].values() if task["algorithm"] == algorithm]
    rows = [
        (
            task["title"],
            _wanted(task),
            f"{task['iqm']:.4g}",
            "{:.4g} to {:.4g}".format(*task["interval"]),
            len(task["seeds"]),
            f"{task['seeds'][0]['steps']:,}",
            f"{task['median_seconds']:.1f}",
            task["configuration"]["backend"],
        )
        for task in tasks
    ]
    head = ("task", "wanted", "IQM", "95 % interval", "seeds", "environment steps", "training time, s", "backend")
    curves = f"![Episode return over environment steps, a line a seed]({picture})\n\n" if picture else ""
    settings = [(task["title"], _changed(task)) for task in tasks]
    places = dict.fromkeys(map(_where, tasks))
    return (
        f"{curves}{table(head, rows)}\n"
        "The interquartile mean over the seeds of the mean return of 100 greedy episodes, and its 95 % percentile "
        "interval over resampled seeds. Training time is the median of seeds on one thread each.\n\n"
        f"{table(('task', 'hyperparameters that are not the defaults'), settings)}\n{''.join(places)}"
    )


def _wanted(task: dict[str, Any]) -> str:
    return f"{'at most' if task['control'] else 'at least'} {task['threshold']:g}"


def _changed(task: dict[str, Any]) -> str:
    """Name the hyperparameters of a task that are not the defaults, and its lanes."""
    from workbench.algorithms import ALGORITHMS
    from workbench.hyperparameters import declared

    known = declared(ALGORITHMS[task["algorithm"]])
    used = task["configuration"]
    changed = {name: used[name] for name, each in known.items() if name in used and used[name] != each.default}
    return ", ".join(f"`{name}={value}`" for name, value in {"lanes": used["lanes"], **changed}.items())


def returns_summary(record: dict[str, Any]) -> str:
    """Write what was reached, a row a task."""
    rows = [
        (
            f"{task['title']} ({task['algorithm'].upper()})",
            _wanted(task),
            "{:.4g} ({:.4g} to {:.4g})".format(task["iqm"], *task["interval"]),
            f"{task['seeds'][0]['steps']:,}",
        )
        for task in record["tasks"].values()
    ]
    head = ("task", "wanted", "reached, 95 % interval", "environment steps")
    return (
        f"{table(head, rows)}\nInterquartile means over seeds of 100 greedy episodes "
        "([PPO](docs/algorithms/ppo.md#evidence), [SAC](docs/algorithms/sac.md#evidence)).\n"
    )


def native(record: dict[str, Any]) -> str:
    """Write how fast the kernels train beside others, and how soon each solves CartPole."""
    speeds = [
        (
            row["what"],
            row["whose"],
            magnitude(row["steps_per_second"]),
            f"{row['native_is_times_as_fast']:.1f}",
            f"{row['share_of_matrix_rate']:.1%}",
            f"{row['share_of_memory_rate']:.1%}",
        )
        for row in record["rows"]
    ]
    settings = ", ".join(f"{name}={value}" for name, value in record["configuration"].items())
    head = ("what", "whose", "steps/s", "kernels are faster by", "of the matrix ceiling", "of the memory's rate")
    ceiling, memory = record["matrix_operations_per_second"] / 1e9, record["memory_bytes_per_second"] / 1e9
    soon = ("whose", "solved", "training time, s", "environment steps, median")
    return (
        f"{table(head, speeds)}\n"
        f"With {settings}; medians of {record['rounds']} rounds of {record['seconds']} s, in turn, and of each round's "
        f"ratio. The matrix ceiling is torch's float32 product on the same threads, {ceiling:.0f} GFLOP/s; of a step "
        f"its matrix products count. Memory moved {memory:.1f} GB/s; of a step its transition counts: written, read "
        f"for the advantages, and once an epoch.\n\n{table(soon, solved(record))}\n"
        f"Until 100 greedy episodes have a mean of at least 475, with each one's settings for it. {_where(record)}"
    )


def solved(record: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each contestant: how many seeds solved CartPole, how soon, and in how many steps."""
    rows = []
    for who in dict.fromkeys(run["whose"] for run in record["solved"]):
        runs = [run for run in record["solved"] if run["whose"] == who]
        times = [run["seconds"] for run in runs]
        spread = f"{statistics.median(times):.2f} ({min(times):.2f} to {max(times):.2f})"
        steps = f"{statistics.median(run['steps'] for run in runs):,.0f}"
        rows.append((who, f"{sum(run['solved'] for run in runs)} of {len(runs)}", spread, steps))
    return rows


def native_summary(record: dict[str, Any]) -> str:
    """Write the speeds of the kernels and of the others, a row for each contestant."""
    rows, used = [], record["configuration"]
    for who, _, times, _ in solved(record):
        speeds = {row["what"]: magnitude(row["steps_per_second"]) for row in record["rows"] if row["whose"] == who}
        rows.append((who, *(speeds.get(what, "-") for what in ("rollouts", "one epoch", "four epochs")), times))
    head = ("PPO on CartPole-v1, 64x64", "rollouts", "one epoch", "four epochs", "solved after, s")
    return (
        f"{table(head, rows)}\n"
        f"Steps/s, {used['lanes']:,} lanes, {used['threads']} threads of {record['machine']}, on which torch's matrix "
        f"product does {record['matrix_operations_per_second'] / 1e9:.0f} GFLOP/s, each in turn; training time until "
        "100 greedy episodes confirm 475, median and range ([the native learner](docs/native.md)).\n"
    )


def billion(record: dict[str, Any]) -> str:
    """Write what a very long run used, and that it could be gone on with."""
    seen, growth = record["seen"], record["growth_in_the_second_half"]
    middle = next(each for each in seen if each["steps"] >= seen[-1]["steps"] / 2)
    kept = ("resident_bytes", "descriptors", "files", "bytes")
    names = ("resident memory, bytes", "open descriptors", "files of the run", "bytes of the run")
    rows = [
        (name, f"{middle[key]:,}", f"{seen[-1][key]:,}", f"{growth[key]:+.2%}")
        for name, key in zip(names, kept, strict=True)
    ]
    after = record["resumed"]
    return (
        f"{record['steps']:,} steps in {record['seconds']:,.0f} s of training, "
        f"{magnitude(record['steps_per_second'])} a second:\n\n"
        f"{table(('what', 'half-way', 'at the end', 'growth in the second half'), rows)}\n"
        f"{record['metrics']['rows']:,} rows of metrics for {record['metrics']['iterations']:,} iterations; loaded at "
        f"step {after['from']:,} it went on to {after['to']:,}. {_where(record)}"
    )
