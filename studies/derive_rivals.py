"""What other tools write for batch norm and cross-entropy, beside `handgrad derive`: run each, print its source.

    pip install tangent-ad==0.4.0 tensorgrad==0.3.0
    python studies/derive_rivals.py

Each gradient is compared with central differences, or with autograd where the tool works on PyTorch. For each tool and
pass: its lines, its names, and what came of it.
"""

import contextlib
import io
import re
from collections.abc import Callable

import numpy as np
import torch

N, V, H = 32, 27, 64


def cross_entropy(logits, onehot, n):
    """The lecture's loss in NumPy, for one-hot targets."""
    logit_maxes = np.max(logits, axis=1, keepdims=True)
    norm_logits = logits - logit_maxes
    counts = np.exp(norm_logits)
    counts_sum = np.sum(counts, axis=1, keepdims=True)
    probs = counts / counts_sum
    logprobs = np.log(probs)
    return -np.sum(logprobs * onehot) / n


def batch_norm(hprebn, bngain, bnbias, upstream, m):
    """The lecture's batch norm in NumPy; `m` is n - 1, since a call in it would hide n."""
    bnmeani = np.mean(hprebn, axis=0, keepdims=True)
    bndiff = hprebn - bnmeani
    bnvar = np.sum(bndiff**2, axis=0, keepdims=True) / m
    bnvar_inv = (bnvar + 1e-5) ** -0.5
    bnraw = bndiff * bnvar_inv
    hpreact = bngain * bnraw + bnbias
    return np.sum(hpreact * upstream)


def numbers():
    """Arguments of both functions, random in float64."""
    rng = np.random.default_rng(0)
    draw = rng.standard_normal
    onehot = np.eye(V)[rng.integers(0, V, N)]
    return {
        cross_entropy: (draw((N, V)), onehot, N),
        batch_norm: (draw((N, H)), draw((1, H)), draw((1, H)), draw((N, H)), N - 1),
    }


def error(function: Callable, arguments: tuple, gradient: np.ndarray, step: float = 1e-6) -> float:
    """The greatest difference from central differences at twenty elements, relative to the greatest of them."""
    x, *rest = arguments
    places = [tuple(p) for p in np.random.default_rng(1).integers(0, x.shape, (20, x.ndim))]
    wanted = []
    for place in places:
        one = np.zeros_like(x)
        one[place] = step
        wanted.append((function(x + one, *rest) - function(x - one, *rest)) / (2 * step))
    found = np.array([gradient[place] for place in places])
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


def summary(source: str) -> str:
    """How many lines of code there are, and how many names they assign."""
    lines = [line for line in source.splitlines() if line.strip() and not line.strip().startswith(("#", "'", '"'))]
    names = set(re.findall(r"^\s*(\w+) = ", source, re.MULTILINE))
    return f"{len(lines)} lines, {len(names)} names assigned"


def tangent_writes() -> None:
    """Source to source, for NumPy: forward and backward in one function."""
    import tangent

    for function, arguments in numbers().items():
        wrt = (0,) if function is cross_entropy else (0, 1, 2)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            gradients = tangent.grad(function, wrt=wrt, verbose=1)(*arguments)
        source = said.getvalue()[said.getvalue().index("def ") :]
        first = gradients[0] if isinstance(gradients, tuple) else gradients
        print(f"\n=== tangent, {function.__name__}: {summary(source)}; error {error(function, arguments, first):.1e}")
        print(source)


def tensorgrad_writes() -> None:
    """Tensor diagrams, simplified."""
    import sympy
    from tensorgrad import Variable
    from tensorgrad import functions as F

    n, v = sympy.symbols("n v")
    logits, onehot = Variable("logits", n, v), Variable("onehot", n, v)
    loss = F.mean(F.cross_entropy(logits, onehot, dim="v"), "n")
    print(f"\n=== tensorgrad, cross_entropy\n{loss.grad(logits).full_simplify()}")
    n, h = sympy.symbols("n h")
    x, gain, upstream = Variable("hprebn", n, h), Variable("bngain", h), Variable("dhpreact", n, h)
    diff = x - F.mean(x, "n")
    variance = F.mean(diff * diff, "n")
    loss = F.sum(gain * diff * F.pow(variance, sympy.Rational(-1, 2)) * upstream)
    print(f"\n=== tensorgrad, batch_norm (without its epsilon, with n)\n{loss.grad(x).full_simplify()}")


def aot_writes() -> None:
    """PyTorch's own ahead-of-time trace of its backward pass."""
    from functorch.compile import aot_function, make_boxed_func

    def show(title: str) -> Callable:
        def compiler(graph, _):
            if title:
                print(f"\n=== AOTAutograd, {title}: {summary(graph.code)}{graph.code}")
            return make_boxed_func(graph.forward)

        return compiler

    def loss(logits, rows, Yb):
        norm_logits = logits - logits.max(1, keepdim=True).values
        counts = norm_logits.exp()
        probs = counts / counts.sum(1, keepdim=True)
        return -probs.log()[rows, Yb].mean()

    def normed(hprebn, bngain, bnbias):
        bndiff = hprebn - 1 / N * hprebn.sum(0, keepdim=True)
        bnvar = 1 / (N - 1) * (bndiff**2).sum(0, keepdim=True)
        return bngain * (bndiff * (bnvar + 1e-5) ** -0.5) + bnbias

    traced = aot_function(loss, fw_compiler=show(""), bw_compiler=show("cross_entropy"))
    traced(torch.randn(N, V, requires_grad=True), torch.arange(N), torch.randint(0, V, (N,))).backward()
    traced = aot_function(normed, fw_compiler=show(""), bw_compiler=show("batch_norm"))
    sizes = ((N, H), (1, H), (1, H))
    traced(*(torch.randn(size, requires_grad=True) for size in sizes)).sum().backward()


def main() -> None:
    """Each tool that is installed."""
    for writes in (tangent_writes, tensorgrad_writes, aot_writes):
        try:
            writes()
        except Exception as failure:  # what a tool raises is its result
            print(f"\n=== {writes.__name__}: {type(failure).__name__}: {str(failure).strip().splitlines()[0]}")


if __name__ == "__main__":
    main()
