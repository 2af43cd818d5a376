"""The code that ensembles a model, run on the model and its inputs before it is shown."""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir
from typing import Any

import torch
from torch import Tensor

from conformance.checks.calls import call_model
from conformance.checks.values import output_tensors
from conformance.model_check.loaded_model import LoadedModel
from conformance.model_check.options import Request
from conformance.model_check.snippet_inputs import Argument, describe_arguments
from conformance.utils import rng
from conformance.utils.module_state import copy_module, state_of
from conformance.utils.pytree import is_inexact
from conformance.utils.text import describe_error

IMPORTABLE = re.compile(r"[\w.]+:[A-Za-z_]\w*")
SAVE = 'torch.save([model.state_dict() for model in models], "members.pt")\n'
BACKWARD = """\
# Train: each member's loss depends on that member alone, so that the sum gives each its own gradients.
optimizer = torch.optim.SGD(params.values(), lr=0.01)
optimizer.zero_grad()
losses = vmap(loss_of)({call})
losses.sum().backward()
optimizer.step()
"""
GRAD = """\
# Train: each member's gradients by torch.func.grad inside vmap, since backward through the ensemble is {backward}.
def member_loss(params, buffers, {parameters}):
    return loss_of(call_member(params, buffers, {parameters}))


optimizer = torch.optim.SGD(params.values(), lr=0.01)
gradients = vmap(grad(member_loss), in_dims={dims}, randomness="{randomness}")(params, buffers, {parameters})
for name, parameter in params.items():
    parameter.grad = gradients[name].detach()
optimizer.step()
"""


class SnippetError(Exception):
    """There is no code that ensembles the model; the message says why."""


def snippet_result(
    case: LoadedModel, request: Request, device: torch.device, statuses: Mapping[str, str]
) -> dict[str, Any]:
    """Return the code and how it ended: status "right", or "not shown" with a message.

    `statuses` are the checks' by name. What a check found wrong or refused is left out of the code, and so is a
    training step that fails.
    """
    try:
        code = _working_code(case, request, device, statuses)
    except SnippetError as error:
        return {"status": "not shown", "message": str(error), "code": ""}
    return {"status": "right", "message": "", "code": code}


def _working_code(case: LoadedModel, request: Request, device: torch.device, statuses: Mapping[str, str]) -> str:
    predicts = statuses.get("own_minibatch") == "right"
    if not predicts and statuses.get("grad") != "right":
        raise SnippetError(f"the ensemble is {statuses.get('own_minibatch', 'not asked')}")
    problem = "nothing was tried"
    for name, step in (("backward", BACKWARD), ("grad", GRAD), ("", "")):
        if statuses.get(name) != "right" if name else not predicts:
            continue
        try:
            sections = list(
                _sections(case, request, device, step, predict=predicts, backward=statuses.get("backward", "not asked"))
            )
            _run(case, sections)
        except Exception as error:  # noqa: BLE001 - the user's model runs, and may raise any error
            problem = describe_error(error)
        else:
            return "\n".join(sections)
    raise SnippetError(f"the code fails: {problem}")


def _run(case: LoadedModel, sections: Sequence[str]) -> None:
    """Run the code in a folder of its own, since it writes a file. `models` and `minibatches` are there already."""
    members = [copy_module(model) for model in case.made]
    namespace: dict[str, Any] = {"__name__": "snippet", "models": members}
    here = os.getcwd()  # noqa: PTH109 - as chdir takes it
    with tempfile.TemporaryDirectory() as scratch:
        for section in sections:
            # Only the file is written there: the model may read its own from where it is.
            with chdir(scratch if section == SAVE else here):
                exec(compile(section, "<snippet>", "exec"), namespace)  # noqa: S102 - the code that is shown
    if not all(tensor.isfinite().all() for tensor in namespace["params"].values() if is_inexact(tensor)):
        raise SnippetError("after the code has run, a parameter is not finite")


def _sections(
    case: LoadedModel, request: Request, device: torch.device, step: str, *, predict: bool, backward: str
) -> Iterator[str]:
    model = case.made[0]
    dtype = next((each.dtype for each in state_of(model).values() if is_inexact(each)), torch.get_default_dtype())
    minibatches = case.minibatches(len(case.made), device=device, dtype=dtype)
    arguments = describe_arguments(model, minibatches, request, device)
    names = {
        "parameters": ", ".join(each.name for each in arguments),
        "dims": f"(0, 0, {', '.join(each.dims for each in arguments)})",
        "backward": backward,
        "randomness": "different" if _draws(model, minibatches[0], device) else "error",
    }
    names["call"] = f"ensemble(params, buffers, {names['parameters']})"
    output = call_model(copy_module(model).to(device), minibatches[0])
    keep, chosen = _output_access(output)
    yield _imports(request, step)
    yield _members(request, device)
    yield "# One minibatch for each member, stacked in front; these numbers are random, put your own here.\n" + "".join(
        f"{each.name} = {each.code}\n" for each in arguments
    )
    yield (
        "# Stack the state of all members; the ensemble calls one module with each member's slice of it.\n"
        "params, buffers = stack_module_state(models)\nbase = copy.deepcopy(models[0])\n\n\n"
        f"def call_member(params, buffers, {names['parameters']}):\n"
        f"    return functional_call(base, (params, buffers), ({_call_arguments(arguments)}){keep}\n\n\n"
        f'ensemble = vmap(call_member, in_dims={names["dims"]}, randomness="{names["randomness"]}")\n'
    )
    if predict:
        yield f"# Predict: slice i of the output is member i's.\nwith torch.no_grad():\n    outputs = {names['call']}\n"
    if step and chosen is not None:
        yield f"\ndef loss_of(output):\n    return output{chosen}.abs().square().mean()  # put your own loss here\n\n"
        yield step.format(**names)
    yield (
        "# Unstack: each module gets its slice back, and is an ordinary module again.\nwith torch.no_grad():\n"
        "    for i, model in enumerate(models):\n"
        "        for name, parameter in model.named_parameters():\n            parameter.copy_(params[name][i])\n"
        "        for name, buffer in model.named_buffers():\n            buffer.copy_(buffers[name][i])\n"
    )
    yield SAVE


def _imports(request: Request, step: str) -> str:
    functions = ["functional_call", *(["grad"] if step == GRAD else []), "stack_module_state", "vmap"]
    lines = ["import copy", "", "import torch", f"from torch.func import {', '.join(functions)}"]
    if IMPORTABLE.fullmatch(request.model):
        module, _, name = request.model.partition(":")
        lines += ["", f"from {module} import {name}"]
    return "\n".join(lines) + "\n"


def _members(request: Request, device: torch.device) -> str:
    there = "" if device.type == "cpu" else f'.to("{device}")'
    if IMPORTABLE.fullmatch(request.model):
        name = request.model.partition(":")[2]
        return f"models = [{name}(){there} for _ in range({request.members})]\n"
    return f"models = [model{there} for model in models]  # `models`: a list of your members\n"


def _call_arguments(arguments: Sequence[Argument]) -> str:
    """Return the rest of functional_call's arguments, from within the tuple of positional ones."""
    positional = "".join(f"{each.name}, " for each in arguments if not each.keyword).rstrip()
    positional = positional if positional.count(",") < 2 else positional.removesuffix(",")  # noqa: PLR2004
    keywords = ", ".join(f'"{each.keyword}": {each.name}' for each in arguments if each.keyword)
    return f"{positional})" + (f", {{{keywords}}}" if keywords else "")


def _output_access(output: Any) -> tuple[str, str | None]:
    """Return how the code selects what vmap can return, and a floating tensor of that for the loss, if any."""
    if isinstance(output, Tensor):
        return "", "" if is_inexact(output) else None
    kinds = (dict, list, tuple)
    items = list(output.items() if isinstance(output, Mapping) else enumerate(output)) if type(output) in kinds else []
    floating = [key for key, each in items if isinstance(each, Tensor) and is_inexact(each)]
    if items and all(isinstance(each, Tensor) for _, each in items):
        return "", f"[{floating[0]!r}]" if floating else None
    if floating:
        return f"[{floating[0]!r}]", ""
    for name, each in vars(output).items() if hasattr(output, "__dict__") else ():
        if name.isidentifier() and isinstance(each, Tensor) and is_inexact(each):
            return f".{name}", ""
    tensors = len(output_tensors(output))
    raise SnippetError(f"its output of {tensors} tensors has a structure that this code has no name for")


def _draws(model: torch.nn.Module, x: Any, device: torch.device) -> bool:
    """Return True if the model draws random numbers, in the mode in which it is."""
    before = rng.state(device)
    call_model(copy_module(model).to(device), x)
    after = rng.state(device)
    return any(not torch.equal(old, after[kind]) for kind, old in before.items())
