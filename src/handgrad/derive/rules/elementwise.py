"""The slope of each elementwise function, as an expression of its argument `x` and its value `y`.

Source: the differentiation rules of any calculus text; `gelu` from Hendrycks and Gimpel 2016, `silu` from Elfwing et
al. 2018, `mish` from Misra 2019, `selu` from Klambauer et al. 2017. The slope is written with `y` where that is shorter
or keeps a large `x` from overflowing. Further names in it are the function's own arguments (`negative_slope`).
"""

SLOPES: dict[str, str] = {
    "exp": "y",
    "exp2": "y * math.log(2)",
    "expm1": "y + 1",
    "log": "1 / x",
    "log2": "1 / (x * math.log(2))",
    "log10": "1 / (x * math.log(10))",
    "log1p": "1 / (1 + x)",
    "sqrt": "0.5 / y",
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
    "erf": "2 / math.sqrt(math.pi) * torch.exp(-x**2)",
    "erfc": "-2 / math.sqrt(math.pi) * torch.exp(-x**2)",
    "sigmoid": "y * (1 - y)",
    "logsigmoid": "torch.sigmoid(-x)",
    "softplus": "torch.sigmoid(beta * x)",
    "relu": "(x > 0)",
    "relu6": "((x > 0) & (x < 6))",
    "leaky_relu": "torch.where(x > 0, 1.0, negative_slope)",
    "elu": "torch.where(x > 0, 1.0, y + alpha)",
    "celu": "torch.where(x > 0, 1.0, y / alpha + 1)",
    "selu": "torch.where(x > 0, 1.0507009873554805, y + 1.7580993408473766)",
    "silu": "torch.sigmoid(x) * (1 + x * (1 - torch.sigmoid(x)))",
    "softsign": "1 / (1 + torch.abs(x))**2",
    "tanhshrink": "torch.tanh(x)**2",
    "hardtanh": "((x > min_val) & (x < max_val))",
    "hardsigmoid": "((x > -3) & (x < 3)) / 6",
    "lgamma": "torch.digamma(x)",
}

GRADIENT_FREE = frozenset({"sign", "floor", "ceil", "round", "detach", "one_hot"})
"""Functions through which nothing comes back: their slope is zero wherever it is defined."""
