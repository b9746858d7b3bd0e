"""Files with two or three independent mistakes, some of them hidden by a near-zero upstream gradient."""

from .mistakes import MISTAKES
from .schema import Several

BY_ID = {mistake.id: mistake for mistake in MISTAKES}


def together(id: str, *mistakes: str) -> Several:
    """The named mistakes, all of one program, in one file."""
    chosen = [BY_ID[name] for name in mistakes]
    (program,) = {mistake.program for mistake in chosen}
    return Several(id, program, tuple(mistake.edit for mistake in chosen))


SEVERAL = (
    together("chunked-far-apart", "checker-md-06", "checker-md-11", "checker-md-14"),
    together("chunked-neighbours", "checker-md-07", "checker-md-08"),
    together("chunked-batch-norm", "checker-md-01", "checker-md-12", "lecture_chunked/dhprebn-not-a-mean"),
    together("chunked-first-and-last", "lecture_chunked/dlogprobs-sign", "lecture_chunked/dC-minus"),
    together("chunked-two-signs-that-cancel", "lecture_chunked/dlogprobs-sign", "checker-md-07"),
    together("chunked-both-halves-of-a-sum", "lecture_chunked/dbndiff2-biased", "lecture_chunked/dbndiff-no-two"),
    together("chunked-hidden-and-plain", "lecture_chunked/dlogit_maxes-sign", "checker-md-10"),
    together("chunked-hidden-bias", "lecture_chunked/db1-mean", "lecture_chunked/dbngain-of-hpreact"),
    together("chunked-two-hidden", "lecture_chunked/dlogits-no-maximum", "lecture_chunked/db1-sign"),
    together("chunked-alias-and-sign", "checker-md-15", "lecture_chunked/dbnvar-sign"),
    together("chunked-epsilon-and-scale", "checker-md-13", "lecture_chunked/dlogprobs-not-a-mean"),
    together("chunked-shape-and-factor", "lecture_chunked/dbngain-lost-dim", "lecture_chunked/dhpreact-no-upstream"),
    together("fused-mean-and-bessel", "checker-md-03", "checker-md-05"),
    together("fused-three", "lecture_fused/dlogits-plus-one", "checker-md-04", "lecture_fused/dC-index-add-once"),
    together("layer-norm-three", "layer_norm/dgain-of-x", "layer_norm/dstd-sign", "layer_norm/dx-no-mean"),
    together("rms-norm-two", "rms_norm/dcost-ones", "rms_norm/dms-power"),
    together("attention-three", "attention/dmasked-plus", "attention/dscores-unscaled", "attention/dx-no-keys"),
    together("heads-two", "attention_heads/dvh-untransposed", "attention_heads/dbqkv-mean"),
    together("gelu-three", "gelu_mlp/ddiff-no-two", "gelu_mlp/dinner-no-square", "gelu_mlp/du-no-cube"),
    together("gru-three", "gru_cell/dz-sign", "gru_cell/drh-untransposed", "gru_cell/dUz-of-dr"),
    together("lstm-two", "lstm_cell/dc1-no-tanh", "lstm_cell/dgates-order"),
    together("rnn-two", "rnn_unrolled/dh2-no-future", "rnn_unrolled/dWx-no-first-step"),
    together("rnn-loop-two", "rnn_loop/dWhh-same-step", "rnn_loop/dby-minus"),
    together("convolution-two", "conv_time/dz-no-relu", "conv_time/dx-overwritten"),
    together("pooling-two", "pooling/dright-sign", "pooling/dx-average-not-divided"),
    together("dropout-two", "dropout/dact-no-rescale", "dropout/dpre-no-relu"),
    together("residual-three", "residual/dr1-no-skip", "residual/dp2-no-slope", "residual/dscale-one-block"),
    together("tied-two", "weight_tying/dscores-no-temperature", "weight_tying/dE-output-only"),
    together("cosine-three", "cosine/dlogits-no-eye", "cosine/dtemp-mean", "cosine/dzi-norm-as-constant"),
    together("softmax-two", "softmax_nll/dpicked-sign", "softmax_nll/dW-penalty-not-doubled"),
    together("fused-hidden-and-plain", "lecture_fused/db1-mean", "lecture_fused/dhprebn-no-division"),
    together(
        "chunked-hidden-twice-and-plain",
        "lecture_chunked/dlogits-maximum-minus",
        "lecture_chunked/db1-mean",
        "lecture_chunked/dW2-mean",
    ),
    together("gru-alias-and-path", "gru_cell/carry-alias", "gru_cell/dz-one-side"),
    together("dropout-mask-and-mean", "dropout/mask-drawn-again", "dropout/dresid-square"),
)
