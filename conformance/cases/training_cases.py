"""Cases for training: modules whose gradients are tested."""

from torch import nn

from conformance.cases.case import TrainingCase
from conformance.cases.networks import FrozenNet, LayerNormMLP, NormNet, TiedNet
from conformance.reference.simple_cnn import small_cnn


def norm_net_without_dropout() -> NormNet:
    """Return a NormNet in train mode with its dropout in eval mode: the chapter `randomness` tests dropout."""
    model = NormNet()
    model.dropout.eval()
    return model


SIMPLE_CNN = TrainingCase("SimpleCNN", small_cnn, (1, 8, 8), (13,), smooth=False)
LAYER_NORM = TrainingCase("LayerNorm", LayerNormMLP, (3,), (2,), smooth=True)
BATCH_NORM_TRAIN = TrainingCase("BatchNorm-train", norm_net_without_dropout, (3,), (2,), smooth=False)
BATCH_NORM_EVAL = TrainingCase("BatchNorm-eval", lambda: norm_net_without_dropout().eval(), (3,), (2,), smooth=False)
TIED = TrainingCase("tied", TiedNet, None, (11,), smooth=True)
FROZEN = TrainingCase("frozen", FrozenNet, (3,), (2,), smooth=True)

# In train mode BatchNorm writes its statistics, which the transforms of torch.func refuse, even in a plain loop.
PURE = (SIMPLE_CNN, LAYER_NORM, BATCH_NORM_EVAL, TIED, FROZEN)
ALL = (*PURE, BATCH_NORM_TRAIN)

# For finite differences, which perturb every parameter in turn: small, for speed, and smooth.
TINY = TrainingCase("tiny", lambda: nn.Sequential(nn.Linear(1, 2), nn.Tanh(), nn.Linear(2, 1)), (1,), (1,), smooth=True)
SMOOTH = (TINY, LAYER_NORM, TIED, FROZEN)

# For training: smooth, and without a direction in which the loss is flat and an optimizer follows rounding errors.
LEARNER = TrainingCase(
    "learner", lambda: nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 11)), (2,), (11,), smooth=True
)
# The smallest case, for tests in which the module does not matter.
LINEAR = TrainingCase("line", lambda: nn.Linear(3, 2), (3,), (2,), smooth=True)
# Drops everything in train mode, and nothing in eval mode.
DROPOUT_ALL = TrainingCase("dropping", lambda: nn.Sequential(nn.Linear(3, 2), nn.Dropout(1.0)), (3,), (2,), smooth=True)
# Only matrices, for an optimizer that accepts nothing else.
MATRICES = TrainingCase(
    "matrices",
    lambda: nn.Sequential(nn.Linear(2, 5, bias=False), nn.Tanh(), nn.Linear(5, 11, bias=False)),
    (2,),
    (11,),
    smooth=True,
)
