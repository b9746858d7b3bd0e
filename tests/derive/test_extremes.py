"""Where autograd is finite at extreme values, what was derived is: large logits, tiny variances, zeros."""

import numpy as np
import pytest

from handgrad.derive.lines import lines_backward
from handgrad.derive.shortest import shortest
from handgrad.derive.verify import reference_at, verify
from handgrad.errors import DeriveError

from .cases import CASES

LARGE = (
    "cross-entropy-stepwise", "cross-entropy", "softmax-stepwise", "softmax", "log-softmax", "log-softmax-shifted",
    "logsumexp-shifted", "attention-head", "focal-loss-gamma-2", "info-nce", "softplus-stable", "silu", "gelu-called",
    "gelu-approximate", "gelu-tanh", "swiglu", "label-smoothing", "focal-loss-binary", "dpo", "ppo-clip", "gru-cell",
    "lstm-cell", "microgpt-loss", "softmax-one", "attention-sink", "causal-self-attention", "distillation", "mish",
    "gan-discriminator", "squared-hinge", "huber", "listnet", "glu", "sigmoid-language-image",
)  # fmt: skip
"""Cases whose inputs are multiplied by a thousand."""
TINY = (
    "batch-norm-stepwise", "batch-norm-mean-var", "layer-norm", "layer-norm-moments", "rms-norm", "batch-norm-called",
    "layer-norm-called", "group-norm", "instance-norm", "rms-norm-llama", "l2-normalised", "scale-norm", "pixel-norm",
    "batch-norm-images", "cosine-similarity", "byol", "barlow-twins", "vicreg",
)  # fmt: skip
"""Cases whose rows are made almost constant: their variance is tiny."""
ZEROS = (
    "relu", "hinge-multiclass", "triplet-loss", "batch-norm-stepwise", "layer-norm", "rms-norm", "softmax", "gelu-erf",
    "silu", "squared-relu", "huber", "smooth-l1", "log-cosh", "prelu", "hard-swish", "elu-selu", "rms-norm-llama",
    "contrastive-pairs", "maxout", "max-pool", "embedding-concatenated", "svm-primal", "softplus", "mish",
    "lasso-elastic",
)  # fmt: skip
"""Cases whose inputs are all zero."""

SCENARIOS = {
    "large": (LARGE, lambda value: value * 1000),
    "tiny": (TINY, lambda value: 1 + value * 1e-7),
    "zeros": (ZEROS, lambda value: value * 0),
}
CLOSE = 1e-2
"""Where a softmax is all but one-hot, the differences that its gradient is made of are rounding themselves."""
FORMS = {"lines": lines_backward, "shortest": shortest}


def each(form: str):
    found = []
    for scenario, (names, _) in SCENARIOS.items():
        for number, name in enumerate(names):
            marks = () if number % 6 == 0 and form == "lines" else (pytest.mark.slow,)
            found.append(pytest.param(form, scenario, name, id=f"{form}-{scenario}-{name}", marks=marks))
    return found


@pytest.mark.parametrize(("form", "scenario", "name"), [*each("lines"), *each("shortest")])
def test_it_is_finite_where_autograd_is(form, scenario, name):
    case = next(case for case in CASES if case.name == name)
    program = case.program()
    try:
        derived = FORMS[form](program)
    except DeriveError:
        pytest.skip("it is refused")
    extreme = {given: SCENARIOS[scenario][1](program.before[given]) for given in program.inputs}
    found = verify(program, derived, against=[reference_at(program, extreme)])
    assert not found.failure
    for check in found.checks:
        if check.variable in program.inputs:
            assert not check.problem
            assert np.isfinite(check.error), (check, derived.source)
            assert check.error < CLOSE, (check, derived.source)
