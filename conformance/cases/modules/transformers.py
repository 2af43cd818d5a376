"""Cases of transformers with 6 features in two heads, without dropout unless the name says so."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from conformance.cases.inputs import fixed, floats, padding
from conformance.cases.modules.case import SAMPLES, ModuleCase, WithKeywords, if_accepted, in_eval_mode

SIZES: Mapping[str, Any] = MappingProxyType({"d_model": 6, "nhead": 2, "dim_feedforward": 11})
SOURCE = floats(SAMPLES, 4, 6)
TARGET = floats(SAMPLES, 2, 6)
PADDING = padding(SAMPLES, 4)
CAUSAL = fixed(torch.ones(4, 4).triu(1).bool())
SHORT_CAUSAL = fixed(torch.ones(2, 2).triu(1).bool())

OPTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "": {},
        "-normfirst": {"norm_first": True},
        "-gelu": {"activation": "gelu"},
        "-function-eps": {"activation": F.silu, "layer_norm_eps": 0.1},
        "-dropout": {"dropout": 0.3},
    }
)


def encoder_layer(*, dropout: float = 0.0, batch_first: bool = True, **options: Any) -> nn.TransformerEncoderLayer:
    """Return an encoder layer of `SIZES`."""
    return nn.TransformerEncoderLayer(**SIZES, dropout=dropout, batch_first=batch_first, **options)


def decoder_layer(*, dropout: float = 0.0, batch_first: bool = True, **options: Any) -> nn.TransformerDecoderLayer:
    """Return a decoder layer of `SIZES`."""
    return nn.TransformerDecoderLayer(**SIZES, dropout=dropout, batch_first=batch_first, **options)


def encoder(*, nested: bool = False, **options: Any) -> nn.Module:
    """Return an encoder of two layers, which uses nested tensors if `nested`."""
    return nn.TransformerEncoder(encoder_layer(**options), 2, enable_nested_tensor=nested)


def decoder() -> nn.Module:
    """Return a decoder of two layers with a final norm."""
    return nn.TransformerDecoder(decoder_layer(), 2, norm=nn.LayerNorm(6))


def transformer() -> nn.Module:
    """Return a transformer with one encoder layer and one decoder layer."""
    return nn.Transformer(**SIZES, num_encoder_layers=1, num_decoder_layers=1, dropout=0.0, batch_first=True)


def norm_first_transformer() -> nn.Module:
    """Return a transformer with `norm_first` and an encoder without nested tensors, about which the default warns."""
    own = encoder(norm_first=True)
    return nn.Transformer(
        **SIZES, num_decoder_layers=1, dropout=0.0, custom_encoder=own, batch_first=True, norm_first=True
    )


CASES = (
    *(
        ModuleCase(f"TransformerEncoderLayer{name}", partial(encoder_layer, **options), (SOURCE,))
        for name, options in OPTIONS.items()
    ),
    *(
        ModuleCase(f"TransformerDecoderLayer{name}", partial(decoder_layer, **options), (TARGET, SOURCE))
        for name, options in OPTIONS.items()
    ),
    *if_accepted(
        nn.TransformerEncoderLayer,
        "bias",
        ModuleCase("TransformerEncoderLayer-nobias", partial(encoder_layer, bias=False), (SOURCE,)),
        ModuleCase("TransformerDecoderLayer-nobias", partial(decoder_layer, bias=False), (TARGET, SOURCE)),
    ),
    ModuleCase(
        "TransformerEncoderLayer-lengthfirst", partial(encoder_layer, batch_first=False), (floats(4, SAMPLES, 6),)
    ),
    ModuleCase("TransformerEncoderLayer-unbatched", encoder_layer, (floats(4, 6),)),
    ModuleCase(
        "TransformerEncoderLayer-iscausal", lambda: WithKeywords(encoder_layer(), is_causal=True), (SOURCE, CAUSAL)
    ),
    ModuleCase("TransformerEncoderLayer-padding", encoder_layer, (SOURCE, None, PADDING)),
    # In eval mode and without gradients, encoders take PyTorch's fast path.
    ModuleCase("TransformerEncoderLayer-eval", partial(in_eval_mode, encoder_layer, dropout=0.3), (SOURCE,)),
    ModuleCase(
        "TransformerEncoderLayer-normfirst-eval", partial(in_eval_mode, encoder_layer, norm_first=True), (SOURCE,)
    ),
    ModuleCase("TransformerEncoderLayer-causal-eval", partial(in_eval_mode, encoder_layer), (SOURCE, CAUSAL)),
    ModuleCase("TransformerEncoderLayer-padding-eval", partial(in_eval_mode, encoder_layer), (SOURCE, None, PADDING)),
    ModuleCase(
        "TransformerDecoderLayer-lengthfirst",
        partial(decoder_layer, batch_first=False),
        (floats(2, SAMPLES, 6), floats(4, SAMPLES, 6)),
    ),
    ModuleCase("TransformerDecoderLayer-masks", decoder_layer, (TARGET, SOURCE, SHORT_CAUSAL, floats(2, 4))),
    ModuleCase(
        "TransformerDecoderLayer-paddings",
        decoder_layer,
        (TARGET, SOURCE, None, None, padding(SAMPLES, 2), PADDING),
    ),
    ModuleCase("TransformerDecoderLayer-eval", partial(in_eval_mode, decoder_layer, dropout=0.3), (TARGET, SOURCE)),
    ModuleCase("TransformerEncoder", encoder, (SOURCE,)),
    ModuleCase("TransformerEncoder-masks", encoder, (SOURCE, CAUSAL, PADDING)),
    ModuleCase("TransformerEncoder-eval", partial(in_eval_mode, encoder), (SOURCE,)),
    ModuleCase("TransformerEncoder-nested-eval", partial(in_eval_mode, encoder, nested=True), (SOURCE, None, PADDING)),
    ModuleCase("TransformerDecoder", decoder, (TARGET, SOURCE)),
    ModuleCase("TransformerDecoder-masks", decoder, (TARGET, SOURCE, SHORT_CAUSAL, floats(2, 4))),
    ModuleCase("TransformerDecoder-eval", partial(in_eval_mode, decoder), (TARGET, SOURCE)),
    ModuleCase("Transformer", transformer, (SOURCE, TARGET)),
    ModuleCase("Transformer-masks", transformer, (SOURCE, TARGET, CAUSAL, SHORT_CAUSAL, floats(2, 4))),
    ModuleCase("Transformer-normfirst", norm_first_transformer, (SOURCE, TARGET)),
    ModuleCase("Transformer-eval", partial(in_eval_mode, transformer), (SOURCE, TARGET)),
)
