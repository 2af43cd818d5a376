"""Which inputs does a check take derivatives in?"""

import torch
from torch import nn

from conformance.checks.gradients import model_gradients


def test_a_sparse_input_is_a_constant():
    class Graph(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(3, 4)

        def forward(self, x, edges):
            return torch.sparse.mm(edges, self.linear(x))

    x = (torch.randn(5, 3), torch.eye(5).to_sparse())

    found = model_gradients(Graph(), x)

    assert list(found) == ["linear.weight", "linear.bias", "input[0]"]
    assert not x[1].requires_grad
