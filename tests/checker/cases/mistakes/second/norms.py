"""Mistakes in layer norm as functions and in group norm."""

from functools import partial

from ...schema import planted

layer = partial(planted, "second/layernorm_functions")
group = partial(planted, "second/group_norm")

ROWS = (
    layer(
        "mean-of-products-lost",
        "inputs",
        "missing-term",
        " - xhat * (dxhat * xhat).mean(-1, keepdim=True))",
        ")",
        "missing-path",
    ),
    layer("sum-for-mean", "inputs", "wrong-operator", "dxhat - dxhat.mean(-1", "dxhat - dxhat.sum(-1", "scale"),
    layer("mean-over-tokens", "inputs", "wrong-dim", "dxhat - dxhat.mean(-1", "dxhat - dxhat.mean(0"),
    layer(
        "inverse-of-rstd", "inputs", "wrong-operator", "dx = rstd * (dxhat", "dx = 1 / rstd * (dxhat", "wrong-variable"
    ),
    layer(
        "dgamma-over-batch-only",
        "gamma",
        "shape",
        "dgamma = (dout * xhat).sum((0, 1))",
        "dgamma = (dout * xhat).sum(0)",
        "missing-sum",
        "wrong-dim",
    ),
    layer(
        "dgamma-no-xhat", "gamma", "missing-factor", "dgamma = (dout * xhat).sum((0, 1))", "dgamma = dout.sum((0, 1))"
    ),
    layer("dbeta-mean", "beta", "scale", "dbeta = dout.sum((0, 1))", "dbeta = dout.mean((0, 1))", "wrong-operator"),
    layer("dw-index-order", "weight", "transpose", '"btc,btd->cd", x, dout', '"btc,btd->dc", x, dout', "shape"),
    group(
        "half-lost",
        "diff",
        "wrong-constant",
        "grad_diff = diff / N",
        "grad_diff = 2 * diff / N",
        "extra-factor",
        "scale",
    ),
    group(
        "per-element",
        "diff",
        "wrong-operator",
        "grad_diff = diff / N",
        "grad_diff = diff / diff.numel()",
        "scale",
        "extra-factor",
        "wrong-variable",
    ),
    group(
        "sigmoid-of-output",
        "affine",
        "wrong-variable",
        "grad_affine += grad_sig * sig * (1 - sig)",
        "grad_affine += grad_sig * out * (1 - out)",
    ),
    group("one-minus-lost", "affine", "missing-factor", "grad_sig * sig * (1 - sig)", "grad_sig * sig"),
    group(
        "gate-path-lost", "affine", "missing-path", "grad_affine += grad_sig * sig * (1 - sig)\n", "", "missing-term"
    ),
    group(
        "gate-by-alias",
        "grad_out",
        "in-place",
        "grad_affine = grad_out * sig\n",
        "grad_affine = grad_out\ngrad_affine *= sig\n",
        hazard=True,
    ),
    group(
        "scale-over-pixels-only",
        "scale",
        "wrong-dim",
        "grad_scale = (grad_affine * restored).sum(dim=(0, 2, 3), keepdim=True)",
        "grad_scale = (grad_affine * restored).sum(dim=(2, 3), keepdim=True)",
        "missing-sum",
        "shape",
    ),
    group(
        "shift-keepdim",
        "shift",
        "shape",
        "grad_shift = grad_affine.sum(dim=(0, 2, 3), keepdim=True)",
        "grad_shift = grad_affine.sum(dim=(0, 2, 3))",
    ),
    group(
        "restored-of-shift",
        "restored",
        "wrong-variable",
        "grad_restored = grad_affine * scale",
        "grad_restored = grad_affine * shift",
    ),
    group("std-plus", "std", "sign", "grad_std = -(grad_normalized", "grad_std = (grad_normalized"),
    group(
        "std-not-squared",
        "std",
        "wrong-constant",
        "keepdim=True) / std**2",
        "keepdim=True) / std",
        "missing-factor",
        "wrong-variable",
    ),
    group(
        "std-over-channels",
        "std",
        "wrong-dim",
        "(grad_normalized * centered).sum(dim=(2, 3, 4), keepdim=True) / std**2",
        "(grad_normalized * centered).sum(dim=(1, 2, 3, 4), keepdim=True) / std**2",
        "extra-sum",
    ),
    group("var-of-var", "var", "wrong-variable", "grad_var = grad_std / (2 * std)", "grad_var = grad_std / (2 * var)"),
    group(
        "var-no-half",
        "var",
        "missing-factor",
        "grad_var = grad_std / (2 * std)",
        "grad_var = grad_std / std",
        "scale",
        "wrong-constant",
    ),
    group(
        "mean-lost",
        "grouped",
        "missing-path",
        "grad_grouped = grad_centered + grad_mean / m",
        "grad_grouped = grad_centered",
        "missing-term",
    ),
    group(
        "mean-plus",
        "grouped",
        "sign",
        "grad_centered + grad_mean / m",
        "grad_centered - grad_mean / m",
        "wrong-operator",
    ),
    group(
        "mean-over-batch",
        "mean",
        "wrong-dim",
        "grad_mean = -grad_centered.sum(dim=(2, 3, 4), keepdim=True)",
        "grad_mean = -grad_centered.sum(dim=(0, 3, 4), keepdim=True)",
        "shape",
    ),
    group(
        "channels-shuffled",
        "x",
        "transpose",
        "grad_x = grad_grouped.reshape(N, C, H, W)",
        "grad_x = grad_grouped.transpose(1, 2).reshape(N, C, H, W)",
        "wrong-operator",
    ),
)
