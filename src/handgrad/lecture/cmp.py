"""The lecture's `cmp`: a gradient by hand beside PyTorch's."""

import warnings
from typing import NamedTuple

import torch
from torch import Tensor

RELATIVE_TOLERANCE = 1e-5


class Comparison(NamedTuple):
    """One line of the lecture's table.

    Args:
        name: of the variable.
        exact: equal bit for bit.
        approximate: equal up to rounding.
        maxdiff: the greatest absolute difference; None where there is nothing to subtract.
        remark: why there is nothing to subtract, or empty.
    """

    name: str
    exact: bool
    approximate: bool
    maxdiff: float | None
    remark: str = ""

    def __str__(self) -> str:
        """The line as the lecture prints it, or the remark in place of the figures."""
        if self.remark:
            return f"{self.name:15s} | {self.remark}"
        exact, approximate = str(self.exact), str(self.approximate)
        return f"{self.name:15s} | exact: {exact:5s} | approximate: {approximate:5s} | maxdiff: {self.maxdiff}"


def cmp(s: str, dt: object, t: Tensor) -> None:
    """Print how a gradient by hand compares with the one PyTorch left in `t.grad`.

    Unlike the lecture's, it never broadcasts a wrong shape away, and where `t.grad` is missing it says what to do.

    Args:
        s: the variable's name.
        dt: your gradient, in the shape of `t`.
        t: the variable; `t.retain_grad()` before `loss.backward()` where it is an intermediate one.

    Source: lecture, cell 5.

    Example:
        >>> import torch
        >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> cmp("x", 2 * x, x)
        x               | exact: True  | approximate: True  | maxdiff: 0.0
        >>> cmp("x", torch.tensor(2.0), x)
        x               | wrong shape: got (), expected (2,)
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # PyTorch warns of what the remark below explains
        grad = getattr(t, "grad", None)
    if not isinstance(t, Tensor):
        print(Comparison(s, False, False, None, f"the third argument is no tensor: got {type(t).__name__}"))
    elif grad is None:
        remark = "PyTorch has no gradient of it: call its retain_grad(), then loss.backward()"
        print(Comparison(s, False, False, None, remark))
    else:
        print(compare(s, dt, grad))


def compare(name: str, ours: object, reference: Tensor, beside: Tensor | None = None) -> Comparison:
    """Compare a gradient with the reference, shape and dtype first.

    `approximate` is `torch.allclose`, or an error of at most 1e-5 of the greatest reference value: the former alone
    calls a right float32 gradient wrong where a single element happens to be near zero. Where the whole gradient is
    zero but for rounding, `beside` is one made of the same terms, whose greatest value counts too.
    """
    remark = ""
    if ours is None or ours is ...:
        remark = "not written yet"
    elif not isinstance(ours, Tensor):
        remark = f"no tensor: got {type(ours).__name__}"
    elif ours.shape != reference.shape:
        remark = f"wrong shape: got {tuple(ours.shape)}, expected {tuple(reference.shape)}"
    elif ours.dtype != reference.dtype:
        remark = f"wrong dtype: got {ours.dtype}, expected {reference.dtype}"
    if remark:
        return Comparison(name, False, False, None, remark)
    assert isinstance(ours, Tensor)
    with torch.no_grad():
        maxdiff = (ours - reference).abs().max().item() if reference.numel() else 0.0
        scale = max((t.abs().max().item() for t in (reference, beside) if t is not None and t.numel()), default=0.0)
        approximate = torch.allclose(ours, reference) or maxdiff <= RELATIVE_TOLERANCE * scale
        return Comparison(name, torch.equal(ours, reference), approximate, maxdiff)
