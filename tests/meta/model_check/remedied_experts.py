"""A mixture of experts: with a choice that depends on values, and with all experts."""

import torch
from torch import nn


class Experts(nn.Module):
    """A mixture of experts, each sample by one of them: `route(x, weights, experts)`."""

    def __init__(self, route):
        super().__init__()
        self.gate, self.route = nn.Linear(3, 2), route
        self.experts = nn.ModuleList(nn.Linear(3, 4) for _ in range(2))

    def forward(self, x):
        return self.route(x, self.gate(x).softmax(-1), self.experts)


def routed_by_index(x, weights, experts):
    out = x.new_zeros(len(x), 4)
    for i, expert in enumerate(experts):
        chosen = (weights.argmax(-1) == i).nonzero().squeeze(1)
        out[chosen] = expert(x[chosen]) * weights[chosen, i : i + 1]
    return out


def routed_if_any(x, weights, experts):
    out = x.new_zeros(len(x), 4)
    for i, expert in enumerate(experts):
        chosen = weights.argmax(-1) == i
        if chosen.any():
            out[chosen] = expert(x[chosen]) * weights[chosen, i : i + 1]
    return out


def routed_to_all(x, weights, experts):
    weights = torch.where(weights == weights.amax(-1, keepdim=True), weights, 0)
    return (weights.unsqueeze(-1) * torch.stack([expert(x) for expert in experts], 1)).sum(1)
