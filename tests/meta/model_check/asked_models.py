"""Models of a test, asked as `conformance check` asks them."""

from functools import partial

import torch

from conformance.cases.inputs import draw_minibatches
from conformance.implementations.torch_func import TorchFunc
from conformance.model_check.loaded_model import LoadedModel
from conformance.model_check.worker import StepRunner


def loaded(factory, inputs, n=3):
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    return LoadedModel("model", [factory() for _ in range(n)], partial(draw_minibatches, inputs))


def asked(case, check, implementation=None):
    runner = StepRunner(case, implementation or TorchFunc(), torch.device("cpu"), None, len(case.made))
    return runner.run(check)
