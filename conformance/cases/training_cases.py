"""The modules whose gradients are judged."""

from torch import nn

from conformance.cases.case import TrainingCase
from conformance.cases.networks import FrozenNet, LayerNormMLP, NormNet, TiedNet
from conformance.reference.simple_cnn import small_cnn


def norm_net_without_dropout() -> NormNet:
    """BatchNorm in train mode, and no dropout: what it draws is another chapter's question."""
    model = NormNet()
    model.dropout.eval()
    return model


SIMPLE_CNN = TrainingCase("SimpleCNN", small_cnn, (1, 8, 8), (13,), smooth=False)
LAYER_NORM = TrainingCase("LayerNorm", LayerNormMLP, (3,), (2,), smooth=True)
BATCH_NORM_TRAIN = TrainingCase("BatchNorm-train", norm_net_without_dropout, (3,), (2,), smooth=False)
BATCH_NORM_EVAL = TrainingCase("BatchNorm-eval", lambda: norm_net_without_dropout().eval(), (3,), (2,), smooth=False)
TIED = TrainingCase("tied", TiedNet, None, (11,), smooth=True)
FROZEN = TrainingCase("frozen", FrozenNet, (3,), (2,), smooth=True)

# In train mode BatchNorm writes its statistics, which the transforms of torch.func refuse, in the loop as well.
PURE = (SIMPLE_CNN, LAYER_NORM, BATCH_NORM_EVAL, TIED, FROZEN)
ALL = (*PURE, BATCH_NORM_TRAIN)

# Finite differences move every parameter in turn: small enough to be quick, smooth enough to have a slope everywhere.
TINY = TrainingCase("tiny", lambda: nn.Sequential(nn.Linear(1, 2), nn.Tanh(), nn.Linear(2, 1)), (1,), (1,), smooth=True)
SMOOTH = (TINY, LAYER_NORM, TIED, FROZEN)

# What is trained: smooth, and without a direction in which the loss is flat, where an optimizer follows rounding noise.
LEARNER = TrainingCase(
    "learner", lambda: nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 11)), (2,), (11,), smooth=True
)
# The smallest of all, where what is asked is not the module.
LINEAR = TrainingCase("line", lambda: nn.Linear(3, 2), (3,), (2,), smooth=True)
# In train mode nothing is left, in eval mode everything.
DROPOUT_ALL = TrainingCase("dropping", lambda: nn.Sequential(nn.Linear(3, 2), nn.Dropout(1.0)), (3,), (2,), smooth=True)
# Matrices alone, for an optimizer that takes nothing else.
MATRICES = TrainingCase(
    "matrices",
    lambda: nn.Sequential(nn.Linear(2, 5, bias=False), nn.Tanh(), nn.Linear(5, 11, bias=False)),
    (2,),
    (11,),
    smooth=True,
)
