"""Cases of recurrent layers and cells, with 3 input features and 5 or 2 hidden ones."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from conformance.cases.inputs import fixed, floats
from conformance.cases.modules.case import SAMPLES, ModuleCase, in_eval_mode

LAYERS: Mapping[str, Callable[..., nn.Module]] = MappingProxyType({"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU})
CELLS: Mapping[str, type[nn.RNNCellBase]] = MappingProxyType(
    {"RNNCell": nn.RNNCell, "LSTMCell": nn.LSTMCell, "GRUCell": nn.GRUCell}
)
SEQUENCES = (floats(SAMPLES, 4, 3),)
LENGTHS = fixed(torch.tensor([4, 2, 3, 1, 4, 2, 1]))

OPTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "": {},
        "-nobias": {"bias": False},
        "-bidirectional": {"bidirectional": True, "num_layers": 2},
        "-dropout": {"dropout": 0.5, "num_layers": 2},
    }
)


class PackedSequences(nn.Module):
    """A layer that gets its sequences packed, so that each has its own length."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.layer(packed)[0], batch_first=True)[0]


def initial_states(layer: str, *shape: int) -> Any:
    """Return the Input of a layer's initial state; an LSTM takes a pair."""
    return (floats(*shape), floats(*shape)) if layer.startswith("LSTM") else floats(*shape)


CASES = (
    *(
        ModuleCase(f"{layer}{name}", partial(cls, 3, 5, batch_first=True, **options), SEQUENCES)
        for layer, cls in LAYERS.items()
        for name, options in OPTIONS.items()
    ),
    *(
        ModuleCase(
            f"{layer}-dropout-eval",
            partial(in_eval_mode, cls, 3, 5, batch_first=True, **OPTIONS["-dropout"]),
            SEQUENCES,
        )
        for layer, cls in LAYERS.items()
    ),
    *(
        ModuleCase(f"{layer}-lengthfirst", partial(cls, 3, 5), (floats(4, SAMPLES, 3),))
        for layer, cls in LAYERS.items()
    ),
    ModuleCase("LSTM-unbatched", partial(nn.LSTM, 3, 5), (floats(4, 3),)),
    *(
        ModuleCase(
            f"{layer}-state", partial(cls, 3, 5, batch_first=True), (*SEQUENCES, initial_states(layer, 1, SAMPLES, 5))
        )
        for layer, cls in LAYERS.items()
    ),
    ModuleCase("RNN-relu", partial(nn.RNN, 3, 5, nonlinearity="relu", batch_first=True), SEQUENCES),
    ModuleCase(
        "LSTM-projection-bidirectional",
        partial(nn.LSTM, 3, 5, proj_size=2, num_layers=2, bidirectional=True, batch_first=True),
        SEQUENCES,
    ),
    ModuleCase("LSTM-packed", lambda: PackedSequences(nn.LSTM(3, 5, batch_first=True)), (*SEQUENCES, LENGTHS)),
    *(ModuleCase(cell, partial(cls, 3, 5), (floats(SAMPLES, 3),)) for cell, cls in CELLS.items()),
    *(
        ModuleCase(f"{cell}-nobias", partial(cls, 3, 5, bias=False), (floats(SAMPLES, 3),))
        for cell, cls in CELLS.items()
    ),
    *(
        ModuleCase(f"{cell}-state", partial(cls, 3, 5), (floats(SAMPLES, 3), initial_states(cell, SAMPLES, 5)))
        for cell, cls in CELLS.items()
    ),
    ModuleCase("RNNCell-relu", partial(nn.RNNCell, 3, 5, nonlinearity="relu"), (floats(SAMPLES, 3),)),
    ModuleCase("GRUCell-unbatched", partial(nn.GRUCell, 3, 5), (floats(3),)),
)
