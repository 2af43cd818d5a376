"""The checks that `conformance check` makes of a user's model beyond those of the chapter `modules`."""

from collections.abc import Mapping
from types import MappingProxyType

from conformance.checks.leftovers import base_alone, chunks, leftovers, other_stack, second_call
from conformance.checks.model_checks import Check
from conformance.checks.one_base import one_base
from conformance.checks.own_dtype import own_dtype

OWN_MODEL_CHECKS: Mapping[str, Check] = MappingProxyType(
    {check.__name__: check for check in (own_dtype, one_base, second_call, leftovers, chunks, other_stack, base_alone)}
)
