"""Models of the usual sort that can be ensembled, and whose ensemble is right."""

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F


def mlp():
    return nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 2))


def mlp_of_half_precision():
    return mlp().half()


def mlp_of_bfloat16():
    return mlp().bfloat16()


def batch_norm():
    return nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 2))


def batch_norm_in_eval_mode():
    return batch_norm().eval()


def convolutions():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2), nn.GroupNorm(2, 4), nn.SiLU(), nn.Conv2d(4, 6, 3, groups=2), nn.Flatten(1)
    )


class Residual(nn.Module):
    """A residual block with a depthwise convolution."""

    def __init__(self):
        super().__init__()
        self.depthwise = nn.Conv2d(3, 3, 3, padding=1, groups=3)
        self.pointwise = nn.Conv2d(3, 3, 1)
        self.norm = nn.InstanceNorm2d(3, affine=True)

    def forward(self, x):
        return x + F.gelu(self.norm(self.pointwise(self.depthwise(x))))


class UNet(nn.Module):
    """One level down, one level up, and a skip connection."""

    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(4, 2, 2, stride=2)
        self.last = nn.Conv2d(3, 1, 1)

    def forward(self, x):
        return self.last(torch.cat([x, self.up(F.silu(self.down(x)))], 1))


def temporal_convolutions():
    return nn.Sequential(nn.ConstantPad1d((2, 0), 0.0), nn.Conv1d(3, 4, 3), nn.Tanh(), nn.Conv1d(4, 2, 1))


class Siamese(nn.Module):
    """Two inputs, one encoder."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(3, 5)

    def forward(self, left, right):
        return F.cosine_similarity(self.encoder(left), self.encoder(right), dim=-1)


class Heads(nn.Module):
    """A dict of outputs, one of which is None."""

    def __init__(self):
        super().__init__()
        self.mean, self.scale = nn.Linear(3, 2), nn.Linear(3, 2)

    def forward(self, x):
        return {"mean": self.mean(x), "more": {"scale": F.softplus(self.scale(x)), "none": None}}


@dataclass
class Prediction:
    """The output of `Structured`."""

    mean: torch.Tensor
    scale: torch.Tensor


class Structured(Heads):
    """A dataclass as output."""

    def forward(self, x):
        return Prediction(self.mean(x), F.softplus(self.scale(x)))


class Complex(nn.Module):
    """Complex parameters and a complex input."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, 3, dtype=torch.complex64))

    def forward(self, x):
        return (x @ self.weight.T).abs()


class Spectral(nn.Module):
    """A layer of a Fourier neural operator."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 2, 4, dtype=torch.complex64) / 3)

    def forward(self, x):
        modes = torch.einsum("bim,iom->bom", torch.fft.rfft(x)[..., :4], self.weight)
        return torch.fft.irfft(modes, n=x.shape[-1])


class Attention(nn.Module):
    """Causal self-attention as people write it today."""

    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, x):
        q, k, v = self.qkv(x).unflatten(-1, (3, 2, 4)).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).flatten(2))


def transformer():
    return nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)


class GraphConvolution(nn.Module):
    """Messages along edges that all members share."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 4)

    def forward(self, x, edges):
        sent = self.linear(x)[edges[0]]
        return torch.zeros_like(sent[: len(x)]).index_add(0, edges[1], sent)


def graph():
    return torch.randn(7, 3), EDGES


EDGES = torch.tensor([[0, 1, 2, 3, 4, 5, 6, 0], [1, 2, 3, 4, 5, 6, 0, 3]])


class WrittenLSTM(nn.Module):
    """A recurrent cell written with linear layers."""

    def __init__(self):
        super().__init__()
        self.gates = nn.Linear(3 + 4, 16)

    def forward(self, x):
        h = c = x.new_zeros(len(x), 4)
        for step in x.unbind(1):
            i, f, g, o = self.gates(torch.cat([step, h], 1)).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        return h


class Process(nn.Module):
    """The mean of a Gaussian process: a Cholesky factor of a kernel."""

    def __init__(self):
        super().__init__()
        self.length, self.at = nn.Parameter(torch.rand(()) + 1), nn.Parameter(torch.randn(5, 3))
        self.register_buffer("target", torch.randn(5, 1))

    def kernel(self, a, b):
        return torch.exp(-(a[:, None] - b[None]).square().sum(-1) / self.length.square())

    def forward(self, x):
        own = self.kernel(self.at, self.at) + torch.eye(5, dtype=x.dtype)
        return self.kernel(x, self.at) @ torch.cholesky_solve(self.target, torch.linalg.cholesky(own))


class Euler(nn.Module):
    """A neural differential equation in ten steps."""

    def __init__(self):
        super().__init__()
        self.field = mlp_of(3, 3)

    def forward(self, x):
        for _ in range(10):
            x = x + self.field(x) / 10
        return x


def mlp_of(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, outputs))


class Scaled(nn.Module):
    """A keyword argument that is a tensor, and one that is not."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, x, *, scale, power=1):
        return self.linear(x) * scale**power


class Experts(nn.Module):
    """A dense mixture of experts."""

    def __init__(self):
        super().__init__()
        self.gate, self.experts = nn.Linear(3, 4), nn.Parameter(torch.randn(4, 3, 2))

    def forward(self, x):
        return torch.einsum("bi,eio,be->bo", x, self.experts, self.gate(x).softmax(-1))


class Positions(nn.Module):
    """Sinusoidal positions in a buffer that is not saved."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        angles = torch.arange(9.0)[:, None] * torch.exp(torch.arange(2.0) * -math.log(100.0))
        self.register_buffer("table", torch.cat([angles.sin(), angles.cos()], 1), persistent=False)

    def forward(self, x):
        return self.linear(x + self.table[: x.shape[1]])
