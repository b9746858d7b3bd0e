"""Functions, methods, objects and modules that forward lines call are read as the lines of their bodies."""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from torch import nn

from handgrad.derive.read.statements import read_function
from handgrad.errors import DeriveError

from .reading import checked, randn, read, sources

SCALE = torch.full((3,), 2.0)


def norm(x, eps=1e-5, *, dim=-1):
    """Subtract the mean and divide by the deviation."""
    mu = x.mean(dim, keepdim=True)
    var = ((x - mu) ** 2).mean(dim, keepdim=True)
    return (x - mu) * (var + eps) ** -0.5


def two(x, *more, **named):
    a = sum(more, x)
    return a * named["k"], a


def outer(x, W):
    def inner(a):
        return torch.tanh(a @ W)

    return inner(inner(x))


def scaled(x):
    return x * SCALE


def recursive(x, n):
    return x if n == 0 else torch.tanh(recursive(x, n - 1))


@torch.no_grad()
def average(x):
    return x.mean()


def timed(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        result = function(*args, **kwargs)
        print("done")
        return result

    return wrapper


@timed
def squared(x):
    return x * x


def random_table(n):
    return torch.rand(n)


class Cache(NamedTuple):
    h: torch.Tensor
    scale: float = 2.0


@dataclass
class State:
    h: torch.Tensor
    c: torch.Tensor


def with_records(x, W):
    cache = Cache(x @ W)
    state = State(h=cache.h * cache.scale, c=cache.h + 1)
    return state.h * state.c


class Cell:
    gain = 3.0

    def __init__(self, n):
        self.W, self.parts = randn(n, n), [randn(n), {"b": randn(n)}]
        self.calls = 0

    @property
    def bias(self):
        return self.parts[0] + self.parts[1]["b"]

    @staticmethod
    def act(a):
        return torch.relu(a)

    @classmethod
    def scaled(cls, a):
        return a * cls.gain

    def step(self, x):
        self.calls += 1
        self.out = self.act(self.scaled(x @ self.W) + self.bias)
        return self.out

    def __call__(self, x):
        return self.step(x) + self.out


class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 3)

    def forward(self, x):
        return self.fc(x)


class Net(Base):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(3), nn.Linear(3, 4, bias=False), nn.ReLU(inplace=True), nn.Dropout(0.2)
        )
        self.heads = nn.ModuleList(nn.Linear(4, 2) for _ in range(2))
        self.scales = nn.ParameterList([nn.Parameter(randn(2)), nn.Parameter(randn(2))])
        self.table = nn.ModuleDict({"emb": nn.Embedding(5, 3)})
        self.register_buffer("shift", randn(4))

    def forward(self, ix, mask=None):
        x = super().forward(self.table["emb"](ix))
        x = self.layers(x) + self.shift
        if mask is not None:
            x = x * mask
        outs = [head(x) * scale for head, scale in zip(self.heads, self.scales, strict=True)]
        return torch.cat(outs, dim=-1)


X, W = randn(4, 3), randn(3, 3)
CALLS = {
    "a function": (norm, X),
    "arguments by name": (norm, X, 1e-3),
    "several values": (lambda x, y: two(x, y, x * y, k=2), X, X + 1),
    "a closure": (outer, X, W),
    "a global": (scaled, X),
    "recursion": (recursive, X, 3),
    "a partial": (functools.partial(norm, X * 2),),
    "decorated": (squared, X),
    "without gradients": (lambda x: x - average(x), X),
    "records": (with_records, X, W),
    "an object": (Cell(3), X),
    "a method": (Cell(3).step, X),
    "a module": (Net().eval(), torch.tensor([[0, 3], [4, 3]])),
    "a module's argument": (Net().eval(), torch.tensor([[0, 3], [4, 3]]), torch.ones(4)),
    "a list": (lambda xs: sum(x.sum() for x in xs), [X, X * 2]),
    "a dict": (lambda p, x: torch.tanh(x @ p["W"] + p["b"]), {"W": W, "b": W[0].clone()}, X),
    "a dict of lists": (lambda p: sum((w * w).sum() for ws in p.values() for w in ws), {"a": [X, W], "b": [X + 1]}),
    "getattr": (lambda cell, x: x @ cell.W + getattr(cell, "V", 1), Cell(3), X),
    "map": (lambda x: torch.stack(list(map(squared, [x, x + 1]))), X),
    "a constant of its own": (lambda x: x[:, : len(random_table(2))], X),
}


@pytest.mark.parametrize("called", CALLS.values(), ids=list(CALLS))
def test_calls(called):
    function, *arguments = called
    program = checked(read_function(function, *arguments))
    assert program.outputs[0] == program.output


def test_lines_of_functions_have_good_names_and_their_own_text():
    program = read("h = norm(x @ W)\ny = norm(h, dim=0) * 2", x=X, W=W, norm=norm)
    assert sources(program) == [
        "x2 = x @ W",
        "mu = x2.mean(-1, keepdim=True)",
        "var = ((x2 - mu)**2).mean(-1, keepdim=True)",
        "h = (x2 - mu) * (var + 1e-5)**-0.5",
        "mu2 = h.mean(0, keepdim=True)",
        "var2 = ((h - mu2)**2).mean(0, keepdim=True)",
        "y = (h - mu2) * (var2 + 1e-5)**-0.5 * 2",
    ]
    mean, result = program.lines[1], program.lines[3]
    assert (mean.text, mean.within) == ("mu = x.mean(dim, keepdim=True)", "norm")
    assert (result.text, result.number, result.within) == ("h = norm(x @ W)", 1, "")


def test_what_a_function_returns_by_name_has_the_caller_s_name():
    def linear(x, W):
        out = x @ W
        print(out)
        return out

    program = read("h = linear(x, W)\nh = linear(h, W)\ny = linear(h, W).sum()", x=X, W=W, linear=linear)
    assert sources(program) == ["h = x @ W", "h2 = h @ W", "out = h2 @ W", "y = out.sum()"]


def test_functions_that_the_lines_define():
    program = read("def f(a, k=2):\n    return a * k\ng = lambda a: f(a, 3) + c\nc = 1\ny = f(x) + g(x)", x=X)
    assert sources(program) == ["c = 1", "y = x * 2 + (x * 3 + c)"]


def test_modules_are_functions_of_their_parameters():
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.LayerNorm(4), nn.GELU("tanh"), nn.Softmax(dim=-1))
    loss = nn.CrossEntropyLoss()
    program = read("y = loss(model(x), target)", x=X, model=model, loss=loss, target=torch.tensor([0, 1, 2, 3]))
    assert sources(program) == [
        "h = F.linear(x, model_0_weight, model_0_bias)",
        "h2 = torch.tanh(h)",
        "h3 = F.layer_norm(h2, model[2].normalized_shape, model_2_weight, model_2_bias)",
        'h4 = F.gelu(h3, approximate="tanh")',
        "h5 = F.softmax(h4, -1)",
        "y = F.cross_entropy(h5, target)",
    ]
    assert program.bindings["model_0_weight"] == "model[0].weight"
    assert set(program.inputs) == {"model_0_weight", "model_0_bias", "model_2_weight", "model_2_bias"}


OVER_TIME = randn(5, 2, 3)
PYTORCH = {
    "rnn": (nn.RNN(3, 4, nonlinearity="relu"), OVER_TIME),
    "gru": (nn.GRU(3, 4, 2, batch_first=True), OVER_TIME, randn(2, 5, 4)),
    "lstm": (nn.LSTM(3, 4, 2, bias=False), OVER_TIME),
    "rnn cell": (nn.RNNCell(3, 4), X),
    "gru cell": (nn.GRUCell(3, 4), X, randn(4, 4)),
    "lstm cell": (nn.LSTMCell(3, 4), X, (randn(4, 4), randn(4, 4))),
    "attention": (nn.MultiheadAttention(6, 2, batch_first=True), *[randn(2, 5, 6)] * 3),
    "masked attention": (nn.MultiheadAttention(6, 2), *[randn(5, 2, 6)] * 3, None, False, torch.ones(5, 5).triu(1) > 0),
    "encoder": (nn.TransformerEncoderLayer(6, 2, 7, dropout=0.0).eval(), randn(5, 2, 6)),
    "convolution": (nn.Conv2d(2, 3, 2, padding=1), randn(1, 2, 4, 4)),
    "batch norm": (nn.BatchNorm2d(2), randn(3, 2, 4, 4)),
    "batch norm, evaluated": (nn.BatchNorm1d(3).eval(), X),
    "pooling": (nn.MaxPool2d(2), randn(1, 2, 4, 4)),
}


@pytest.mark.parametrize("called", PYTORCH.values(), ids=list(PYTORCH))
def test_modules_of_pytorch(called):
    module, *arguments = called
    program = checked(read_function(module, *arguments))
    with torch.no_grad():
        own = module(*arguments)
    own = own[0] if isinstance(own, tuple) else own
    assert torch.allclose(program.values[program.output].float(), own, atol=1e-5)
    bound = {program.bindings.get(name, name) for name in program.inputs}
    assert {f"model.{name}" for name, _ in module.named_parameters()} <= bound


def test_what_a_module_holds():
    model = nn.Sequential(nn.Linear(3, 2), nn.ModuleDict({"a": nn.Linear(2, 1, bias=False)}))
    source = """
model.train()
reg = sum((p**2).sum() for p in model.parameters())
more = sum(p.abs().sum() for name, p in model.named_parameters() if "bias" not in name)
loss = reg + more + model[0](x).sum()
"""
    program = read(source, x=X, model=model)
    assert program.inputs == ("model_0_weight", "model_0_bias", "model_1_a_weight")
    assert sources(program)[1] == "more = model_0_weight.abs().sum() + model_1_a_weight.abs().sum()"


def test_modules_that_are_refused():
    with pytest.raises(DeriveError, match=r"LSTM.*cannot be read with these settings"):
        read_function(nn.LSTM(3, 4, bidirectional=True), OVER_TIME)


def test_a_checkpoint_is_what_it_calls():
    from torch.utils.checkpoint import checkpoint

    program = read("y = checkpoint(norm, x, dim=0, use_reentrant=False)", x=X, norm=norm, checkpoint=checkpoint)
    assert len(program.lines) == 3


def test_a_tensor_in_a_container_has_the_name_that_it_has_elsewhere():
    program = read("y = params[0] * params[1]['b']", W1=X, params=[X, {"b": X + 1}])
    assert sources(program) == ["y = W1 * params_1_b"]
    assert program.bindings == {"params_1_b": "params[1]['b']"}
    program = read("w, b = layer\ny = x @ w + b", layer=(W, W[0]), x=X)
    assert sources(program) == ["y = x @ w + b"]
    assert program.bindings == {"w": "layer[0]", "b": "layer[1]"}


def test_dropout_draws_its_mask_once():
    torch.manual_seed(0)
    program = read("h = F.dropout(x @ W, 0.5)\nnoise = torch.randn(3)\ny = (h + noise).sum()", x=X, W=W)
    assert program.drawn == ("mask", "noise")
    assert sources(program) == ["a = x @ W", "h = a * mask", "y = (h + noise).sum()"]
    assert program.source.splitlines()[1] == "mask = F.dropout(torch.ones_like(a), 0.5)"
    program = read("y = (x + torch.randn_like(x) * 0.1).sum()", x=X)
    assert sources(program) == ["y = (x + noise * 0.1).sum()"]
    program = read("y = F.dropout(x, 0.5, training=False) * 2", x=X)
    assert sources(program) == ["y = x * 2"]


REFUSED = {
    "no source": ("y = made(x)", "the source of 'made' cannot be found"),
    "a generator": ("y = sum(a.sum() for a in rows(x))", "'rows' is a generator"),
    "endless": ("y = endless(x)", "calls itself too often"),
    "hooks": ("y = hooked(x)", "the module 'Linear' has hooks"),
    "arguments": ("y = norm(x, epsilon=1)", "'norm' has no argument 'epsilon'"),
    "an error": ("y = shape(x)", " of shape: return x.view(7): this line raises RuntimeError: shape '[7]'"),
    "raised": ("y = strict(x)", "these values end in an error that the lines raise"),
}


def rows(x):
    yield from x


def endless(x):
    return endless(x * 2)


def shape(x):
    return x.view(7)


def strict(_):
    raise ValueError("no")


@pytest.mark.parametrize(("source", "says"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_refused(source, says):
    names: dict = {}
    exec("def made(x):\n    return x * 2", names)
    hooked = nn.Linear(3, 3)
    hooked.register_forward_hook(lambda *_: None)
    functions = {f.__name__: f for f in (rows, endless, shape, strict, norm)}
    with pytest.raises(DeriveError) as refused:
        read(source, x=X, made=names["made"], hooked=hooked, **functions)
    assert says in str(refused.value)


def test_the_user_s_objects_stay_as_they_are():
    cell = Cell(3)
    before = cell.W.clone()
    read_function(cell, X)
    assert not hasattr(cell, "out")
    assert cell.calls == 0
    assert torch.equal(cell.W, before)
    assert cell.W.dtype == torch.float32
