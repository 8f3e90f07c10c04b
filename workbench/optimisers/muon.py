"""Muon: momentum whose matrices are made orthogonal (Jordan et al. 2024), beside Adam for everything else."""

import torch
from torch import Tensor, nn


def hidden_matrices(model: nn.Module) -> list[Tensor]:
    """Return the matrices [outputs, inputs] between hidden units, not those at the edges, nor tables of distances."""
    outer = ("encoder.", "policy.", "trunk.0.", "head.", "critic_trunk.0.", "critic_head.")
    named = [(name, x) for name, x in model.named_parameters() if x.ndim == 2 and not name.endswith(".distance")]
    return [x for name, x in named if not name.startswith(outer)]


class MuonAdam:
    """Muon for the hidden matrices of a model, Adam for its other parameters.

    Muon's step has singular values near 1; it is scaled to the root mean square of Adam's steps (Liu et al. 2025,
    arXiv:2502.16982, section 2.2), so that one learning rate serves both.

    Args:
        model: With hidden matrices.
        learning_rate: Of both.
    """

    saved = ("hidden", "rest")

    def __init__(self, model: nn.Module, learning_rate: float) -> None:
        matrices = hidden_matrices(model)
        others = [x for x in model.parameters() if all(x is not matrix for matrix in matrices)]
        self.hidden = torch.optim.Muon(
            matrices, lr=learning_rate, momentum=0.95, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
        )
        self.rest = torch.optim.Adam(others, lr=learning_rate, eps=1e-5)

    @property
    def param_groups(self) -> list[dict[str, object]]:
        """Both optimisers' groups."""
        return self.hidden.param_groups + self.rest.param_groups

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self.hidden.zero_grad()
        self.rest.zero_grad()

    def step(self) -> None:
        """Take one step of both."""
        self.hidden.step()
        self.rest.step()
