"""The in-place operations of torch's public API, each with a call, except for those in `random_ops`."""

from conformance.cases.operations.inplace_op import InplaceOperation

NEEDS_DATA_POINTER = "data pointer"  # the refusal of operations that need the values in Python
NO_RULE = "Batching rule not implemented"


def _methods(names: str, arguments: str = "", on: str = "x", refused: str = "") -> list[InplaceOperation]:
    return [InplaceOperation(f"Tensor.{name}", f"s.{name}({arguments})", on, refused) for name in names.split()]


METHODS = [
    *_methods(
        "acos_ arccos_ arcsin_ arcsinh_ arctan_ arctanh_ asin_ asinh_ atan_ atanh_ ceil_ "
        "cos_ cosh_ deg2rad_ digamma_ erf_ erfc_ erfinv_ exp2_ exp_ expm1_ fix_ floor_ i0_ "
        "lgamma_ log10_ log1p_ log2_ log_ logical_not_ logit_ neg_ negative_ rad2deg_ reciprocal_ round_ "
        "rsqrt_ sgn_ sigmoid_ sign_ sin_ sinc_ sinh_ sqrt_ square_ tan_ tanh_ tril_ triu_ trunc_ zero_"
    ),
    InplaceOperation("Tensor.abs_", "s.abs_()", on="signed"),
    InplaceOperation("Tensor.absolute_", "s.absolute_()", on="signed"),
    InplaceOperation("Tensor.conj_physical_", "s.conj_physical_()", on="complexes"),
    InplaceOperation("Tensor.acosh_", "s.add_(1).acosh_()"),
    InplaceOperation("Tensor.arccosh_", "s.add_(1).arccosh_()"),
    InplaceOperation("Tensor.frac_", "s.frac_()", on="large"),
    InplaceOperation("Tensor.relu_", "s.relu_()", on="signed"),
    InplaceOperation("Tensor.nan_to_num_", "s.log_().sqrt_().nan_to_num_(2.0)"),
    InplaceOperation("Tensor.mvlgamma_", "s.add_(3).mvlgamma_(3)"),
    InplaceOperation("Tensor.polygamma_", "s.polygamma_(2)"),
    InplaceOperation("Tensor.renorm_", "s.renorm_(2.0, 0, 0.5)"),
    InplaceOperation("Tensor.cumprod_", "s.cumprod_(1)"),
    InplaceOperation("Tensor.cumsum_", "s.cumsum_(0)"),
    InplaceOperation("Tensor.fill_", "s.fill_(2.0)"),
    InplaceOperation("Tensor.fill_ (a tensor)", "s.fill_(scalar)"),
    InplaceOperation("Tensor.fill_diagonal_", "s.fill_diagonal_(2.0)"),
    InplaceOperation("Tensor.bitwise_not_", "s.bitwise_not_()", on="integers"),
    # With another tensor.
    *_methods(
        "add_ arctan2_ atan2_ clamp_max_ clamp_min_ copy_ div_ divide_ eq_ floor_divide_ fmod_ ge_ "
        "greater_ greater_equal_ gt_ heaviside_ hypot_ igamma_ igammac_ ldexp_ le_ less_ less_equal_ lt_ mul_ "
        "multiply_ ne_ nextafter_ not_equal_ pow_ remainder_ sub_ subtract_ true_divide_ xlogy_",
        "y",
    ),
    InplaceOperation("Tensor.copysign_", "s.copysign_(y - 0.5)"),
    InplaceOperation("Tensor.float_power_", "s.copy_((1 * s.double()).float_power_(y))"),
    *_methods("clamp_ clip_", "y, y + 0.1"),
    *_methods("logical_and_ logical_or_ logical_xor_", "other_mask", on="mask"),
    *_methods(
        "bitwise_and_ bitwise_left_shift_ bitwise_or_ bitwise_right_shift_ bitwise_xor_ gcd_ lcm_",
        "more_integers",
        on="integers",
    ),
    *_methods("addcdiv_ addcmul_", "y, z"),
    InplaceOperation("Tensor.lerp_", "s.lerp_(y, z)"),
    InplaceOperation("Tensor.lerp_ (a number)", "s.lerp_(y, 0.25)"),
    # With a tensor of fewer dimensions, or a number, of each member.
    *[
        InplaceOperation(f"Tensor.{name} ({other})", f"s.{name}({other})")
        for name in ("add_", "sub_", "mul_", "div_", "copy_", "atan2_", "fmod_", "clamp_min_", "eq_")
        for other in ("row", "scalar")
    ],
    InplaceOperation("Tensor.add_ (alpha)", "s.add_(y, alpha=3)"),
    InplaceOperation("Tensor.mul_ (a column)", "s.mul_(column[:, None])"),
    InplaceOperation("Tensor.div_ (rounded)", "s.div_(y, rounding_mode='floor')"),
    InplaceOperation("Tensor.add_ (of integers)", "s.add_(integers)"),
    InplaceOperation("Tensor.sub_ (to integers)", "s.sub_(more_integers)", on="integers"),
    InplaceOperation("Tensor.copy_ (from integers)", "s.copy_(integers)"),
    InplaceOperation("Tensor.copy_ (to integers)", "s.copy_(9 * x)", on="integers"),
    InplaceOperation("Tensor.addcmul_ (rows)", "s.addcmul_(row, scalar, value=2)"),
    # On matrices.
    InplaceOperation("Tensor.addbmm_", "s.addbmm_(deep_tall, deep_wide)"),
    InplaceOperation("Tensor.addmm_", "s.addmm_(tall, wide, beta=2, alpha=3)"),
    InplaceOperation("Tensor.addmv_", "s.addmv_(x, row)", on="column"),
    InplaceOperation("Tensor.addr_", "s.addr_(column, row)"),
    InplaceOperation("Tensor.baddbmm_", "s.baddbmm_(deep_tall, deep_wide)", on="deep"),
    # By index.
    InplaceOperation("Tensor.index_add_", "s.index_add_(0, order, y)"),
    InplaceOperation("Tensor.index_copy_", "s.index_copy_(0, order, y)"),
    InplaceOperation("Tensor.index_fill_", "s.index_fill_(0, order[:2], 2.0)"),
    InplaceOperation("Tensor.index_fill_ (a tensor)", "s.index_fill_(1, order, scalar)"),
    InplaceOperation("Tensor.index_put_", "s.index_put_((order,), y)"),
    InplaceOperation("Tensor.index_put_ (two indices)", "s.index_put_((order, order), row[:3])"),
    InplaceOperation("Tensor.index_put_ (accumulating)", "s.index_put_((order // 2,), y, accumulate=True)"),
    InplaceOperation("Tensor.index_put_ (at a mask)", "s.index_put_((mask,), scalar)", refused="boolean mask"),
    InplaceOperation("Tensor.index_reduce_", "s.index_reduce_(0, order // 2, y, 'prod')"),
    InplaceOperation("Tensor.masked_fill_", "s.masked_fill_(mask, 2.0)"),
    InplaceOperation("Tensor.masked_fill_ (a tensor)", "s.masked_fill_(mask, scalar)"),
    InplaceOperation("Tensor.masked_scatter_", "s.masked_scatter_(mask, y)"),
    InplaceOperation("Tensor.put_", "s.put_(orders, y, accumulate=True)"),
    InplaceOperation("Tensor.scatter_", "s.scatter_(0, orders, y)"),
    InplaceOperation("Tensor.scatter_ (a number)", "s.scatter_(0, orders[:2], 2.0)"),
    InplaceOperation("Tensor.scatter_ (multiplying)", "s.scatter_(0, orders, y, reduce='multiply')"),
    InplaceOperation("Tensor.scatter_add_", "s.scatter_add_(0, orders // 2, y)"),
    InplaceOperation("Tensor.scatter_reduce_", "s.scatter_reduce_(0, orders // 2, y, 'amax')"),
    # In Python, element by element.
    InplaceOperation("Tensor.apply_", "s.apply_(lambda a: 2 * a)", refused=NEEDS_DATA_POINTER),
    InplaceOperation("Tensor.map_", "s.map_(y, lambda a, b: a * b)", refused=NEEDS_DATA_POINTER),
    InplaceOperation("Tensor.map2_", "s.map2_(y, z, lambda a, b, c: a * b + c)", refused=NEEDS_DATA_POINTER),
]
OPERATORS = [
    *[
        InplaceOperation(f"Tensor.__{name}__", f"operator.{name}(s, y)")
        for name in ("iadd", "ifloordiv", "imod", "imul", "ipow", "isub", "itruediv")
    ],
    InplaceOperation("Tensor.__idiv__", "s.__idiv__(y)"),
    *[
        InplaceOperation(f"Tensor.__{name}__", f"operator.{name}(s, more_integers)", on="integers")
        for name in ("iand", "ilshift", "ior", "irshift", "ixor")
    ],
    *[
        InplaceOperation(f"Tensor.__setitem__ ({what})", f"s.__setitem__({index}, {value})", refused=refused)
        for what, index, value, refused in (
            ("an int", "0", "row", ""),
            ("a negative int", "-1", "row", ""),
            ("a slice", "slice(1, None)", "y[1:]", ""),
            ("a step", "(slice(None), slice(None, None, 2))", "y[:, ::2]", ""),
            ("a tuple", "(0, 1)", "1 + scalar", ""),
            ("an ellipsis", "(..., 0)", "column", ""),
            ("None", "(None, 0)", "row", ""),
            ("a list", "[2, 0]", "y[:2]", ""),
            ("a number", "slice(None, 2)", "2.0", ""),
            ("True", "True", "y", ""),
            ("a tensor", "order", "y", ""),
            ("two tensors", "(order, order)", "row[:3]", ""),
            ("an element of a tensor", "order[0]", "row", "item"),
            ("a mask and a number", "mask", "2.0", "boolean mask"),
            ("a mask and a tensor", "mask", "y[mask]", "boolean mask|dynamic shape"),
            ("itself in reverse", "slice(None)", "s.flip(0)", ""),
        )
    ],
]
ACTIVATIONS = [
    *[
        InplaceOperation(f"F.{name}", f"F.{name}(s, inplace=True)", on="signed")
        for name in (
            *("celu", "elu", "hardsigmoid", "hardswish", "leaky_relu", "mish", "relu", "relu6", "selu"),
            "silu",
        )
    ],
    InplaceOperation("F.hardtanh", "F.hardtanh(s, inplace=True)", on="large"),
    InplaceOperation("F.hardtanh_", "F.hardtanh_(s)", on="large"),
    InplaceOperation("F.threshold", "F.threshold(s, 0.5, 0.25, inplace=True)"),
    *[
        InplaceOperation(name, f"{name}(s)", on="signed")
        for name in (
            *("F.celu_", "F.elu_", "F.leaky_relu_", "F.relu_", "F.selu_"),
            *("torch.celu_", "torch.selu_"),
        )
    ],
    InplaceOperation("F.threshold_", "F.threshold_(s, 0.5, 0.25)"),
    InplaceOperation("torch.threshold_", "torch.threshold_(s, 0.5, 0.25)"),
    InplaceOperation(
        "torch.embedding_renorm_", "torch.embedding_renorm_(s, torch.tensor([0, 2], device=s.device), 0.5, 2.0)"
    ),
    InplaceOperation("F.embedding (a norm)", "F.embedding(torch.tensor([0, 2], device=s.device), s, max_norm=0.5)"),
]
INITIALIZATIONS = [
    InplaceOperation("nn.init.constant_", "nn.init.constant_(s, 2.0)"),
    InplaceOperation("nn.init.dirac_", "nn.init.dirac_(s)", on="deep"),
    InplaceOperation("nn.init.eye_", "nn.init.eye_(s)", refused=NO_RULE),
    InplaceOperation("nn.init.ones_", "nn.init.ones_(s)"),
    InplaceOperation("nn.init.zeros_", "nn.init.zeros_(s)"),
]
_FOREACH = {
    "add sub mul div clamp_max clamp_min maximum minimum pow copy": "[row.clone(), s], [row, y]",
    "addcdiv addcmul": "[row.clone(), s], [row, y], [row, z]",
    "lerp": "[row.clone(), s], [row, y], 0.25",
    "acos asin atan ceil cos cosh erf erfc exp expm1 floor lgamma log log10 log1p log2 neg reciprocal round "
    "rsqrt sigmoid sign sin sinh sqrt tan tanh trunc zero": "[row.clone(), s]",
}
FOREACH = [
    InplaceOperation(f"torch._foreach_{name}_", f"torch._foreach_{name}_({arguments})", refused=NO_RULE)
    for names, arguments in _FOREACH.items()
    for name in names.split()
]
FOREACH += [
    InplaceOperation("torch._foreach_abs_", "torch._foreach_abs_([row.clone(), s])", on="signed", refused=NO_RULE),
    InplaceOperation("torch._foreach_frac_", "torch._foreach_frac_([row.clone(), s])", on="large", refused=NO_RULE),
]
INPLACE_OPERATIONS = [*METHODS, *OPERATORS, *ACTIVATIONS, *INITIALIZATIONS, *FOREACH]

# A mapped index after a slice.
INDEX_AFTER_SLICE = [
    InplaceOperation(f"Tensor.__setitem__ ({what})", f"s.__setitem__({index}, {value})")
    for what, index, value in (
        ("a slice and a tensor, of equal sizes", "(slice(None), order)", "y[:, :3]"),
        ("a slice and a tensor, of other sizes", "(slice(None), order[:2])", "tall"),
        ("an ellipsis and a tensor", "(..., order)", "y[:, :3]"),
        ("a slice and a tensor, of a row", "(slice(None), order)", "row[:3]"),
        ("a slice and a tensor, of a number", "(slice(None), order)", "scalar"),
    )
]
# Autograd refuses their backward where vmap computes them by another decomposition than torch alone.
REFUSED_BACKWARD = (
    *("Tensor.copysign_", "Tensor.scatter_reduce_"),
    *("Tensor.cumprod_", "Tensor.float_power_", "Tensor.hypot_", "Tensor.index_reduce_", "Tensor.ldexp_"),
    *("Tensor.pow_", "Tensor.__ipow__"),
)

# They change metadata of a tensor, such as its shape, and not its values.
RESHAPING = [
    InplaceOperation("Tensor.squeeze_", "s.unsqueeze_(0).squeeze_(0).squeeze_()", on="tall"),
    InplaceOperation("Tensor.swapaxes_", "s.swapaxes_(0, 1)"),
    InplaceOperation("Tensor.swapdims_", "s.swapdims_(0, 1)"),
    InplaceOperation("Tensor.t_", "s.t_()"),
    InplaceOperation("Tensor.transpose_", "s.transpose_(0, 1)"),
    InplaceOperation("Tensor.unsqueeze_", "s.unsqueeze_(1)"),
    InplaceOperation("Tensor.as_strided_", "s.as_strided_((7, 3), (1, 7))"),
    InplaceOperation("Tensor.resize_", "s.resize_(2)"),
    InplaceOperation("Tensor.resize_as_", "s.resize_as_(row)"),
    InplaceOperation("Tensor.set_", "s.set_(y)"),
    InplaceOperation("Tensor.set_ (nothing)", "s.set_()"),
]
