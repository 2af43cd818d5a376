"""Code of a forward that a suggested fix is for, and the code that follows it."""

import numpy as np
import torch
from remedied_experts import Experts, routed_by_index, routed_if_any, routed_to_all
from remedied_modules import LENGTHS, SAMPLES, SEQUENCES, computing
from remedied_state import STATE
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint


class Doubled(torch.autograd.Function):
    """A function whose gradient is doubled, as a hook does it."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


class WithoutRule(Doubled):
    """A function that vmap does not know how to map."""

    generate_vmap_rule = False


class Old(torch.autograd.Function):
    """A function of its own, as it was written before torch.func."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


def hooked():
    model = nn.Linear(3, 2)
    model.register_full_backward_hook(lambda module, into, out: (2 * into[0],))
    return nn.Sequential(nn.Tanh(), model)


def hooking(y):
    y.register_hook(lambda gradient: 2 * gradient)
    return y.tanh()


def hooking_quietly(y):
    return hooking(y) if y.requires_grad else y.tanh()


class Inside(nn.Linear):
    """A layer whose output is a derivative, by `derive(function, x)`."""

    def __init__(self, derive):
        super().__init__(3, 5)
        self.derive = derive

    def forward(self, x):
        return self.derive(lambda x: super(Inside, self).forward(x).tanh().sum(), x)


def by_graph(function, x):
    x = x.detach().requires_grad_()
    return torch.autograd.grad(function(x), x, create_graph=True)[0]


def by_func(function, x):
    return torch.func.grad(function)(x)


def at_parameter(y):
    return y + torch.autograd.grad(y.square().sum(), y, create_graph=True)[0]


def clamping(y):
    y.data.clamp_(min=0)
    return y


class Ragged(nn.Linear):
    """A layer, and the mean of each sequence up to its length, by `mean`."""

    def __init__(self, mean):
        super().__init__(4, 3)
        self.mean = mean

    def forward(self, x, lengths):
        return self.mean(super().forward(x), lengths)


def sliced_means(y, lengths):
    return torch.stack([y[i, : lengths[i]].mean(0) for i in range(len(y))])


def masked_means(y, lengths):
    mask = torch.arange(y.shape[1]) < lengths.unsqueeze(1)
    return (y * mask.unsqueeze(-1)).sum(1) / lengths.unsqueeze(1)


def nested_means(y, lengths):
    nested = torch.nested.as_nested_tensor([y[i, :3] for i in range(len(y))])
    return torch.nested.to_padded_tensor(nested, 0.0).mean(1)


def dropped_layer(y):
    return 2 * y if torch.rand(()) < 0.5 else y


def one_of_both(y):
    return torch.where(torch.rand(len(y), 1) < 0.5, 2 * y, y)


def beta(y):
    return torch.distributions.Beta(y.exp(), y.exp()).rsample()


def beta_of_gammas(y):
    a, b = (torch.distributions.Gamma(y.exp(), torch.ones_like(y)).rsample() for _ in range(2))
    return a / (a + b)


def fixed_matrix(y):
    return y @ torch.ones(5, 2)


def row(name, check, bad, good):
    return name, check, computing(bad), SAMPLES, good if isinstance(good, str) else computing(good)


# Remedy, check, the code that it is for, and the code that it becomes (or the check that is right for it).
CODE = [
    row("checkpoint", "own_minibatch", lambda y: checkpoint(torch.tanh, y, use_reentrant=True), torch.tanh),
    row("checkpoint", "backward", lambda y: checkpoint(torch.tanh, y, use_reentrant=False), torch.tanh),
    row("autograd-function", "own_minibatch", Old.apply, Doubled.apply),
    row("autograd-function", "grad", WithoutRule.apply, Doubled.apply),
    ("derivative-inside", "own_minibatch", lambda: Inside(by_graph), SAMPLES, lambda: Inside(by_func)),
    row("derivative-inside", "own_minibatch", at_parameter, lambda y: y + by_func(lambda y: y.square().sum(), y)),
    ("hooks", "backward", hooked, SAMPLES, computing(lambda y: Doubled.apply(y.tanh()))),
    row("tensor-hook", "own_minibatch", hooking, lambda y: Doubled.apply(y).tanh()),
    row("tensor-hook", "backward", hooking_quietly, lambda y: Doubled.apply(y).tanh()),
    row("data", "own_minibatch", clamping, lambda y: y.clamp(min=0)),
    row("numpy", "own_minibatch", lambda y: y * float(np.mean(y.detach().numpy())), lambda y: y * y.detach().mean()),
    row("numpy", "own_minibatch", lambda y: y * torch.tensor(y.sum(0).tolist(), dtype=y.dtype), lambda y: y * y.sum(0)),
    row(
        "one-hot",
        "grad",
        lambda y: y * F.one_hot(y.argmax(-1), 5),
        lambda y: y * (y.argmax(-1).unsqueeze(-1) == torch.arange(5)),
    ),
    (
        "value-as-index",
        "own_minibatch",
        lambda: Ragged(sliced_means),
        (SEQUENCES, LENGTHS),
        lambda: Ragged(masked_means),
    ),
    row(
        "value-as-index",
        "own_minibatch",
        lambda y: torch.stack([each[int(each.argmax())] for each in y]),
        lambda y: y.gather(1, y.argmax(1, keepdim=True)),
    ),
    ("nested", "own_minibatch", lambda: Ragged(nested_means), (SEQUENCES, LENGTHS), lambda: Ragged(masked_means)),
    row("control-flow", "own_minibatch", lambda y: y if y.sum() > 0 else -y, lambda y: torch.where(y.sum() > 0, y, -y)),
    row("control-flow", "grad", lambda y: y if y.sum() > 0 else -y, lambda y: torch.where(y.sum() > 0, y, -y)),
    row("control-flow", "own_minibatch", lambda y: y * y.sum().item(), lambda y: y * y.sum()),
    row("control-flow", "randomness", dropped_layer, one_of_both),
    ("control-flow", "own_minibatch", lambda: Experts(routed_if_any), SAMPLES, lambda: Experts(routed_to_all)),
    ("dynamic-shape", "own_minibatch", lambda: Experts(routed_by_index), SAMPLES, lambda: Experts(routed_to_all)),
    row("dynamic-shape", "own_minibatch", lambda y: y[y > 0].sum(), lambda y: (y * (y > 0)).sum()),
    row(
        "size-of-values",
        "own_minibatch",
        lambda y: y.repeat_interleave(y.argmax(1), dim=0).sum(0),
        lambda y: (y * y.argmax(1).unsqueeze(1)).sum(0),
    ),
    row("sparse", "own_minibatch", lambda y: y.relu().to_sparse().to_dense(), torch.relu),
    row("no-batching-rule", "own_minibatch", F.rrelu, F.leaky_relu),
    row(
        "no-batching-rule",
        "grad",
        lambda y: F.rrelu(y, training=True),
        lambda y: torch.where(y > 0, y, y * torch.rand_like(y)),
    ),
    row("fixed-dtype", "conversion", fixed_matrix, lambda y: y @ y.new_ones(5, 2)),
    row(
        "draws-of-fixed-shape",
        "randomness",
        lambda y: torch.distributions.Normal(y, 1.0).rsample(),
        lambda y: y + torch.randn_like(y),
    ),
    row("dirichlet", "randomness", beta, beta_of_gammas),
    *STATE,
]
