"""What the tests of `conformance check` ask, and of which model."""

from functools import partial

import torch

from conformance.implementations.torch_func import TorchFunc
from conformance.model_check import worker
from conformance.model_check.model_loader import load_model
from conformance.model_check.options import Request

CPU = torch.device("cpu")


ask = partial(Request, members=3, batch=7)


def questions(model, shape="3"):
    return worker.StepRunner(load_model(ask(f"theirs:{model}", (shape,))), TorchFunc(), CPU, None, 3)


def found(model, check, shape="3"):
    return questions(model, shape).run_check(check)


MODEL = {"class": "Net", "holds": ["Net", "Embedding"], "parameters": 1234, "training": True, "tensors": 2}


MODEL |= {"equal": [], "problem": None, "members": 3, "origin": "", "draws": []}
MODEL |= {"shared": [], "dtypes": ["float64", "float32"]}
