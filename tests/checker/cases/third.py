"""A third set: backward passes in functions, classes, dicts and loops, as people write whole programs.

A gradient has another name in each layer here, so that a mistake is told by its line, and a program is proven by finite
differences of its own loss instead of by its names.
"""

from dataclasses import dataclass

from .schema import PROGRAMS_FOLDER, changed
from .third_proofs import PROOFS


@dataclass(frozen=True)
class ProvenProgram:
    """A right program; `proof` is run after it, see `third_proofs`."""

    id: str
    source: str
    proof: str


@dataclass(frozen=True)
class PlantedLine:
    """A program with one or two mistakes, each on one line; `kinds` describe them honestly."""

    id: str
    program: str
    kinds: frozenset[str]
    edits: tuple[tuple[str, str], ...]

    @property
    def source(self) -> str:
        return changed(self.program, *self.edits)

    @property
    def lines(self) -> set[int]:
        source = changed(self.program)
        return {source[: source.index(right)].count("\n") + 1 for right, _ in self.edits}

    @property
    def proof(self) -> str:
        return PROOFS[self.program.removeprefix("third/")]


def planted_line(program: str, id: str, kinds: str, *edits: tuple[str, str]) -> PlantedLine:
    """A row of the table below."""
    return PlantedLine(f"{program}/{id}", f"third/{program}", frozenset(kinds.split()), edits)


PROVEN_PROGRAMS = tuple(
    ProvenProgram(name, (PROGRAMS_FOLDER / "third" / f"{name}.py").read_text(), proof) for name, proof in PROOFS.items()
)

PLANTED_LINES = (
    planted_line(
        "affine_relu_softmax",
        "dx-doubled-under-a-skeleton",
        "scale extra-factor",
        ("(dout @ w.T).reshape(x.shape)", "(dout @ w.T).reshape(x.shape) * 2"),
    ),
    planted_line(
        "affine_relu_softmax",
        "db-mean-under-a-skeleton",
        "scale wrong-operator misplaced-sum",
        ("db = dout.sum(0)", "db = dout.mean(0)"),
    ),
    planted_line(
        "affine_relu_softmax",
        "relu-turned",
        "wrong-operator sign",
        ("dx = dout * (x > 0)", "dx = dout * (x < 0)"),
    ),
    planted_line(
        "affine_relu_softmax",
        "wrong-axis-divided",
        "scale wrong-constant wrong-index wrong-variable wrong-dim",
        ("dx /= N", "dx /= x.shape[1]"),
    ),
    planted_line(
        "makemore_layers",
        "weight-divided",
        "scale extra-factor",
        ("self.dweight = self.x.T @ dout", "self.dweight = self.x.T @ dout / len(dout)"),
    ),
    planted_line(
        "makemore_layers",
        "square-lost",
        "wrong-constant wrong-variable missing-factor wrong-operator",
        ("return (1.0 - self.out**2) * dout", "return (1.0 - self.out) * dout"),
    ),
    planted_line(
        "batchnorm_class",
        "gamma-of-the-output",
        "wrong-variable",
        ("self.dgamma = (dout * self.xhat).sum(0)", "self.dgamma = (dout * self.out).sum(0)"),
    ),
    planted_line(
        "batchnorm_class",
        "beta-for-gamma",
        "wrong-variable",
        ("dxhat = dout * self.gamma", "dxhat = dout * self.beta"),
    ),
    planted_line(
        "batchnorm_class",
        "mean-sign",
        "sign",
        ("(N * dxhat - dxhat.sum(0)", "(N * dxhat + dxhat.sum(0)"),
    ),
    planted_line(
        "batchnorm_class",
        "bessel",
        "bessel scale",
        ("(self.inv / N) *", "(self.inv / (N - 1)) *"),
    ),
    planted_line(
        "selfcache_layers",
        "bias-mean",
        "scale wrong-operator",
        ('self.grads["b"] = dout.sum(dim=0)', 'self.grads["b"] = dout.mean(dim=0)'),
    ),
    planted_line(
        "selfcache_layers",
        "divided-by-rows",
        "scale wrong-operator",
        ("2 * self.cache / self.cache.numel()", "2 * self.cache / len(self.cache)"),
    ),
    planted_line(
        "autograd_function",
        "cube-for-square",
        "wrong-constant",
        ("da = 3 * a**2 / a.numel()", "da = 3 * a**3 / a.numel()"),
    ),
    planted_line(
        "autograd_function",
        "beta-first-power",
        "wrong-constant missing-factor wrong-variable",
        ("dbeta = (da * z**2", "dbeta = (da * z"),
    ),
    planted_line(
        "rnn_lists",
        "state-one-late",
        "wrong-index wrong-constant",
        ("dWh += hs[t].T @ dz", "dWh += hs[t + 1].T @ dz"),
    ),
    planted_line(
        "rnn_lists",
        "bias-last-step-only",
        "overwrite missing-term missing-path wrong-operator",
        ("db += dz.sum(0)", "db = dz.sum(0)"),
    ),
    planted_line(
        "adam_minibatch",
        "kink-of-the-output",
        "wrong-operator wrong-variable",
        ("dz1 = da1 * (z1 > 0).float()", "dz1 = da1 * (a1 >= 0).float()"),
    ),
    planted_line(
        "adam_minibatch",
        "bias-before-the-kink",
        "wrong-variable",
        ('grads["b1"] = dz1.sum(0)', 'grads["b1"] = da1.sum(0)'),
    ),
    planted_line(
        "dataclass_cache",
        "gamma-wrong-axis",
        "wrong-dim shape",
        ("dgamma = (dout * c.xhat).sum(0)", "dgamma = (dout * c.xhat).sum(1)"),
    ),
    planted_line(
        "dataclass_cache",
        "gamma-and-beta-swapped",
        "wrong-variable",
        ("du, grads.gamma, grads.beta =", "du, grads.beta, grads.gamma ="),
    ),
    planted_line(
        "nested_dicts",
        "slope-of-the-input",
        "wrong-variable",
        ("dz1 = dh1 * (1 - h1 * h1)", "dz1 = dh1 * (1 - z1 * z1)"),
    ),
    planted_line(
        "nested_dicts",
        "bias-before-the-slope",
        "wrong-variable",
        ('grads["layer1"]["b"] += dz1.sum(0)', 'grads["layer1"]["b"] += dh1.sum(0)'),
    ),
    planted_line(
        "gru_cell_class",
        "gate-sign",
        "sign",
        ("dz = dh_next * (c - h)", "dz = dh_next * (h - c)"),
    ),
    planted_line(
        "gru_cell_class",
        "direct-path-lost",
        "missing-path missing-term overwrite",
        ("dh = dh + dxrh[:, nx:] * r", "dh = dxrh[:, nx:] * r"),
    ),
    planted_line(
        "gru_cell_class",
        "other-slice",
        "wrong-index",
        ("dr = dxrh[:, nx:] * h", "dr = dxrh[:, :-nx] * h"),
    ),
    planted_line(
        "momentum_class_optimizer",
        "sigmoid-lost",
        "missing-factor wrong-variable wrong-operator",
        ("dz2 = (z2.sigmoid() - yb) / len(yb)", "dz2 = (z2 - yb) / len(yb)"),
    ),
    planted_line(
        "dropout_train_test",
        "mask-unscaled",
        "scale missing-factor",
        ("dx = dout * mask", "dx = dout * (mask > 0)"),
    ),
    planted_line(
        "no_grad_decorator",
        "divided-by-classes",
        "wrong-variable scale",
        ("dlogits /= n", "dlogits /= k"),
    ),
    planted_line(
        "decorator_timer",
        "inner-sign",
        "sign",
        ("ds = de * e * (-2 * s)", "ds = de * e * (2 * s)"),
    ),
    planted_line(
        "recursion_tree",
        "weight-written-over",
        "overwrite missing-path missing-term",
        ("dW += cat.T @ dz", "dW = cat.T @ dz"),
    ),
    planted_line(
        "recursion_tree",
        "sigmoid-for-tanh",
        "wrong-operator wrong-constant",
        ("dz = dh * (1 - h**2)", "dz = dh * h * (1 - h)"),
    ),
    planted_line(
        "args_lambda_ops",
        "cosine-sign",
        "sign",
        ("lambda x, g: torch.cos(x) * g", "lambda x, g: -torch.cos(x) * g"),
    ),
    planted_line(
        "bn_running_stats_dict",
        "std-sign",
        "sign",
        ("dstd = -torch.sum(", "dstd = torch.sum("),
    ),
    planted_line(
        "conv_layer_loops",
        "patches-written-over",
        "overwrite",
        ("dxp[:, :, rows, cols] += torch", "dxp[:, :, rows, cols] = torch"),
    ),
    planted_line(
        "attention_class",
        "keys-not-transposed",
        "transpose",
        ("dk = ds.transpose(-2, -1) @ q", "dk = ds @ q"),
    ),
    planted_line(
        "attention_class",
        "values-lost",
        "missing-path missing-term",
        ("return dq @ self.Wq.T + dk @ self.Wk.T + dv @ self.Wv.T", "return dq @ self.Wq.T + dk @ self.Wk.T"),
    ),
    planted_line(
        "numeric_gradcheck_decimal",
        "decay-halved",
        "scale missing-factor",
        ("+ 2 * reg * W", "+ reg * W"),
    ),
    planted_line(
        "vae_class",
        "std-in-the-mean",
        "extra-factor",
        ("dz = dxr @ self.Wd.T", "dz = dxr @ self.Wd.T * std"),
    ),
    planted_line(
        "vae_class",
        "half-lost",
        "missing-factor scale",
        ("dlogvar = dz * eps * std * 0.5", "dlogvar = dz * eps * std"),
    ),
    planted_line(
        "vae_class",
        "divergence-lost",
        "missing-path missing-term",
        ("dmu = dz + mu / n", "dmu = dz"),
    ),
    planted_line(
        "inheritance_super_backward",
        "mask-lost",
        "missing-factor",
        ("return super().backward(dout * self.on)", "return super().backward(dout)"),
    ),
    planted_line(
        "groupnorm_module_like",
        "batch-not-summed",
        "wrong-dim missing-sum shape wrong-constant",
        ("self.db = dy.sum((0, 2), keepdim=True)", "self.db = dy.sum(2, keepdim=True)"),
    ),
    planted_line(
        "groupnorm_module_like",
        "std-power",
        "wrong-constant",
        ("dvar = -0.5 * distd * self.istd**3", "dvar = -0.5 * distd * self.istd**2"),
    ),
    planted_line(
        "contrastive_siamese",
        "not-transposed",
        "transpose",
        ("dub = dsim.T @ ua / tau", "dub = dsim @ ua / tau"),
    ),
    planted_line(
        "rnn_clipped_gradients",
        "state-one-late",
        "wrong-index wrong-constant",
        ("dR += torch.outer(states[t - 1], draw)", "dR += torch.outer(states[t], draw)"),
    ),
    planted_line(
        "batchnorm_class",
        "gamma-and-bessel",
        "bessel scale wrong-variable",
        ("self.dgamma = (dout * self.xhat).sum(0)", "self.dgamma = (dout * self.out).sum(0)"),
        ("(self.inv / N) *", "(self.inv / (N - 1)) *"),
    ),
    planted_line(
        "rnn_lists",
        "state-and-bias",
        "missing-path missing-term overwrite wrong-constant wrong-index wrong-operator",
        ("dWh += hs[t].T @ dz", "dWh += hs[t + 1].T @ dz"),
        ("db += dz.sum(0)", "db = dz.sum(0)"),
    ),
    planted_line(
        "groupnorm_module_like",
        "axis-and-power",
        "missing-sum shape wrong-constant wrong-dim",
        ("self.db = dy.sum((0, 2), keepdim=True)", "self.db = dy.sum(2, keepdim=True)"),
        ("dvar = -0.5 * distd * self.istd**3", "dvar = -0.5 * distd * self.istd**2"),
    ),
    planted_line(
        "affine_relu_softmax",
        "bias-and-kink",
        "misplaced-sum scale sign wrong-operator",
        ("db = dout.sum(0)", "db = dout.mean(0)"),
        ("dx = dout * (x > 0)", "dx = dout * (x < 0)"),
    ),
)
