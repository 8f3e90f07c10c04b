"""PPO in a single file over Gymnasium's own vector CartPole: what a careful program without a framework reaches.

    python benchmarks/single_file_ppo.py [--lanes 128] [--horizon 32] [--epochs 4] [--seed 0] [--steps 1000000]

Written from Schulman et al. 2017 (arXiv:1707.06347) in the manner of CleanRL's files, with the network and the
hyperparameters of `workbench.PPO`, and tuned for speed on a CPU: all lanes in one NumPy environment, one small network
for policy and value, preallocated rows, inference mode in rollouts, one gather a minibatch, Adam fused.

T: horizon, B: lanes, N: transitions.
"""

import argparse
import time
from collections import deque

import gymnasium
import numpy as np
import torch
from torch import nn

OBSERVATIONS, ACTIONS = 4, 2
# A transition is a row: the observation, then these.
ACTION, LOG_PROB, ADVANTAGE, TARGET = range(OBSERVATIONS, OBSERVATIONS + 4)


def layer(inputs, outputs, gain):
    """Build a linear layer with an orthogonal matrix and no bias yet."""
    linear = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(linear.weight, gain)
    nn.init.zeros_(linear.bias)
    return linear


class Network(nn.Module):
    """Policy and value with a trunk in common."""

    def __init__(self, width):
        super().__init__()
        self.trunk = nn.Sequential(
            layer(OBSERVATIONS, width, 2**0.5), nn.ReLU(), layer(width, width, 2**0.5), nn.ReLU()
        )
        self.head = layer(width, ACTIONS + 1, 0.01)
        nn.init.orthogonal_(self.head.weight[ACTIONS:].data, 1.0)

    def forward(self, observation):
        """Return log-probabilities [N, ACTIONS] and values [N]."""
        out = self.head(self.trunk(observation))
        return out[:, :ACTIONS].log_softmax(-1), out[:, ACTIONS]


def cartpole(lanes):
    """Build Gymnasium's vector CartPole: one NumPy computation for all lanes. A lane that ended resets a step later."""
    return gymnasium.make_vec("CartPole-v1", lanes, vectorization_mode="vector_entry_point")


class SingleFilePPO:
    """The whole of it.

    Attributes:
        steps: Environment steps taken; a lane's reset takes a step too, which does not count.
        recent: Returns of the newest 100 episodes.
    """

    def __init__(
        self,
        seed=0,
        lanes=128,
        horizon=32,
        epochs=4,
        minibatches=4,
        learning_rate=2.5e-3,
        gamma=0.99,
        gae_lambda=0.95,
        clip=0.2,
        entropy_coefficient=0.01,
        value_coefficient=0.5,
        max_gradient_norm=0.5,
        width=64,
    ):
        torch.manual_seed(seed)
        self.lanes, self.horizon, self.epochs, self.minibatches = lanes, horizon, epochs, minibatches
        self.gamma, self.gae_lambda, self.clip = gamma, gae_lambda, clip
        self.entropy_coefficient, self.value_coefficient = entropy_coefficient, value_coefficient
        self.max_gradient_norm = max_gradient_norm
        self.network = Network(width)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=learning_rate, eps=1e-5, fused=True)
        self.env = cartpole(lanes)
        self.rows = torch.zeros(horizon, lanes, TARGET + 1)
        self.value = torch.zeros(horizon + 1, lanes)
        self.reward = np.zeros((horizon, lanes), np.float32)
        self.terminated, self.ended, self.valid = np.zeros((3, horizon, lanes), np.bool_)
        self.observation = torch.from_numpy(self.env.reset(seed=seed)[0])
        self.resetting = np.zeros(lanes, np.bool_)
        self.running = np.zeros(lanes)
        self.recent = deque(maxlen=100)
        self.steps = 0

    @torch.inference_mode()
    def collect(self):
        """Take `horizon` steps in every lane; return how many counted."""
        for t in range(self.horizon):
            log_probs, self.value[t] = self.network(self.observation)
            action = (torch.rand(self.lanes) >= log_probs[:, 0].exp()).long()  # of two
            row = self.rows[t]
            row[:, :OBSERVATIONS] = self.observation
            row[:, ACTION] = action
            row[:, LOG_PROB] = log_probs.gather(1, action[:, None])[:, 0]
            self.valid[t] = ~self.resetting
            observation, self.reward[t], self.terminated[t], truncated, _ = self.env.step(action.numpy())
            self.observation = torch.from_numpy(observation)
            self.resetting = self.ended[t] = self.terminated[t] | truncated
            self.running += self.reward[t]
            self.recent.extend(self.running[self.resetting])
            self.running[self.resetting] = 0.0
        self.value[self.horizon] = self.network(self.observation)[1]
        counted = int(self.valid.sum())
        self.steps += counted
        return counted

    def advantages(self):
        """Write generalised advantages and the value's targets.

        As a lane resets a step after its episode's end, the observation after a step is always that episode's own: a
        time limit bootstraps from it.
        """
        value = self.value.numpy()
        delta = self.reward + self.gamma * value[1:] * ~self.terminated - value[:-1]
        decay = np.float32(self.gamma * self.gae_lambda) * ~self.ended
        trace = np.zeros(self.lanes, np.float32)
        for t in reversed(range(self.horizon)):
            trace = delta[t] + decay[t] * trace
            delta[t] = trace
        self.rows[..., ADVANTAGE] = torch.from_numpy(delta)
        self.rows[..., TARGET] = self.rows[..., ADVANTAGE] + self.value[:-1]

    def learn(self):
        """Take `epochs` times `minibatches` steps of Adam on what was collected."""
        self.advantages()
        rows = self.rows.view(-1, TARGET + 1)
        chosen = torch.from_numpy(self.valid.reshape(-1)).nonzero()[:, 0]
        size = -(-len(chosen) // self.minibatches)
        for _ in range(self.epochs):
            for part in chosen[torch.randperm(len(chosen))].split(size):
                self.update(rows.index_select(0, part))

    def update(self, batch):
        """Take a step of Adam on transitions [N, 8]."""
        log_probs, value = self.network(batch[:, :OBSERVATIONS])
        log_prob = log_probs.gather(1, batch[:, ACTION, None].long())[:, 0]
        ratio = (log_prob - batch[:, LOG_PROB]).exp()
        advantage = batch[:, ADVANTAGE]
        advantage = (advantage - advantage.mean()) / (advantage.std(correction=0) + 1e-8)
        policy_loss = -torch.min(ratio * advantage, ratio.clamp(1 - self.clip, 1 + self.clip) * advantage).mean()
        value_loss = 0.5 * (value - batch[:, TARGET]).square().mean()
        entropy = -(log_probs.exp() * log_probs).sum(-1).mean()
        loss = policy_loss + self.value_coefficient * value_loss - self.entropy_coefficient * entropy
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.max_gradient_norm)
        self.optimiser.step()

    @torch.inference_mode()
    def evaluate(self, episodes=100, seed=1000):
        """Return the mean return of as many greedy episodes, each in a lane of its own."""
        env = cartpole(episodes)
        observation, _ = env.reset(seed=seed)
        returns, playing = np.zeros(episodes), np.ones(episodes, np.bool_)
        while playing.any():
            action = self.network(torch.from_numpy(observation))[0].argmax(-1)
            observation, reward, terminated, truncated, _ = env.step(action.numpy())
            returns += reward * playing
            playing &= ~(terminated | truncated)
        return float(returns.mean())

    def solve(self, limit, target=475.0):
        """Train until an evaluation confirms the target; return the seconds of training, and the evaluation's mean."""
        seconds = 0.0
        while self.steps < limit:
            started = time.perf_counter()
            self.collect()
            self.learn()
            seconds += time.perf_counter() - started
            if len(self.recent) == 100 and np.mean(self.recent) >= target and self.evaluate() >= target:
                break
        return seconds, self.evaluate(seed=2000)


def main():
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, default in (("lanes", 128), ("horizon", 32), ("epochs", 4), ("seed", 0), ("steps", 1_000_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = vars(parser.parse_args())
    limit = options.pop("steps")
    agent = SingleFilePPO(**options)
    seconds, mean = agent.solve(limit)
    print(f"{agent.steps:,} steps in {seconds:.2f} s ({agent.steps / seconds:,.0f} a second): mean return {mean:.1f}")


if __name__ == "__main__":
    main()
