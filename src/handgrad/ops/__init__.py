"""Operations: each a forward and its backward by hand, pure functions in plain PyTorch."""

from handgrad.ops.batchnorm import (
    BatchNormCache,
    BatchNormGrads,
    batchnorm_backward,
    batchnorm_backward_stepwise,
    batchnorm_forward,
    batchnorm_inference,
)
from handgrad.ops.broadcast import unbroadcast
from handgrad.ops.cross_entropy import (
    CrossEntropyCache,
    CrossEntropyGrads,
    cross_entropy_backward,
    cross_entropy_backward_stepwise,
    cross_entropy_forward,
)
from handgrad.ops.embedding import EmbeddingCache, EmbeddingGrads, embedding_backward, embedding_forward
from handgrad.ops.linear import LinearCache, LinearGrads, linear_backward, linear_forward
from handgrad.ops.tanh import TanhCache, TanhGrads, tanh_backward, tanh_forward

__all__ = [
    "BatchNormCache",
    "BatchNormGrads",
    "CrossEntropyCache",
    "CrossEntropyGrads",
    "EmbeddingCache",
    "EmbeddingGrads",
    "LinearCache",
    "LinearGrads",
    "TanhCache",
    "TanhGrads",
    "batchnorm_backward",
    "batchnorm_backward_stepwise",
    "batchnorm_forward",
    "batchnorm_inference",
    "cross_entropy_backward",
    "cross_entropy_backward_stepwise",
    "cross_entropy_forward",
    "embedding_backward",
    "embedding_forward",
    "linear_backward",
    "linear_forward",
    "tanh_backward",
    "tanh_forward",
    "unbroadcast",
]
