"""Training as kernels: an actor-critic acts, judges and learns on tiles of lanes that stay in the processor's cache.

    tiles.py        matrices of a tile; targets know faster code for the same sums
    network.py      forward and backward through a multilayer perceptron
    categorical.py, normal.py    policies of choices and of numbers; a target binds one of them
    surrogate.py    PPO's loss, with its gradient
    rollout.py      T steps of a tile: act, step, remember, judge
    update.py       minibatches of tiles: gradients, clipping, Adam
    team.py         how threads share the work

All numbers are float32, all arrays flat. The parameters lie as torch lays them out, layer after layer: weight
[outputs, inputs], bias [outputs]; the last layer's outputs are the policy's, then the value.
"""
