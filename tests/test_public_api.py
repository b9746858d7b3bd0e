"""The public names: few, frozen, documented, and loaded only when they are used."""

import importlib.metadata
import inspect
import subprocess
import sys
import types

import pytest
import torch
from torch.nn import functional as F

import handgrad

NAMES = [
    "HandgradError", "Model", "SampleConfig", "TrainConfig", "check", "cmp", "derive", "evaluate", "export", "load",
    "log_likelihoods", "mix", "ops", "sample", "studio", "train",
]  # fmt: skip
OPERATIONS = [
    "AttentionCache", "AttentionGrads", "BatchNormCache", "BatchNormGrads", "CausalMeanCache", "CausalMeanGrads",
    "CrossEntropyCache", "CrossEntropyGrads", "DropoutCache", "DropoutGrads", "EmbeddingCache", "EmbeddingGrads",
    "GELUCache", "GELUGrads", "GRUCache", "GRUGrads", "LSTMCache", "LSTMGrads", "LayerNormCache", "LayerNormGrads",
    "LinearCache", "LinearGrads", "MatmulCache", "MatmulGrads", "RMSNormCache", "RMSNormGrads", "RNNCache",
    "RNNGrads", "ReLUCache", "ReLUGrads", "TanhCache", "TanhGrads", "attention_backward", "attention_forward",
    "batchnorm_backward", "batchnorm_backward_stepwise", "batchnorm_forward", "batchnorm_inference",
    "causal_mean_backward", "causal_mean_forward", "cross_entropy_backward", "cross_entropy_backward_stepwise",
    "cross_entropy_forward", "dropout_backward", "dropout_forward", "embedding_backward", "embedding_forward",
    "gelu_backward", "gelu_forward", "gru_backward", "gru_forward", "layernorm_backward", "layernorm_forward",
    "linear_backward", "linear_forward", "lstm_backward", "lstm_forward", "matmul_backward", "matmul_forward",
    "relu_backward", "relu_forward", "rmsnorm_backward", "rmsnorm_forward", "rnn_backward", "rnn_forward",
    "tanh_backward", "tanh_forward", "unbroadcast",
]  # fmt: skip


def test_the_public_names_are_frozen():
    assert sorted(handgrad.__all__) == NAMES
    assert sorted(handgrad.ops.__all__) == OPERATIONS
    assert set(dir(handgrad)) == {*NAMES, "__version__"}


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_documented_with_an_example(name):
    value = getattr(handgrad, name)
    assert value.__doc__
    assert isinstance(value, types.ModuleType) or ">>> " in value.__doc__
    assert getattr(handgrad, name) is value


SIGNATURES = {
    "train": "text config time out resume checkpoint_every progress tensorboard settings",
    "load": "run corpus",
    "mix": "runs out corpus",
    "sample": "model n config settings",
    "evaluate": "model text",
    "log_likelihoods": "model lines",
    "export": "model to out",
    "cmp": "s dt t",
    "check": "subject args options",
    "derive": "forward args form of with_respect_to style",
    "TrainConfig": "model steps batch_size block_size n_embd n_hidden n_layer n_head dropout tied optimizer lr warmup"
    " weight_decay minibatches random split keep seed runs engine device",
    "SampleConfig": "seed temperature top_k top_p prefix max_length new_only unique",
    "Model": "config vocabulary parameters buffers text steps run",
    "HandgradError": "what got expected where next_step",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_arguments_are_frozen(name):
    assert " ".join(inspect.signature(getattr(handgrad, name)).parameters) == SIGNATURES[name]


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'handgrad' has no attribute 'nothing'"):
        handgrad.nothing  # noqa: B018
    assert not hasattr(handgrad, "importlib_")


def test_the_version_is_the_installed_one():
    assert handgrad.__version__ == importlib.metadata.version("handgrad")


SLOW = {"torch", "matplotlib", "numba", "numpy", "tyro", "rich", "safetensors", "pooch", "jaxtyping"}


def loaded_by(statement: str) -> set[str]:
    """Which of the slow packages a fresh interpreter has imported after the statement."""
    program = f"import sys; {statement}; print(*sys.modules)"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    return SLOW.intersection(output.split())


def test_importing_it_loads_nothing_slow():
    assert loaded_by("import handgrad; handgrad.__version__; dir(handgrad); handgrad.HandgradError") == set()
    assert "torch" not in loaded_by(
        "from handgrad import TrainConfig, SampleConfig, Model, train, load, sample, evaluate"
    )
    assert "torch" in loaded_by("from handgrad import ops")
    assert "torch" in loaded_by("from handgrad import check")
    assert loaded_by("from handgrad import derive; repr(derive)") == set()


@pytest.mark.one_in(10)
@pytest.mark.parametrize(
    "imports",
    [
        "import handgrad",
        "import handgrad.derive",
        "import handgrad.derive.lines",
        "from handgrad.derive import lines; import handgrad",
        "import handgrad.derive.lines as lines; import handgrad",
        "from handgrad.derive.lines import lines_backward; import handgrad",
        "import handgrad.derive as derive; import handgrad; assert derive is handgrad.derive",
        "from handgrad import derive; import handgrad.derive.read.program; assert derive is handgrad.derive",
        "import handgrad; handgrad.derive; import handgrad.derive.rules",
        "from handgrad import *; import handgrad; assert derive is handgrad.derive",
    ],
)
def test_derive_is_a_function_whatever_was_imported_of_its_package(imports):
    """`handgrad.derive` is both what is called and the way to the modules of the package of that name."""
    program = f"""
{imports}
assert callable(handgrad.derive), handgrad.derive
import handgrad.derive.backward
assert handgrad.derive.backward.Backward
try:
    handgrad.derive.nothing
except AttributeError as error:
    assert str(error) == "module 'handgrad.derive' has no attribute 'nothing'", error
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_notebook_can_be_redone_with_the_public_names(capsys, tmp_path):
    """Exercises 1 to 4 in the lecture's manner: `cmp` beside `loss.backward()`, then training, loss and samples."""
    ops = handgrad.ops
    g = torch.Generator().manual_seed(2147483647)
    C, W1, W2 = (torch.randn(shape, generator=g) for shape in ((27, 10), (30, 64), (64, 27)))
    b1, b2, bnbias, bngain = (torch.randn(shape, generator=g) * 0.1 for shape in (64, 27, (1, 64), (1, 64)))
    parameters = [C, W1, b1, W2, b2, bngain, bnbias]
    for p in parameters:
        p.requires_grad = True
    Xb, Yb = (torch.randint(27, shape, generator=g) for shape in ((32, 3), (32,)))

    emb, embedding = ops.embedding_forward(C, Xb)
    hprebn, linear1 = ops.linear_forward(emb.view(32, -1), W1, b1)
    hpreact, batchnorm = ops.batchnorm_forward(hprebn, bngain, bnbias)
    h, tanh = ops.tanh_forward(hpreact)
    logits, linear2 = ops.linear_forward(h, W2, b2)
    loss, cross_entropy = ops.cross_entropy_forward(logits, Yb)
    assert torch.equal(loss, F.cross_entropy(logits, Yb))
    intermediates = [emb, hprebn, hpreact, h, logits]
    for t in intermediates:
        t.retain_grad()
    loss.backward()

    with torch.no_grad():
        (dlogits,) = ops.cross_entropy_backward(torch.tensor(1.0), cross_entropy)
        dh, dW2, db2 = ops.linear_backward(dlogits, linear2)
        (dhpreact,) = ops.tanh_backward(dh, tanh)
        dhprebn, dbngain, dbnbias = ops.batchnorm_backward(dhpreact, batchnorm)
        dembcat, dW1, db1 = ops.linear_backward(dhprebn, linear1)
        demb = dembcat.view(emb.shape)
        (dC,) = ops.embedding_backward(demb, embedding)
    gradients = [dC, dW1, db1, dW2, db2, dbngain, dbnbias, demb, dhprebn, dhpreact, dh, dlogits]
    variables = [*parameters, *intermediates]
    names = ["C", "W1", "b1", "W2", "b2", "bngain", "bnbias", "emb", "hprebn", "hpreact", "h", "logits"]
    for name, gradient, variable in zip(names, gradients, variables, strict=True):
        handgrad.cmp(name, gradient, variable)
    table = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in table] == names
    assert all("approximate: True" in line for line in table)

    model = handgrad.train(model="mlp", steps=300, n_hidden=16, batch_size=32, out=tmp_path / "run")
    assert handgrad.evaluate(model)["val"] < 3.3
    assert handgrad.sample(handgrad.load(tmp_path / "run"), 3, seed=1) == handgrad.sample(model, 3, seed=1)
