"""The backward of broadcasting."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor


def unbroadcast(dx: Float[Tensor, "*stretched"], shape: Sequence[int]) -> Tensor:
    r"""Sum the cotangent `dx` of a stretched tensor back to the `shape` it was broadcast from.

    Broadcasting copies a value; a copied value receives the sum of what its copies receive:

    $$ y_{nd} = b_d \;\Rightarrow\; db_d = \sum_n dy_{nd} $$

    Args:
        dx: cotangent of the broadcast result.
        shape: shape before broadcasting.

    Returns:
        the cotangent, of the given shape; `dx` itself where nothing was broadcast.

    Errors:
        RuntimeError where `shape` does not broadcast to the shape of `dx`.

    Example:
        >>> import torch
        >>> unbroadcast(torch.ones(2, 3), (1, 3))
        tensor([[2., 2., 2.]])
    """
    return dx.sum_to_size(tuple(shape))
