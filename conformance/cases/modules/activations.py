"""Cases of activations."""

from collections.abc import Callable
from functools import partial

from torch import nn

from conformance.cases.inputs import floats
from conformance.cases.modules.case import SAMPLES, ModuleCase, in_eval_mode

ROWS = (floats(SAMPLES, 3),)
IMAGES = (floats(SAMPLES, 3, 2, 5),)

WITHOUT_OPTIONS: tuple[type[nn.Module], ...] = (
    nn.CELU,
    nn.ELU,
    nn.GELU,
    nn.Hardshrink,
    nn.Hardsigmoid,
    nn.Hardswish,
    nn.Hardtanh,
    nn.LeakyReLU,
    nn.LogSigmoid,
    nn.Mish,
    nn.PReLU,
    nn.RReLU,
    nn.ReLU,
    nn.ReLU6,
    nn.SELU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Softplus,
    nn.Softshrink,
    nn.Softsign,
    nn.Tanh,
    nn.Tanhshrink,
)
IN_PLACE: tuple[Callable[..., nn.Module], ...] = (
    nn.CELU,
    nn.ELU,
    nn.Hardsigmoid,
    nn.Hardswish,
    nn.Hardtanh,
    nn.LeakyReLU,
    nn.Mish,
    nn.RReLU,
    nn.ReLU,
    nn.ReLU6,
    nn.SELU,
    nn.SiLU,
    partial(nn.Threshold, 0.1, 2.0),
)


def after_linear(layer: Callable[..., nn.Module]) -> nn.Module:
    """Return a Linear and an in-place activation, so that it writes to an intermediate tensor and not to an input."""
    return nn.Sequential(nn.Linear(3, 2), layer(inplace=True))


CASES = (
    *(ModuleCase(cls.__name__, cls, ROWS) for cls in WITHOUT_OPTIONS),
    *(ModuleCase(f"{layer().__class__.__name__}-inplace", partial(after_linear, layer), ROWS) for layer in IN_PLACE),
    ModuleCase("CELU-alpha", partial(nn.CELU, 0.3), ROWS),
    ModuleCase("ELU-alpha", partial(nn.ELU, 0.3), ROWS),
    ModuleCase("GELU-tanh", partial(nn.GELU, approximate="tanh"), ROWS),
    ModuleCase("GLU", nn.GLU, (floats(SAMPLES, 6),)),
    ModuleCase("GLU-dim", partial(nn.GLU, 1), (floats(SAMPLES, 2, 3),)),
    ModuleCase("Hardshrink-lambd", partial(nn.Hardshrink, 0.2), ROWS),
    ModuleCase("Hardtanh-limits", partial(nn.Hardtanh, -0.3, 0.7), ROWS),
    ModuleCase("LeakyReLU-slope", partial(nn.LeakyReLU, 0.3), ROWS),
    ModuleCase("LogSoftmax", partial(nn.LogSoftmax, 1), ROWS),
    ModuleCase("PReLU-channels", partial(nn.PReLU, 3), IMAGES),
    ModuleCase("RReLU-limits", partial(nn.RReLU, 0.4, 0.9), ROWS),
    ModuleCase("RReLU-eval", partial(in_eval_mode, nn.RReLU), ROWS),
    ModuleCase("Softmax", partial(nn.Softmax, -1), ROWS),
    ModuleCase("Softmax-samples", partial(nn.Softmax, 0), ROWS),
    ModuleCase("Softmax2d", nn.Softmax2d, IMAGES),
    ModuleCase("Softmin", partial(nn.Softmin, 1), ROWS),
    ModuleCase("Softplus-beta", partial(nn.Softplus, 2.0, 0.5), ROWS),
    ModuleCase("Softshrink-lambd", partial(nn.Softshrink, 0.2), ROWS),
    ModuleCase("Threshold", partial(nn.Threshold, 0.1, 2.0), ROWS),
)
