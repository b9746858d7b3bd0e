"""Functions by their definition in others, through which their gradient comes back.

The value of a definition is compared with the function's own when it is used, so that none is used where it does not
hold. It is written in PyTorch, of the names of the function's arguments.
"""

from collections.abc import Callable

from handgrad.derive.rules.adjoint import Site

DEFINITIONS: dict[str, str | Callable[[Site], str]] = {
    "rsub": "other - alpha * x",
    "addmm": "beta * bias + alpha * (x @ other)",
    "addmv": "beta * bias + alpha * (x @ other)",
    "addr": "beta * bias + alpha * (x[:, None] * other)",
    "addbmm": "beta * bias + alpha * (x @ other).sum(0)",
    "linear": lambda site: "x @ weight.T" if site["bias"] is None else "x @ weight.T + bias",
    "outer": "x[:, None] * other",
    "vecdot": "(x * other).sum(dim)",
    "dist": "(x - other).norm(p)",
    "softmin": "torch.softmax(-x, dim)",
    "pairwise_distance": "(x - other + eps).norm(p, dim, keepdim=keepdim)",
    "cosine_similarity": "(x * other).sum(dim) / (x.norm(dim=dim) * other.norm(dim=dim))",
}


def definition_of(site: Site) -> str | None:
    """The definition of a call, in the names of its arguments; None where it has none."""
    definition = DEFINITIONS.get(site.name)
    return definition(site) if callable(definition) else definition
