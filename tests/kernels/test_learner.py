"""The learner's kernels against float64 written out, against torch's gradients, and compiled against Python."""

import numba
import numpy as np
import pytest
import torch

from workbench_kernels.arrays import aligned
from workbench_kernels.learner import categorical, network, normal, rollout, surrogate, team, tiles, update
from workbench_kernels.learner.tiles import LANES
from workbench_kernels.targets import cpu, learning, matrix

OPTIONS = {"error_model": "numpy", "_nrt": False}
dense, transpose, row_sums = tiles.dense, tiles.transpose, tiles.row_sums


@numba.njit(**OPTIONS)
def fast_dense(out, at, weight, place, row, column, x, source, rows, inner, columns, start, least):
    dense(out, at, weight, place, row, column, x, source, rows, inner, columns, start, least)


@numba.njit(**OPTIONS)
def fast_transpose(out, at, x, source, rows, columns):
    transpose(out, at, x, source, rows, columns)


@numba.njit(**OPTIONS)
def fast_row_sums(out, at, x, source, rows, columns):
    row_sums(out, at, x, source, rows, columns)


def numbers(rng, size):
    return rng.normal(size=size).astype(np.float32)


@pytest.mark.parametrize("least", [tiles.ANY, np.float32(0.25)])
@pytest.mark.parametrize("start", [tiles.ZEROS, tiles.SUMS, 5])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("multiply", "rows", "inner", "columns"),
    [
        (fast_dense, 64, 64, 64),
        (fast_dense, 3, 64, 64),
        (fast_dense, 7, 5, 80),
        (fast_dense, 1, 1, 16),
        (fast_dense, 6, 9, 48),
        (tiles.dense, 6, 9, 48),
    ],
)
def test_products_are_those_of_matrices(multiply, rows, inner, columns, turned, start, least):
    rng = np.random.default_rng(0)
    weight, x, out = (
        numbers(rng, rows * inner + 90),
        numbers(rng, inner * columns + 4),
        numbers(rng, rows * columns + 7),
    )
    before = out.copy()
    row, column = (1, rows) if turned else (inner, 1)
    multiply(out, 3, weight, 11, row, column, x, 4, rows, inner, columns, start, least)
    matrix = weight[11 : 11 + rows * inner].astype(np.float64)
    matrix = matrix.reshape(inner, rows).T if turned else matrix.reshape(rows, inner)
    wanted = matrix @ x[4:].astype(np.float64).reshape(inner, columns)
    if start == tiles.SUMS:
        wanted += before[3 : 3 + rows * columns].reshape(rows, columns)
    elif start >= 0:
        wanted += weight[start : start + rows, None]
    wanted = np.maximum(wanted, least)
    np.testing.assert_allclose(out[3 : 3 + rows * columns].reshape(rows, columns), wanted, atol=1e-5 * inner)
    np.testing.assert_array_equal(out[:3], before[:3])  # and nothing beside it
    np.testing.assert_array_equal(out[3 + rows * columns :], before[3 + rows * columns :])


@pytest.mark.parametrize(("turn", "add"), [(fast_transpose, fast_row_sums), (tiles.transpose, tiles.row_sums)])
def test_tiles_are_turned_and_summed(turn, add):
    rng = np.random.default_rng(0)
    x, out = numbers(rng, 32 * 64 + 3), np.zeros(32 * 64 + 5, np.float32)
    turn(out, 5, x, 3, 32, 64)
    np.testing.assert_array_equal(out[5:].reshape(64, 32), x[3:].reshape(32, 64).T)
    sums = np.ones(34, np.float32)
    add(sums, 1, x, 3, 32, 64)
    np.testing.assert_allclose(sums[1:33], 1 + x[3:].reshape(32, 64).astype(np.float64).sum(1), atol=1e-5)
    assert sums[0] == sums[33] == 1


@pytest.mark.parametrize("floats", [4, 8, 16])
def test_every_width_of_registers_gives_the_same(floats):
    """What other processors are given: LLVM makes of these registers the ones that this one has."""
    dense, transpose, row_sums = matrix.intrinsics(matrix.Block(4, 2, floats))

    @numba.njit(**OPTIONS)
    def multiply(out, weight, x):
        dense(out, 0, weight, 0, 16, 1, x, 0, 6, 16, 48, -1, tiles.ANY)

    @numba.njit(**OPTIONS)
    def turn(turned, x):
        transpose(turned, 0, x, 0, 16, 48)

    @numba.njit(**OPTIONS)
    def add(sums, x):
        row_sums(sums, 0, x, 0, 16, 48)

    rng = np.random.default_rng(1)
    weight, x = numbers(rng, 96), numbers(rng, 16 * 48)
    out, turned, sums = np.zeros(6 * 48, np.float32), np.zeros(16 * 48, np.float32), np.zeros(16, np.float32)
    multiply(out, weight, x)
    turn(turned, x)
    add(sums, x)
    np.testing.assert_allclose(out.reshape(6, 48), weight.reshape(6, 16) @ x.reshape(16, 48), atol=1e-5)
    np.testing.assert_array_equal(turned.reshape(48, 16), x.reshape(16, 48).T)
    np.testing.assert_allclose(sums, x.reshape(16, 48).sum(1), atol=1e-5)


class Network:
    """A perceptron with its workspace and one tile, and the same in torch, float64."""

    def __init__(self, inputs=5, width=32, depth=2, outputs=4, activation="relu", seed=0):
        rng = np.random.default_rng(seed)
        self.shape = (inputs, width, depth, outputs, network.ACTIVATIONS[activation])
        self.size = network.parameters_of(*self.shape[:4])
        self.parameters = aligned((self.size + outputs - 1,), np.float32)  # the policy's own behind
        self.parameters[:] = numbers(rng, len(self.parameters)) * 0.3
        self.work = aligned((learning.workspace(inputs, width, depth, outputs, 1),), np.float32)
        self.observation = aligned((inputs * LANES,), np.float32)
        self.observation[:] = numbers(rng, inputs * LANES)
        self.activation = {"relu": torch.relu, "tanh": torch.tanh, "silu": torch.nn.functional.silu}[activation]
        self.oracle = torch.from_numpy(self.parameters.astype(np.float64)).requires_grad_()

    def wanted(self):
        """The outputs [O, L] in float64."""
        inputs, width, depth, outputs, _ = self.shape
        x = torch.from_numpy(self.observation.astype(np.float64)).view(inputs, LANES)
        place = 0
        for d in range(depth + 1):
            size = outputs if d == depth else width
            weight = self.oracle[place : place + size * len(x)].view(size, len(x))
            place += weight.numel()
            x = weight @ x + self.oracle[place : place + size, None]
            place += size
            x = x if d == depth else self.activation(x)
        return x

    def rows(self, place, count):
        return self.work[place : place + count * LANES].reshape(count, LANES)

    @property
    def outputs(self):
        return network.outputs_at(*self.shape[1:3])

    @property
    def delta(self):
        return network.delta_at(*self.shape[1:4])

    @property
    def scratch(self):
        return network.scratch_at(*self.shape[1:4])


def both(function):
    """The function in Python, and compiled."""
    return pytest.param(function, id="python"), pytest.param(
        numba.njit(**OPTIONS)(cpu.compilable(function)), id="compiled"
    )


@pytest.mark.parametrize("forward", both(network.forward))
@pytest.mark.parametrize("backward", both(network.backward)[1:])
@pytest.mark.parametrize("activation", ["relu", "tanh", "silu"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_outputs_and_gradients_are_torchs(forward, backward, depth, activation):
    net = Network(width=16, depth=depth, activation=activation)
    forward(net.parameters, net.observation, 0, net.work, *net.shape)
    wanted = net.wanted()
    np.testing.assert_allclose(net.rows(net.outputs, 4), wanted.detach(), atol=2e-6)
    slope = numbers(np.random.default_rng(1), 4 * LANES)
    net.rows(net.delta, 4)[...] = slope.reshape(4, LANES)
    (wanted * torch.from_numpy(slope.astype(np.float64)).view(4, LANES)).sum().backward()
    gradient = np.zeros(net.size, np.float32)
    for _ in range(2):  # it adds
        net.rows(net.delta, 4)[...] = slope.reshape(4, LANES)
        backward(net.parameters, gradient, 0, net.observation, 0, net.work, *net.shape)
    inputs, width = net.shape[:2]
    first = gradient[: inputs * width].reshape(inputs, width).T.copy()
    gradient[: inputs * width] = first.ravel()
    found, exact = gradient / 2, net.oracle.grad.numpy()[: net.size]
    np.testing.assert_allclose(found, exact, atol=1e-5 * np.abs(exact).max())


class Judged:
    """A policy's outputs for one tile, an action of it, and PPO's loss in torch, float64."""

    def __init__(self, policy, outputs=4, lanes=50):
        rng = np.random.default_rng(3)
        self.net = net = Network(outputs=outputs)
        self.lanes, count = lanes, outputs - 1
        net.rows(net.outputs, outputs)[...] = numbers(rng, outputs * LANES).reshape(outputs, LANES)
        if policy is categorical:
            self.action = rng.integers(0, count, LANES).astype(np.int32)
        else:
            self.action = numbers(rng, count * LANES)
        self.log_prob = numbers(rng, LANES) * 0.3 - 1
        self.advantage, self.target = numbers(rng, LANES), numbers(rng, LANES)
        out = torch.from_numpy(net.rows(net.outputs, outputs).astype(np.float64).copy()).requires_grad_()
        log_std = torch.from_numpy(net.parameters[net.size :].astype(np.float64).copy()).requires_grad_()
        if policy is categorical:
            distribution = torch.distributions.Categorical(logits=out[:-1].T)
            log_probs, entropy = distribution.log_prob(torch.from_numpy(self.action).long()), distribution.entropy()
        else:
            distribution = torch.distributions.Normal(out[:-1].T, log_std.exp())
            action = torch.from_numpy(self.action.astype(np.float64)).view(count, LANES).T
            log_probs, entropy = distribution.log_prob(action).sum(-1), distribution.entropy().sum(-1)
        self.log_probs, self.entropy, self.out, self.log_std = log_probs, entropy, out, log_std

    def loss(self, clip, bonus, value_coefficient, mean, deviation, centre, bias):
        old, advantage, target = (
            torch.from_numpy(x.astype(np.float64)) for x in (self.log_prob, self.advantage, self.target)
        )
        n = self.lanes
        ratio = (self.log_probs - old).exp()
        standard = (advantage - mean) / (deviation + 1e-8)
        policy = -torch.min(ratio * standard, ratio.clamp(1 - clip, 1 + clip) * standard)
        value = 0.5 * (self.out[-1] - target).square()
        parts = {
            "policy_loss": policy,
            "value_loss": value,
            "entropy": self.entropy,
            "kl": ratio - 1 - (self.log_probs - old),
            "clip_fraction": ((ratio - 1).abs() > clip).double(),
            "target": target - centre,
            "target_square": (target - centre) ** 2,
            "error": self.out[-1] - target - bias,
            "error_square": (self.out[-1] - target - bias) ** 2,
        }
        loss = (policy + value_coefficient * value - bonus * self.entropy)[:n].mean()
        return loss, {name: float(x[:n].detach().sum()) for name, x in parts.items()}


@pytest.mark.parametrize("compiled", [False, True], ids=["python", "compiled"])
@pytest.mark.parametrize("policy", [categorical, normal], ids=["categorical", "normal"])
def test_ppos_loss_and_its_gradient_are_the_papers(policy, compiled):
    judge, slopes, loss = (
        numba.njit(**OPTIONS)(cpu.compilable(f)) if compiled else f
        for f in (policy.judge, policy.slopes, surrogate.surrogate)
    )
    one = Judged(policy)
    net, lanes, count = one.net, one.lanes, 3
    clip, bonus, value_coefficient = (np.float32(x) for x in (0.2, 0.03, 0.7))
    mean, deviation = np.float32(0.1), np.float32(1.3)
    scale, gradient = np.float32(1 / lanes), np.zeros(3, np.float32)
    sums, centres = np.zeros(12), (np.float32(0.5), np.float32(-0.25))
    judge(net.work, net.outputs, net.scratch, count, net.parameters, net.size, one.action, 0)
    log_probs = net.rows(net.scratch + surrogate.LOG_PROB_ROW * LANES, 1)[0]
    np.testing.assert_allclose(log_probs, one.log_probs.detach(), atol=2e-6)
    loss(
        net.work, net.outputs + count * LANES, net.delta + count * LANES, net.scratch,
        one.log_prob, one.advantage, one.target, 0, lanes, mean, np.float32(1 / (deviation + 1e-8)), scale, clip,
        value_coefficient, *centres, sums, 2,
    )  # fmt: skip
    slopes(
        net.work, net.outputs, net.delta, net.scratch, count, net.parameters, net.size, one.action, 0, lanes,
        bonus * scale, gradient, 0,
    )  # fmt: skip
    wanted, parts = one.loss(
        float(clip), float(bonus), float(value_coefficient), float(mean), float(deviation), *centres
    )
    wanted.backward()
    np.testing.assert_allclose(net.rows(net.delta, 4), one.out.grad, atol=2e-7)
    assert (net.rows(net.delta, 4)[:, lanes:] == 0).all()
    if policy is normal:
        np.testing.assert_allclose(gradient, one.log_std.grad, atol=1e-6)
    found = dict(zip(surrogate.LOGS, sums[2:11], strict=True))
    assert found == pytest.approx(parts, rel=1e-5, abs=1e-4)
    assert sums[0] == sums[1] == sums[11] == 0


@pytest.mark.parametrize("choose", both(categorical.choose))
def test_choices_are_drawn_as_often_as_they_should_be(choose):
    one = Judged(categorical)
    net = one.net
    net.rows(net.outputs, 4)[...] = net.rows(net.outputs, 4)[:, :1]  # all lanes alike
    action, log_prob = np.zeros(3 * LANES, np.int32), np.zeros(3 * LANES, np.float32)
    counts = np.zeros(3)
    probabilities = torch.softmax(torch.from_numpy(net.rows(net.outputs, 3)[:, 0].astype(np.float64)), 0).numpy()
    rounds = 40
    for step in range(rounds):
        choose(
            net.work, net.outputs, net.scratch, 3, net.parameters, net.size, action, log_prob, 1, np.uint64(7), step, 64
        )
        counts += np.bincount(action[LANES : 2 * LANES], minlength=3)
        np.testing.assert_allclose(
            log_prob[LANES : 2 * LANES], np.log(probabilities)[action[LANES : 2 * LANES]], atol=1e-6
        )
    expected = rounds * LANES * probabilities
    assert ((counts - expected) ** 2 / expected).sum() < 13.8  # chi^2 of 2 degrees beyond which 0.1 % lie
    assert not action[:LANES].any()
    assert not log_prob[2 * LANES :].any()


@pytest.mark.parametrize("choose", both(normal.choose))
def test_numbers_are_drawn_from_the_normal(choose):
    one = Judged(normal)
    net, rounds = one.net, 30
    action, log_prob = np.zeros(3 * LANES, np.float32), np.zeros(LANES, np.float32)
    deviates = []
    for step in range(rounds):
        choose(
            net.work, net.outputs, net.scratch, 3, net.parameters, net.size, action, log_prob, 0, np.uint64(7), step, 0
        )
        std = np.exp(net.parameters[net.size :])[:, None]
        deviates.append((action.reshape(3, LANES) - net.rows(net.outputs, 3)) / std)
        exact = (-0.5 * deviates[-1] ** 2 - np.log(std) - 0.5 * np.log(2 * np.pi)).sum(0)
        np.testing.assert_allclose(log_prob, exact, atol=1e-4)
    drawn = np.stack(deviates).astype(np.float64)
    n = drawn.size
    assert abs(drawn.mean()) < 4 / np.sqrt(n)
    assert abs(drawn.var() - 1) < 4 * np.sqrt(2 / n)
    assert len(np.unique(drawn)) == n  # no two lanes, components or steps share a number
    correlation = np.corrcoef(drawn.transpose(1, 0, 2).reshape(3, -1))
    assert np.abs(correlation - np.eye(3)).max() < 4 / np.sqrt(n / 3)


@pytest.mark.parametrize("stagger", both(update.stagger))
@pytest.mark.parametrize(("rows", "dtype"), [(1, np.float32), (3, np.float32), (1, np.int32)])
def test_each_lane_begins_at_a_step_of_its_own(stagger, rows, dtype):
    rng = np.random.default_rng(6)
    horizon, tile_count = 5, 2
    shift = rng.integers(horizon, size=tile_count * LANES).astype(np.int32)
    x = np.arange(tile_count * horizon * rows * LANES).astype(dtype)
    before, work = x.reshape(tile_count, horizon, rows, LANES).copy(), np.zeros(horizon * LANES, np.float32)
    for tile in range(tile_count):
        stagger(x, tile * horizon, rows, horizon, shift, np.uintp(tile * LANES), work)
    steps = (np.arange(horizon)[:, None] + shift.reshape(tile_count, 1, LANES)) % horizon
    np.testing.assert_array_equal(x.reshape(before.shape), np.take_along_axis(before, steps[:, :, None], 1))


@pytest.mark.parametrize("summed", both(update.summed))
@pytest.mark.parametrize("count", [LANES, 7])
def test_minibatches_know_the_moments_of_their_advantages(summed, count):
    rng = np.random.default_rng(8)
    horizon, tile_count = 6, 2
    lanes = LANES + count
    x = (1000 + numbers(rng, tile_count * horizon * LANES)).reshape(tile_count, horizon, LANES)
    advantage, work = x.copy().ravel(), np.zeros(horizon * LANES, np.float32)
    total, scatter = np.ones((2, tile_count * horizon), np.float32)
    for tile, used in enumerate((LANES, count)):
        summed(tile * horizon, horizon, used, work, advantage, total, scatter)
    assert not advantage.reshape(x.shape)[1, :, count:].any()
    order = rng.permutation(tile_count * horizon)
    found = update.moments(order, 3, 9, horizon, lanes, total, scatter)
    held = np.concatenate([x[n // horizon, n % horizon, : lanes - n // horizon * LANES] for n in order[3:9]])
    assert found == (len(held), pytest.approx(held.mean(dtype=float)), pytest.approx(held.std(dtype=float), rel=1e-4))


@pytest.mark.parametrize("advantages", both(rollout.advantages))
def test_advantages_look_ahead_to_what_the_recursion_says(advantages):
    rng = np.random.default_rng(5)
    horizon, first, gamma, lam = 6, 2, 0.9, 0.8
    size = (first + horizon) * LANES
    reward, value, target = numbers(rng, size), numbers(rng, size), numbers(rng, size)
    end = rng.choice([0, 0, 0, 1, 2], size).astype(np.uint8)
    last = numbers(rng, LANES)
    work, advantage, given = (
        np.concatenate([last, np.zeros(LANES, np.float32)]),
        np.zeros(size, np.float32),
        target.copy(),
    )
    advantages(first, horizon, 0, work, value, reward, end, np.float32(gamma), np.float32(lam), advantage, target)
    shape = (horizon, LANES)
    r, v, e, final = (x[first * LANES :].reshape(shape) for x in (reward, value, end, given))
    following = np.concatenate([v[1:], last[None]]).astype(np.float64)
    bootstrap = np.where(e == rollout.TERMINATED, 0, np.where(e == rollout.TRUNCATED, final, following))
    delta = r + gamma * bootstrap - v
    exact, trace = np.zeros(shape), np.zeros(LANES)
    for t in reversed(range(horizon)):
        trace = delta[t] + gamma * lam * np.where(e[t] == rollout.GOES_ON, trace, 0)
        exact[t] = trace
    np.testing.assert_allclose(advantage[first * LANES :].reshape(shape), exact, atol=1e-5)
    np.testing.assert_allclose(target[first * LANES :].reshape(shape), exact + v, atol=1e-5)
    assert not advantage[: first * LANES].any()


@pytest.mark.parametrize("adam", both(update.adam))
def test_adam_is_torchs(adam):
    rng = np.random.default_rng(6)
    parameter = torch.nn.Parameter(torch.from_numpy(numbers(rng, 40)))
    optimiser = torch.optim.Adam([parameter], lr=3e-3, eps=1e-5)
    ours, mean, square = parameter.detach().numpy().copy(), np.zeros(40, np.float32), np.zeros(40, np.float32)
    for step in range(1, 30):
        slope = numbers(rng, 40)
        parameter.grad = torch.from_numpy(slope * np.float32(0.5))
        optimiser.step()
        adam(ours, slope, 40, np.float32(0.5), mean, square, step, 3e-3, 0.9, 0.999, 1e-5)
    np.testing.assert_allclose(ours, parameter.detach(), atol=1e-6)
    np.testing.assert_allclose(square, optimiser.state[parameter]["exp_avg_sq"], rtol=1e-5)


def test_a_team_of_threads_gives_each_piece_to_one():
    from concurrent.futures import ThreadPoolExecutor

    claim, advance, wait = team.claim, team.advance, team.wait

    @numba.njit(nogil=True, **OPTIONS)
    def work(counters, taken, pieces, members):
        piece = claim(counters, pieces)
        while piece >= 0:
            taken[piece] += 1
            advance(counters, team_done)
            piece = claim(counters, pieces)
        wait(counters, team_done, pieces)  # until all are done, whoever did them
        return taken.sum()

    counters, taken = learning.new_team(), np.zeros(20_000, np.int64)
    with ThreadPoolExecutor(4) as pool:
        sums = [f.result() for f in [pool.submit(work, counters, taken, len(taken), 4) for _ in range(4)]]
    assert (taken == 1).all()
    assert sums == [len(taken)] * 4


team_done = team.DONE
