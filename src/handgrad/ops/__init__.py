"""Operations: each a forward and its backward by hand, pure functions in plain PyTorch."""

from handgrad.ops.attention import AttentionCache, AttentionGrads, attention_backward, attention_forward
from handgrad.ops.batchnorm import (
    BatchNormCache,
    BatchNormGrads,
    batchnorm_backward,
    batchnorm_backward_stepwise,
    batchnorm_forward,
    batchnorm_inference,
)
from handgrad.ops.broadcast import unbroadcast
from handgrad.ops.causal_mean import CausalMeanCache, CausalMeanGrads, causal_mean_backward, causal_mean_forward
from handgrad.ops.cross_entropy import (
    CrossEntropyCache,
    CrossEntropyGrads,
    cross_entropy_backward,
    cross_entropy_backward_stepwise,
    cross_entropy_forward,
)
from handgrad.ops.dropout import DropoutCache, DropoutGrads, dropout_backward, dropout_forward
from handgrad.ops.embedding import EmbeddingCache, EmbeddingGrads, embedding_backward, embedding_forward
from handgrad.ops.gelu import GELUCache, GELUGrads, gelu_backward, gelu_forward
from handgrad.ops.gru import GRUCache, GRUGrads, gru_backward, gru_forward
from handgrad.ops.layernorm import LayerNormCache, LayerNormGrads, layernorm_backward, layernorm_forward
from handgrad.ops.linear import LinearCache, LinearGrads, linear_backward, linear_forward
from handgrad.ops.lstm import LSTMCache, LSTMGrads, lstm_backward, lstm_forward
from handgrad.ops.matmul import MatmulCache, MatmulGrads, matmul_backward, matmul_forward
from handgrad.ops.relu import ReLUCache, ReLUGrads, relu_backward, relu_forward
from handgrad.ops.rmsnorm import RMSNormCache, RMSNormGrads, rmsnorm_backward, rmsnorm_forward
from handgrad.ops.rnn import RNNCache, RNNGrads, rnn_backward, rnn_forward
from handgrad.ops.tanh import TanhCache, TanhGrads, tanh_backward, tanh_forward

__all__ = [
    "AttentionCache",
    "AttentionGrads",
    "BatchNormCache",
    "BatchNormGrads",
    "CausalMeanCache",
    "CausalMeanGrads",
    "CrossEntropyCache",
    "CrossEntropyGrads",
    "DropoutCache",
    "DropoutGrads",
    "EmbeddingCache",
    "EmbeddingGrads",
    "GELUCache",
    "GELUGrads",
    "GRUCache",
    "GRUGrads",
    "LSTMCache",
    "LSTMGrads",
    "LayerNormCache",
    "LayerNormGrads",
    "LinearCache",
    "LinearGrads",
    "MatmulCache",
    "MatmulGrads",
    "RMSNormCache",
    "RMSNormGrads",
    "RNNCache",
    "RNNGrads",
    "ReLUCache",
    "ReLUGrads",
    "TanhCache",
    "TanhGrads",
    "attention_backward",
    "attention_forward",
    "batchnorm_backward",
    "batchnorm_backward_stepwise",
    "batchnorm_forward",
    "batchnorm_inference",
    "causal_mean_backward",
    "causal_mean_forward",
    "cross_entropy_backward",
    "cross_entropy_backward_stepwise",
    "cross_entropy_forward",
    "dropout_backward",
    "dropout_forward",
    "embedding_backward",
    "embedding_forward",
    "gelu_backward",
    "gelu_forward",
    "gru_backward",
    "gru_forward",
    "layernorm_backward",
    "layernorm_forward",
    "linear_backward",
    "linear_forward",
    "lstm_backward",
    "lstm_forward",
    "matmul_backward",
    "matmul_forward",
    "relu_backward",
    "relu_forward",
    "rmsnorm_backward",
    "rmsnorm_forward",
    "rnn_backward",
    "rnn_forward",
    "tanh_backward",
    "tanh_forward",
    "unbroadcast",
]
