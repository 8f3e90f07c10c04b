"""workbench/CartPolePositions-v0: CartPole-v1 without its velocities, so that a policy must remember.

State, dynamics, actions, reward and end are CartPole-v1's. Observation: cart position [m] and pole angle [rad].

Optimal return: 500, for a policy that tells velocities from what it saw before. POPGym's PositionOnlyCartPole (Morad et
al. 2023, arXiv:2303.01859) hides the same two components.
"""

import dataclasses

from workbench_kernels.environment import Environment
from workbench_kernels.envs import cartpole
from workbench_kernels.spaces import Box


def observe(i, state, observation):
    """Show the positions."""
    observation[0, i] = state[cartpole.X, i]
    observation[1, i] = state[cartpole.THETA, i]


def environment() -> Environment:
    """Build CartPolePositions."""
    whole = cartpole.environment()
    low, high = (tuple(bound[[cartpole.X, cartpole.THETA]].tolist()) for bound in whole.observation.bounds())
    return dataclasses.replace(whole, id="workbench/CartPolePositions-v0", observation=Box(low, high), observe=observe)
