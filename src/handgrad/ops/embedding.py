"""Embedding: a learned row for each token."""

from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor


class EmbeddingCache(NamedTuple):
    """What `embedding_backward` needs."""

    Xb: Int[Tensor, "*batch"]
    vocab_size: int


class EmbeddingGrads(NamedTuple):
    """Gradient of the table; tokens have none."""

    dC: Float[Tensor, "V D"]  # noqa: N815


def embedding_forward(
    C: Float[Tensor, "V D"], Xb: Int[Tensor, "*batch"]
) -> tuple[Float[Tensor, "*batch D"], EmbeddingCache]:
    r"""Look up the row of `C` for each token of `Xb`.

    $$ emb_{nk} = C_{X_{nk}} $$

    Args:
        C: V tokens by D features.
        Xb: tokens from 0 to V−1, of any shape, int32 or int64.

    Returns:
        emb, one row a token, and what `embedding_backward` needs.

    Errors:
        IndexError where a token is not in the table.

    Source: makemore part 4, `emb = C[Xb]`.

    Example:
        >>> import torch
        >>> C = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> embedding_forward(C, torch.tensor([1, 1, 0]))[0]
        tensor([[3., 4.],
                [3., 4.],
                [1., 2.]])
    """
    return C[Xb], EmbeddingCache(Xb, C.shape[0])


def embedding_backward(demb: Float[Tensor, "*batch D"], cache: EmbeddingCache) -> EmbeddingGrads:
    r"""Gradient of `embedding_forward` from the cotangent `demb`, (*batch, D).

    A token used more than once receives the sum over its uses:

    $$ dC_v = \sum_{nk} [X_{nk} = v] \; demb_{nk} $$

    On a GPU the order of this sum, and with it the last bits, may change from run to run.

    Example:
        >>> import torch
        >>> _, cache = embedding_forward(torch.zeros(2, 2), torch.tensor([1, 1, 0]))
        >>> embedding_backward(torch.ones(3, 2), cache).dC
        tensor([[1., 1.],
                [2., 2.]])
    """
    Xb, vocab_size = cache
    n_embd = demb.shape[-1]
    dC = demb.new_zeros(vocab_size, n_embd).index_add_(0, Xb.reshape(-1), demb.reshape(-1, n_embd))
    return EmbeddingGrads(dC)
