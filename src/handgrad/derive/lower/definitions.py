"""Functions that are made of others: each as the source of its definition, which is lowered as if it stood there.

A definition may have lines before its value. In it, an argument's name stands for what the call was given, `dims` for
the axes that a `normalized_shape` covers, `rest(x, k)` for all axes of x from the k-th on, and `size(x, d)` for a size.
Where a function has variants, an entry is a mapping from the value of an argument to the definition.

Source: the formulas in PyTorch's documentation of each function.
"""

import ast
import copy
from collections.abc import Mapping

from handgrad.derive.indices import Axis
from handgrad.derive.lower.graph import Indexed, UnsupportedError, fitting, is_hidden
from handgrad.derive.lower.lowering import Lowered, Lowering, lowers
from handgrad.derive.read.calls import Call

SQUARED_DISTANCE = "((x[..., :, None, :] - other[..., None, :, :])**2).sum(-1)"

DEFINITIONS: dict[str, str] = {
    # activations
    "leaky_relu": "torch.where(x > 0, x, negative_slope * x)",
    "prelu": "torch.where(x > 0, x, weight * x)",
    "elu": "torch.where(x > 0, x, alpha * (torch.exp(x) - 1))",
    "celu": "torch.where(x > 0, x, alpha * (torch.exp(x / alpha) - 1))",
    "selu": "1.0507009873554805 * torch.where(x > 0, x, 1.6732632423543772 * (torch.exp(x) - 1))",
    "silu": "s = torch.sigmoid(x)\nx * s",
    "gelu:none": "c = 0.5 * (1 + torch.erf(x / 2**0.5))\nx * c",
    "gelu:tanh": "t = torch.tanh((2 / torch.pi)**0.5 * (x + 0.044715 * x**3))\n0.5 * x * (1 + t)",
    "mish": "t = torch.tanh(torch.nn.functional.softplus(x))\nx * t",
    "hardsigmoid": "torch.clamp(x / 6 + 0.5, 0, 1)",
    "hardswish": "x * torch.clamp(x / 6 + 0.5, 0, 1)",
    "softsign": "x / (1 + torch.abs(x))",
    "tanhshrink": "x - torch.tanh(x)",
    "logit": "torch.log(x / (1 - x))",
    "glu": "a = x.chunk(2, dim)\na[0] * torch.sigmoid(a[1])",
    # arithmetic
    "lerp": "x + weight * (end - x)",
    "addcmul": "x + value * a * b",
    "addcdiv": "x + value * a / b",
    "bilinear": "torch.einsum('ni,oij,nj->no', x, weight, other) + bias",
    # distances
    "normalize": "r = torch.clamp(torch.norm(x, p, dim, True), min=eps)\nx / r",
    "cosine_similarity": "rx = torch.clamp(torch.norm(x, 2, dim), min=eps)\n"
    "ry = torch.clamp(torch.norm(other, 2, dim), min=eps)\n(x * other).sum(dim) / (rx * ry)",
    "pairwise_distance": "torch.norm(x - other + eps, p, -1, keepdim)",
    "cdist": SQUARED_DISTANCE + "**0.5",
    # norms
    "layer_norm": "xc = x - x.mean(dims, keepdim=True)\nrstd = ((xc**2).mean(dims, keepdim=True) + eps)**-0.5\n"
    "xhat = xc * rstd\nxhat * weight + bias",
    "rms_norm": "rstd = ((x**2).mean(dims, keepdim=True) + eps)**-0.5\nxhat = x * rstd\nxhat * weight",
    # losses
    "mse_loss": "(x - target)**2",
    "l1_loss": "torch.abs(x - target)",
    "smooth_l1_loss": "d = torch.abs(x - target)\ntorch.where(d < beta, 0.5 * (x - target)**2 / beta, d - 0.5 * beta)",
    "huber_loss": "e = x - target\nd = torch.abs(e)\ntorch.where(d <= delta, 0.5 * e**2, delta * (d - 0.5 * delta))",
    "binary_cross_entropy": "-(target * torch.log(x) + (1 - target) * torch.log(1 - x))",
    "binary_cross_entropy_with_logits": "torch.nn.functional.softplus(x) - target * x",
    "kl_div:False": "target * torch.log(target) - target * x",
    "kl_div:True": "torch.exp(target) * (target - x)",
    "gaussian_nll_loss": "0.5 * (torch.log(var) + (x - target)**2 / var)",
    "poisson_nll_loss:True": "torch.exp(x) - target * x",
    "poisson_nll_loss:False": "x - target * torch.log(x + 1e-8)",
    "soft_margin_loss": "torch.nn.functional.softplus(-target * x)",
    "margin_ranking_loss": "torch.relu(-target * (x - other) + margin)",
    "hinge_embedding_loss": "torch.where(target > 0, x, torch.relu(margin - x))",
    "triplet_margin_loss": "torch.relu(torch.norm(anchor - positive + eps, 2, -1)"
    " - torch.norm(anchor - negative + eps, 2, -1) + margin)",
}
"""Each function's definition; after a colon the value of the argument in VARIANTS."""

VARIANTS = {"gelu": "approximate", "kl_div": "log_target", "poisson_nll_loss": "log_input"}
LOSSES = frozenset(name.split(":")[0] for name in DEFINITIONS if "loss" in name or "cross" in name or "kl" in name)


@lowers(*dict.fromkeys(name.split(":")[0] for name in DEFINITIONS))
def _defined(low: Lowering, call: Call) -> Lowered:
    name = call.name
    if name in VARIANTS:
        name = f"{name}:{low.value(call[VARIANTS[name]])}"
    _refuse_options(low, call)
    text = DEFINITIONS[name]
    if text.count("x") > 1 and _is_sum(low.tensor(call["x"])):
        _remember(low, call["x"], "pre")
    for option in ("weight", "bias"):
        if option in call.arguments and low.value(call[option]) is None:
            text = text.replace(f" * {option}", "").replace(f" + {option}", "")
    arguments = dict(call.arguments)
    if "normalized_shape" in arguments:
        count = len(low.value(arguments["normalized_shape"]))
        arguments["dims"] = _constant(tuple(range(-count, 0)) if count > 1 else -1)
    if call.name in LOSSES:
        text = _averaged(text, str(low.value(call["reduction"])), call.name)
    return lower_text(low, text, arguments)


def _averaged(text: str, reduction: str, name: str) -> str:
    *before, last = text.split("\n")
    if reduction in ("mean", "sum"):
        last = f"({last}).{reduction}()"
    elif reduction == "batchmean":
        last = f"({last}).sum() / x.shape[0]"
    elif reduction != "none":
        raise UnsupportedError(f"`{name}` with reduction={reduction!r} has no index notation here")
    return "\n".join([*before, last])


PLAIN_ONLY: Mapping[str, Mapping[str, object]] = {
    "binary_cross_entropy": {"weight": None},
    "binary_cross_entropy_with_logits": {"weight": None, "pos_weight": None},
    "gaussian_nll_loss": {"full": False},
    "logit": {"eps": None},
    "cdist": {"p": 2},
    "pairwise_distance": {"p": 2},
    "triplet_margin_loss": {"p": 2},
}
"""Options that a definition does not cover: what they have to be."""


def _refuse_options(low: Lowering, call: Call) -> None:
    for option, expected in PLAIN_ONLY.get(call.name, {}).items():
        if low.value(call[option]) != expected:
            raise UnsupportedError(
                f"`{call.name}` with {option}={ast.unparse(call[option])} has no index notation here"
            )


def _constant(value: object) -> ast.expr:
    return ast.parse(repr(value), mode="eval").body


def lower_text(low: Lowering, text: str, arguments: Mapping[str, ast.expr]) -> Lowered:
    """Lower the lines of a definition as if they stood in the program, with the call's own arguments."""
    known = dict(arguments)
    *before, last = ast.parse(text).body
    for node in before:
        assert isinstance(node, ast.Assign)
        (target,) = node.targets
        assert isinstance(target, ast.Name)
        known[target.id] = _put(node.value, known)
        _remember(low, known[target.id], target.id)
    assert isinstance(last, ast.Expr)
    return low.lower(_put(last.value, known))


def _is_sum(made: Indexed) -> bool:
    """Whether a value is a sum of some kind, and no view of what has a name."""
    plain = all(i is None or isinstance(i, Axis) for i in made.axes)
    return plain and (len(made.expr) > 1 or any(product.bound for product, _ in made.expr))


def _remember(low: Lowering, node: ast.expr, word: str) -> None:
    """Give a local of a definition a name, should it need a line of its own."""
    made = low.lower(node)
    if isinstance(made, Indexed):
        named = low.graph.name(made)
        low.keep(node, named)
        single = named.expr.single()
        if single is not None and is_hidden(single.name):
            low.graph.words.setdefault(single.name, fitting(low.graph, word))


class _Put(ast.NodeTransformer):
    def __init__(self, known: Mapping[str, ast.expr]):
        self.known = known

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return copy.deepcopy(self.known[node.id]) if node.id in self.known else node


def _put(node: ast.expr, known: Mapping[str, ast.expr]) -> ast.expr:
    return ast.fix_missing_locations(_Put(known).visit(copy.deepcopy(node)))


__all__ = ["DEFINITIONS", "Indexed", "lower_text"]
