"""Programs of the second set with two or three independent mistakes."""

from .mistakes.second import ROWS
from .schema import Several

BY_ID = {mistake.id.removeprefix("second/"): mistake for mistake in ROWS}


def together(*names: str) -> Several:
    """The named mistakes, all of one program, in one file."""
    chosen = [BY_ID[name] for name in names]
    (program,) = {mistake.program for mistake in chosen}
    return Several(" + ".join(names), program, tuple(mistake.edit for mistake in chosen))


SEVERAL = (
    together("ninja_cells/log-is-exp", "ninja_cells/bias-mean", "ninja_cells/embedding-written-over"),
    together("ninja_cells/total-plus", "ninja_cells/second-branch-forgotten"),
    together("ninja_cells/variance-power", "ninja_cells/bessel-forgotten", "ninja_cells/mean-not-divided"),
    together("fused_train/batch-not-divided", "fused_train/var-term-biased", "fused_train/table-written-over"),
    together("group_norm/one-minus-lost", "group_norm/std-plus", "group_norm/mean-lost"),
    together("layernorm_functions/sum-for-mean", "layernorm_functions/dbeta-mean"),
    together("distillation/teacher-for-student", "distillation/temperature-once"),
    together("attention_einsum/softmax-mean", "attention_einsum/keys-not-transposed", "attention_einsum/residual-lost"),
    together("rotary/rotated-the-same-way", "rotary/root-plus"),
    together("ffn_block/skip-lost", "ffn_block/up-and-gate-swapped", "ffn_block/two-lost"),
    together("gru_time/last-no-batch", "gru_time/bias-mean"),
    together("lstm_time/cell-carried-whole", "lstm_time/output-gate-no-tanh", "lstm_time/bias-last-step-only"),
    together(
        "conv1d_unfold/average-not-divided", "conv1d_unfold/leak-forgotten", "conv1d_unfold/overlaps-written-over"
    ),
    together("cnn_loops/slope-zero", "cnn_loops/bias-per-picture"),
    together("triplet/negative-plus", "triplet/normaliser-as-constant"),
    together("moe_gate/balance-lost", "moe_gate/softplus-tanh", "moe_gate/expert-weights-of-hidden"),
    together("matrix_factorisation/huber-no-sign", "matrix_factorisation/loop-without-plus"),
    together("vae/kl-sign", "vae/std-no-noise", "vae/decoder-order"),
    together("mlp_sigmoid/error-sign", "mlp_sigmoid/delta-not-used"),
    together("skipgram/negative-flipped", "skipgram/accumulate-forgotten", "skipgram/tables-mixed"),
    together("focal/gamma-lost", "focal/logit-not-reached"),
)
