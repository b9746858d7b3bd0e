"""Backward passes written from forward lines: line by line, in closed form, and as short as they get.

`derive` is what `handgrad.derive` is: a function to call, which has another one in it, `derive.prove`. The modules of
this package are reached through it as well, so that `import handgrad.derive.lines` does what it does anywhere else.
"""

import sys
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from handgrad.derive.functions import FunctionDerivation
    from handgrad.derive.prove import Proof

Form = Literal["lines", "closed", "shortest"]
Style = Literal["torch", "numpy"]

__all__ = ["Form", "Style", "derive"]


class Derive:
    """Write the backward pass of a function of tensors, as a person would, and check it.

    Args:
        forward: a function of tensors of PyTorch or arrays of NumPy, that returns one of its variables.
        args: what to call it with; sizes and values do not matter, but for what they decide in the function.
        form: "lines" has one or a few lines for each forward line, in reverse; "closed" one expression for each
            gradient; "shortest" as few and short lines as there are.
        of: the variable to start from, where it is not what the function returns.
        with_respect_to: the arguments to differentiate by, where it is not all that hold floats.
        style: "torch" or "numpy", where it is not that of the function.

    Returns:
        A `Derivation`: `.source` is a complete function, `.backward` that function, `.explain()` says how it comes
        about, `.check` how it compares with autograd at other sizes.

    Raises:
        DeriveError: a line that cannot be differentiated, by its number and with what to do about it.

    Example:
        >>> import torch
        >>> def tanh_layer(x, W, b):
        ...     a = x @ W + b
        ...     h = torch.tanh(a)
        ...     return h
        >>> found = derive(tanh_layer, torch.randn(4, 3), torch.randn(3, 2), torch.randn(2))
        >>> print(found.source)
        def backward(dh, x, W, b):
            a = x @ W + b
            h = torch.tanh(a)
        <BLANKLINE>
            da = (1 - h**2) * dh
            dx = da @ W.T
            dW = x.T @ da
            db = da.sum(0)
            return dx, dW, db
        >>> [gradient.shape for gradient in found.backward(torch.ones(5, 7), *map(torch.randn, [(5, 6), (6, 7), 7]))]
        [torch.Size([5, 6]), torch.Size([6, 7]), torch.Size([7])]
    """

    def __call__(
        self,
        forward: "Callable[..., Any]",
        *args: Any,
        form: Form = "lines",
        of: str | None = None,
        with_respect_to: "str | Sequence[str] | None" = None,
        style: Style | None = None,
    ) -> "FunctionDerivation":
        """See the class."""
        from handgrad.derive.functions import derive_function

        names = (with_respect_to,) if isinstance(with_respect_to, str) else with_respect_to
        return derive_function(forward, args, form=form, of=of, names=names, style=style)

    def prove(
        self, expression: str, forward: "Callable[..., Any]", *args: Any, gradient_of: str, of: str | None = None
    ) -> "Proof":
        """Compare a person's formula for a gradient with the right one.

        Args:
            expression: the formula, in the names of the function's variables and of gradients, `dh` for that of `h`. It
                is judged given the gradients that it names.
            forward: the function.
            args: what to call it with.
            gradient_of: the variable.
            of: the variable to start from, where it is not what the function returns.

        Returns:
            A `Proof`: its `verdict` is "proven", "equal" (in numbers only), "different" or "unknown", and `difference`
            is what the formula has too much.

        Raises:
            DeriveError: the function cannot be put in index notation, or has no such variable.

        Example:
            >>> import torch
            >>> def mean_square(x, y):
            ...     diff = x - y
            ...     return (diff**2).mean()
            >>> tensors = torch.randn(4, 3), torch.randn(4, 3)
            >>> derive.prove("2 * diff / diff.numel()", mean_square, *tensors, gradient_of="x").verdict
            'proven'
            >>> derive.prove("diff / diff.numel()", mean_square, *tensors, gradient_of="x").factor
            '0.5'
        """
        from handgrad.derive.functions import prove_for_function

        return prove_for_function(expression, forward, args, gradient_of, of)

    def __getattr__(self, name: str) -> Any:
        """A module of this package, or a name in it."""
        return getattr(sys.modules[__name__], name)


derive = Derive()
