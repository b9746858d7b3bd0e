"""How every operation is checked: two references for its gradients, and one measure of disagreement."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Case:
    """An operation, what it is compared with, and the mistakes that the comparison must notice.

    `draw` makes the arguments for given sizes; `oracle` is the same forward written with PyTorch's own layers;
    each mistake is a wrong `backward`.
    """

    name: str
    forward: Callable
    backward: Callable
    oracle: Callable[..., Tensor]
    draw: Callable[..., tuple[Tensor, ...]]
    sizes: Sequence[tuple[int, ...]]
    smallest: tuple[int, ...]
    mistakes: Sequence[Callable]

    def arguments(self, size: tuple[int, ...], dtype: torch.dtype = torch.float64, seed: int = 0):
        """Arguments and a random cotangent of the output."""
        generator = torch.Generator().manual_seed(seed)

        def randn(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, dtype=dtype)

        def tokens(vocab_size: int, *shape: int) -> Tensor:
            return torch.randint(vocab_size, shape, generator=generator)

        args = self.draw(size, randn, tokens)
        return args, randn(*self.oracle(*args).shape)


def floating(args: Sequence[Tensor]) -> list[Tensor]:
    return [arg for arg in args if arg.is_floating_point()]


def by_autograd(function: Callable[..., Tensor], args: Sequence[Tensor], dout: Tensor) -> tuple[Tensor, ...]:
    leaves = [arg.clone().requires_grad_(arg.is_floating_point()) for arg in args]
    return torch.autograd.grad(function(*leaves), floating(leaves), dout)


def by_central_differences(
    function: Callable[..., Tensor], args: Sequence[Tensor], dout: Tensor, step: float = 1e-5
) -> tuple[Tensor, ...]:
    args = [arg.clone() for arg in args]
    grads = []
    for arg in floating(args):
        grad = torch.zeros_like(arg)
        for index in range(arg.numel()):
            value = arg.view(-1)[index].item()
            ends = []
            for end in (value - step, value + step):
                arg.view(-1)[index] = end
                ends.append((function(*args) * dout).sum())
            arg.view(-1)[index] = value
            grad.view(-1)[index] = (ends[1] - ends[0]) / (2 * step)
        grads.append(grad)
    return tuple(grads)


def disagreement(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> float:
    """The largest error, relative to the largest entry; infinite where count, shape, dtype or finiteness differ."""
    if [(t.shape, t.dtype) for t in ours] != [(t.shape, t.dtype) for t in theirs]:
        return math.inf
    return max(_relative_error(a, b) for a, b in zip(ours, theirs, strict=True))


def _relative_error(ours: Tensor, theirs: Tensor) -> float:
    error = (ours - theirs).abs().max().item()
    if not error:
        return 0.0
    relative = error / max(theirs.abs().max().item(), torch.finfo(theirs.dtype).tiny)
    return relative if math.isfinite(relative) else math.inf


def altered(backward: Callable, **changes: Callable) -> Callable:
    """The right backward, with some of its gradients replaced by what `changes` make of (dout, cache, grads)."""

    def mistaken(dout, cache):
        grads = backward(dout, cache)
        return grads._replace(**{name: change(dout, cache, grads) for name, change in changes.items()})

    return mistaken


def named(**mistakes: Callable) -> tuple[Callable, ...]:
    """The mistakes, each with its name, which the tests' ids show."""
    for name, mistake in mistakes.items():
        mistake.__name__ = name
    return tuple(mistakes.values())
