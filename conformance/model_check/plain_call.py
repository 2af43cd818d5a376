"""A call of one member by itself, before any check: a mistake in the inputs is one line that names them.

It also shows from which generators other than torch's the model draws.
"""

import inspect
import warnings
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from conformance.checks.calls import call_model, split_arguments
from conformance.model_check.loaded_model import LoadedModel
from conformance.model_check.options import Request, UsageError
from conformance.utils.module_state import copy_module, move_module
from conformance.utils.pytree import leaves
from conformance.utils.rng import library_states
from conformance.utils.text import describe_error, one_line, text_of, type_name

LONGEST = 400  # characters of a list of inputs
# Attributes that tell an input of a module, and an `--input` made of it.
EXAMPLES = {
    "Linear": "{in_features}",
    "Bilinear": "{in1_features}",
    "Conv1d": "{in_channels}x32",
    "Conv2d": "{in_channels}x32x32",
    "Conv3d": "{in_channels}x16x32x32",
    "Embedding": "16:0..{last_index}",
    "LSTM": "16x{input_size}",
    "GRU": "16x{input_size}",
    "RNN": "16x{input_size}",
    "MultiheadAttention": "16x{embed_dim}",
}


def libraries_drawn(case: LoadedModel, request: Request, device: torch.device) -> list[str]:
    """Call a copy of the first member with its minibatch, in the model's own dtype, else in float64.

    Return the libraries other than torch from whose global generators it draws. vmap draws from them once for all
    members. Raises UsageError if its forward does not take such arguments or fails with them. A model that can't be
    copied, or that wants to end the process, is left to the checks.
    """
    first = case.made[0]
    if not request.inputs and not request.inputs_file:
        _assert_no_inputs_needed(first, request)
    own = _own_dtype(first)
    (x,) = case.draw(1, device, own)
    _assert_arguments_fit(first, x)
    # The checks report warnings that matter, such as those about slow operations.
    with suppress(_LeftToChecksError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = library_states()
        failure = _failure(case, device, None, x)
        after = library_states()
        if failure is None or _failure(case, device, torch.float64, x) is None:
            return [name for name, state in after.items() if before.get(name, state) != state]
        raise UsageError(
            f"{type_name(first)}.forward fails by itself: {describe_error(failure)}; it was given {_describe(first, x)}"
            + (f" by --input {' --input '.join(request.inputs)}" if request.inputs else "")
            + ("; it may need --device cuda" if device.type == "cpu" and "cuda" in text_of(failure).lower() else "")
        )
    return []


class _LeftToChecksError(Exception):
    """The plain call says nothing about the inputs."""


def _failure(case: LoadedModel, device: torch.device, dtype: torch.dtype | None, x: Any) -> Exception | None:
    """Return the exception of a plain call, or None."""
    try:
        model = move_module(copy_module(case.made[0]), device, dtype)
        inputs = case.draw(1, device, dtype)[0] if dtype else x
    except Exception as error:
        raise _LeftToChecksError from error
    try:
        call_model(model, inputs)
    except Exception as error:  # noqa: BLE001 - it is told
        return error
    except BaseException as error:
        raise _LeftToChecksError from error
    return None


def _own_dtype(model: nn.Module) -> torch.dtype:
    """Return the dtype of the model's first floating parameter or buffer, else torch's default."""
    tensors = (*model.parameters(), *model.buffers())
    return next((each.dtype for each in tensors if each.is_floating_point()), torch.get_default_dtype())


def _signature(model: nn.Module) -> inspect.Signature | None:
    """Return forward's signature, or None where a call does not go straight to forward."""
    if type(model).__call__ is not nn.Module.__call__ or model._forward_pre_hooks:  # noqa: SLF001 - no public API
        return None
    try:
        return inspect.signature(model.forward)
    except (ValueError, TypeError):
        return None


def _text(signature: inspect.Signature) -> str:
    """Return a signature without its annotations."""
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
    made = signature.replace(parameters=bare, return_annotation=inspect.Signature.empty)
    return one_line(text_of(made), LONGEST)


def _assert_arguments_fit(model: nn.Module, x: Any) -> None:
    signature = _signature(model)
    if signature is None:
        return
    args, kwargs = split_arguments(x)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        given = [*(f"{len(args)} by position" for _ in args[:1]), *kwargs]
        raise UsageError(
            f"{type_name(model)}.forward{_text(signature)}: {error}; given by --input: {', '.join(given) or 'nothing'}"
        ) from error


def _assert_no_inputs_needed(model: nn.Module, request: Request) -> None:
    signature = _signature(model)
    if signature is None:
        return
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [each for each in signature.parameters.values() if _is_needed(each)]
    if not needed:
        return
    texts = [
        f"--input {'' if each.kind in positional else each.name + '='}{_example(model) if i == 0 else 'SHAPE'}"
        for i, each in enumerate(needed)
    ]
    raise UsageError(
        f"--input: {type_name(model)}.forward{_text(signature)} takes inputs; "
        f"for example: conformance check {request.model} {' '.join(texts)}"
    )


def _is_needed(parameter: inspect.Parameter) -> bool:
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return parameter.default is inspect.Parameter.empty and parameter.kind not in variable


def _example(model: nn.Module) -> str:
    """Return the `--input` for the first layer whose attributes tell its input."""
    for module in model.modules():
        form = EXAMPLES.get(type_name(module)) if type(module).__module__.startswith("torch.nn.") else None
        if form:
            return form.format(last_index=vars(module).get("num_embeddings", 0) - 1, **vars(module))
    return "3x32x32"


def _describe(model: nn.Module, x: Any) -> str:
    """Return the names, dtypes and shapes of the inputs."""
    args, kwargs = split_arguments(x)
    signature = _signature(model)
    named = signature.bind(*args, **kwargs).arguments if signature else dict(enumerate(args)) | kwargs
    pairs = [pair for name, value in named.items() for pair in leaves(value, str(name))]
    return one_line(", ".join(f"{name}: {_tensor(leaf)}" for name, leaf in pairs), LONGEST) or "no arguments"


def _tensor(leaf: Any) -> str:
    if not isinstance(leaf, Tensor):
        return type_name(leaf)
    return f"{str(leaf.dtype).removeprefix('torch.')} {tuple(leaf.shape)}"
