"""The slope of each elementwise function, as an expression of its argument `x` and its value `y`.

Source: the differentiation rules of any calculus text; `gelu` from Hendrycks and Gimpel 2016, `silu` from Elfwing et
al. 2018, `mish` from Misra 2019, `selu` from Klambauer et al. 2017. The slope is written with `y` where that is shorter
or keeps a large `x` from overflowing. Further names in it are the function's own arguments (`negative_slope`). Where a
function has no derivative, the slope is the one that PyTorch takes.
"""

SLOPES: dict[str, str] = {
    "exp": "y",
    "exp2": "y * math.log(2)",
    "expm1": "y + 1",
    "log": "1 / x",
    "log2": "1 / (x * math.log(2))",
    "log10": "1 / (x * math.log(10))",
    "log1p": "1 / (1 + x)",
    "sqrt": "1 / (2 * y)",
    "cbrt": "1 / (3 * y**2)",
    "rsqrt": "-0.5 * y**3",
    "square": "2 * x",
    "reciprocal": "-y**2",
    "abs": "torch.sign(x)",
    "sin": "torch.cos(x)",
    "cos": "-torch.sin(x)",
    "tan": "1 + y**2",
    "asin": "(1 - x**2)**-0.5",
    "acos": "-(1 - x**2)**-0.5",
    "atan": "1 / (1 + x**2)",
    "sinh": "torch.cosh(x)",
    "cosh": "torch.sinh(x)",
    "tanh": "1 - y**2",
    "asinh": "(x**2 + 1)**-0.5",
    "acosh": "(x**2 - 1)**-0.5",
    "atanh": "1 / (1 - x**2)",
    "sinc": "torch.where(x == 0, 0, (torch.cos(math.pi * x) - y) / x)",
    "deg2rad": "math.pi / 180",
    "rad2deg": "180 / math.pi",
    "erf": "2 / math.sqrt(math.pi) * torch.exp(-x**2)",
    "erfc": "-2 / math.sqrt(math.pi) * torch.exp(-x**2)",
    "erfcx": "2 * x * y - 2 / math.sqrt(math.pi)",
    "erfinv": "math.sqrt(math.pi) / 2 * torch.exp(y**2)",
    "ndtr": "torch.exp(-x**2 / 2) / math.sqrt(2 * math.pi)",
    "log_ndtr": "math.sqrt(2 / math.pi) / torch.special.erfcx(-x / math.sqrt(2))",
    "entr": "-torch.log(x) - 1",
    "lgamma": "torch.digamma(x)",
    "digamma": "torch.polygamma(1, x)",
    "polygamma": "torch.polygamma(n + 1, x)",
    "i0": "torch.special.i1(x)",
    "i0e": "torch.special.i1e(x) - torch.sign(x) * y",
    "sigmoid": "y * (1 - y)",
    "logsigmoid": "torch.sigmoid(-x)",
    "softplus": "torch.sigmoid(beta * x)",
    "relu": "(x > 0)",
    "relu6": "((x > 0) & (x < 6))",
    "threshold": "(x > threshold)",
    "leaky_relu": "torch.where(x > 0, 1.0, negative_slope)",
    "elu": "torch.where(x > 0, 1.0, y + alpha)",
    "celu": "torch.where(x > 0, 1.0, y / alpha + 1)",
    "selu": "torch.where(x > 0, 1.0507009873554805, y + 1.7580993408473766)",
    "silu": "torch.sigmoid(x) * (1 + x * (1 - torch.sigmoid(x)))",
    "mish": "torch.tanh(F.softplus(x)) + x * (1 - torch.tanh(F.softplus(x))**2) * torch.sigmoid(x)",
    "gelu": "0.5 * (1 + torch.erf(x / math.sqrt(2))) + x * torch.exp(-x**2 / 2) / math.sqrt(2 * math.pi)",
    "gelu_tanh": (
        "0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))"
        " + 0.5 * x * (1 - torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))**2)"
        " * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)"
    ),
    "softsign": "1 / (1 + torch.abs(x))**2",
    "tanhshrink": "torch.tanh(x)**2",
    "softshrink": "((x > lambd) | (x < -lambd))",
    "hardshrink": "((x > lambd) | (x < -lambd))",
    "hardtanh": "((x > min_val) & (x < max_val))",
    "hardsigmoid": "((x > -3) & (x < 3)) / 6",
    "hardswish": "torch.where(x <= -3, 0, torch.where(x < 3, x / 3 + 0.5, 1))",
    "nan_to_num": "torch.isfinite(x)",
}

FROM_VALUE: dict[str, str] = {
    "relu": "(y > 0)",
    "relu6": "((y > 0) & (y < 6))",
    "hardtanh": "((y > min_val) & (y < max_val))",
}
"""The slope by the value alone, where that has a name and the argument has none."""

GRADIENT_FREE = frozenset(
    {
        *("sign", "floor", "ceil", "round", "trunc", "floor_divide", "heaviside", "detach", "one_hot", "bernoulli"),
        *("zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like", "randint_like"),
        *("new_zeros", "new_ones", "new_full", "new_empty", "new_tensor"),
    }
)
"""Functions through which nothing comes back: their slope is zero wherever it is defined."""
