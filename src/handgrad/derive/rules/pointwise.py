"""Functions of several arguments that are broadcast: what comes back to each, before it is summed to its shape."""

POINTWISE: dict[str, dict[str, str]] = {
    "add": {"x": "dy", "other": "alpha * dy"},
    "sub": {"x": "dy", "other": "-alpha * dy"},
    "mul": {"x": "other * dy", "other": "x * dy"},
    "div": {"x": "dy / other", "other": "-y / other * dy"},
    "neg": {"x": "-dy"},
    "positive": {"x": "dy"},
}
