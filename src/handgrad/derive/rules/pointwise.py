"""Functions of several arguments that are broadcast: what comes back to each, before it is summed to its shape.

Source: the differentiation rules of any calculus text.
"""

POINTWISE: dict[str, dict[str, str]] = {
    "add": {"x": "dy", "other": "alpha * dy"},
    "sub": {"x": "dy", "other": "-alpha * dy"},
    "mul": {"x": "other * dy", "other": "x * dy"},
    "div": {"x": "dy / other", "other": "-y / other * dy"},
    "neg": {"x": "-dy"},
    "positive": {"x": "dy"},
    "frac": {"x": "dy"},
    "remainder": {"x": "dy", "other": "-torch.floor(x / other) * dy"},
    "fmod": {"x": "dy", "other": "-torch.trunc(x / other) * dy"},
    "where": {"x": "torch.where(condition, dy, 0)", "other": "torch.where(condition, 0, dy)"},
    "fmax": {"x": "(x >= other) * dy", "other": "(x < other) * dy"},
    "fmin": {"x": "(x <= other) * dy", "other": "(x > other) * dy"},
    "atan2": {"x": "other / (x**2 + other**2) * dy", "other": "-x / (x**2 + other**2) * dy"},
    "hypot": {"x": "x / y * dy", "other": "other / y * dy"},
    "logaddexp": {"x": "torch.exp(x - y) * dy", "other": "torch.exp(other - y) * dy"},
    "logaddexp2": {"x": "torch.exp2(x - y) * dy", "other": "torch.exp2(other - y) * dy"},
    "xlogy": {
        "x": "torch.where((x == 0) & (other <= 0), 0, torch.log(other)) * dy",
        "other": "x / other * dy",
    },
    "xlog1py": {
        "x": "torch.where((x == 0) & (other <= -1), 0, torch.log1p(other)) * dy",
        "other": "x / (other + 1) * dy",
    },
    "lerp": {"x": "(1 - weight) * dy", "end": "weight * dy", "weight": "(end - x) * dy"},
    "addcmul": {"x": "dy", "a": "value * b * dy", "b": "value * a * dy"},
    "addcdiv": {"x": "dy", "a": "value * dy / b", "b": "-value * a / b**2 * dy"},
    "prelu": {"x": "torch.where(x > 0, dy, weight * dy)", "weight": "torch.where(x > 0, 0, x * dy)"},
}
