"""Reading runs a user's code once: in float64, in silence, and without a trace."""

import random
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from handgrad.derive.read.statements import read_function, read_program
from handgrad.errors import DeriveError

from .reading import MODULES, checked, randn, read, sources

X, W = randn(4, 3), randn(3, 5)

DTYPES = {
    "float()": "m = (x > 0).float()\ny = m @ W",
    "half": "y = x.half().float() @ W",
    "a factory's dtype": "h = torch.zeros(4, 3, dtype=torch.float32)\ny = (h + x) @ W",
    "torch.tensor": "s = torch.tensor([1.0, 2.0, 3.0])\ny = (x * s) @ W",
    "to": "y = x.to(torch.float32).to(dtype=torch.float) @ W",
    "type_as": "y = torch.ones(4, 3).type_as(x) @ W",
    "nested": "y = x.float() @ W + torch.eye(4).float() @ x @ W",
    "softmax's dtype": "y = torch.softmax(x, -1, dtype=torch.float32) @ W",
    "integers": "n = x.shape[0] // 2\ny = x[: int(n)] @ W * float(n)",
    "arange": "y = torch.arange(4.0)[:, None] * (x @ W)",
}


@pytest.mark.parametrize("source", DTYPES.values(), ids=list(DTYPES))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_all_floats_are_float64(source, dtype):
    program = read(source, x=X.to(dtype), W=W.to(dtype))
    floats = [v for v in program.values.values() if isinstance(v, torch.Tensor) and v.is_floating_point()]
    assert {v.dtype for v in floats} == {torch.float64}
    assert torch.get_default_dtype() == torch.float32


def test_numpy_in_float64():
    program = read("h = np.zeros(3, dtype=np.float32)\ny = ((x + h) @ W).mean()", x=X.numpy(), W=W.numpy())
    assert program.library == "numpy"
    assert {v.dtype for v in program.values.values() if isinstance(v, np.ndarray)} == {np.dtype("float64")}
    assert program.output == "y"


def test_random_generators_stay_where_they_are():
    torch.manual_seed(3), np.random.seed(3), random.seed(3)  # noqa: NPY002
    g = torch.Generator().manual_seed(4)
    expected = torch.rand(1), np.random.rand(), random.random(), torch.rand(1, generator=g)  # noqa: NPY002
    torch.manual_seed(3), np.random.seed(3), random.seed(3)  # noqa: NPY002
    g.manual_seed(4)
    source = """
a = torch.rand(3)
b = torch.rand(3, generator=g)
c = torch.from_numpy(np.random.rand(3))
d = random.random()
y = x * a * b * c * d
"""
    program = read(source, x=X, g=g, random=random)
    assert program.drawn == ("a", "b", "c", "d")
    assert sources(program) == ["y = x * a * b * c * d"]
    now = torch.rand(1), np.random.rand(), random.random(), torch.rand(1, generator=g)  # noqa: NPY002
    assert now == expected


def test_nothing_is_printed_and_nobody_is_warned(capsys):
    def loud(x):
        print("loud")
        warnings.warn("loud", stacklevel=1)
        print("loud", file=sys.stderr)
        return x * 2

    read("print('loud')\ny = loud(x) / 0", x=X, loud=loud)
    assert capsys.readouterr() == ("", "")


def test_the_user_s_values_stay_as_they_are():
    x, layer = X.clone().requires_grad_(), nn.Linear(3, 3)
    values = {**MODULES, "x": x, "layer": layer, "params": [x], "state": {}}
    before = dict(values)
    program = read_program("x = x * 2\nstate['h'] = layer(x)\nparams.append(x)\ny = state['h'].sum()", values)
    assert values == before
    assert len(values["params"]) == 1
    assert x.grad is None
    assert layer.weight.dtype == torch.float32
    assert checked(program).inputs == ("x", "weight", "bias")


def test_the_user_s_error_is_said_with_its_line():
    with pytest.raises(DeriveError) as refused:
        read("h = x @ W\n\ny = h.view(\n    7)", x=X, W=W)
    assert str(refused.value).startswith("line 3: y = h.view(: this line raises RuntimeError: shape '[7]' is invalid")


def test_what_objects_count_is_followed():
    class Counter:
        def __init__(self):
            self.n = 0

        def next(self):
            self.n += 1
            return self.n

    program = read("y = x * counter.next() + counter.next()", x=X, counter=Counter())
    assert torch.equal(program.values["y"], X.double() + 2)


def test_reading_needs_no_import_before_it_is_used():
    code = "import sys, handgrad; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_reading_is_fast():
    source = "\n".join(f"h{k + 1} = torch.tanh(h{k} @ W{k % 2} + b)" for k in range(20)) + "\ny = h20.sum()"
    before = {**MODULES, "h0": randn(4, 3), "W0": randn(3, 3), "W1": randn(3, 3), "b": randn(3)}
    read_program(source, before)
    start = time.process_time()
    read_program(source, before)
    assert time.process_time() - start < 0.3


def test_a_function_of_a_notebook(tmp_path):
    code = "def f(x, W):\n    return torch.tanh(x @ W)\n"
    file = tmp_path / "cell.py"
    file.write_text(code)
    names = {"torch": torch}
    exec(compile(code, str(file), "exec"), names)
    assert sources(read_function(names["f"], X, W)) == ["out = torch.tanh(x @ W)"]
