"""Course code in NumPy alone: right programs raise no alarm, and a repair speaks NumPy."""

from pathlib import Path

import numpy as np
import pytest
import torch

from handgrad.checker import check
from handgrad.checker.guard import CheckError
from handgrad.checker.run import differences
from handgrad.checker.run.arrays import Array, array, plain, raw
from handgrad.checker.run.numpy_module import Modules

COURSES = Path(__file__).parent / "cases" / "courses"
REFUSED = {"nielsen": "no loss was found", "trask": "no loss was found", "pong": "no other loss is known"}
PARTLY = {"raschka_mlp", "dlai_L_layer"}
"""Of some gradients of these it is not known whose they are."""
QUICK = {"min_char_rnn", "dlai_planar", "cs231n_layers"}
RIGHT = sorted({path.stem for path in COURSES.glob("*.py")} - REFUSED.keys())


def marked(names):
    return [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in names]


@pytest.mark.parametrize("name", marked(RIGHT))
def test_right_course_code_is_right(name):
    report = check(COURSES / f"{name}.py")
    assert report.right, str(report)
    assert not report.blamed
    assert bool(report.unjudged) == (name in PARTLY), report.unjudged


@pytest.mark.parametrize("name", sorted(REFUSED))
@pytest.mark.slow
def test_what_cannot_be_judged_is_told_with_what_to_do(name):
    with pytest.raises(CheckError, match=REFUSED[name]) as caught:
        check(COURSES / f"{name}.py")
    assert "--loss NAME" in str(caught.value)


def test_repairs_speak_numpy(check_text):
    text = (COURSES / "dlai_planar.py").read_text()
    report = check_text(text.replace("np.sum(dZ1, axis=1, keepdims=True)", "np.sum(dZ1)", 1))
    said = " ".join(one.fix or "" for row in report.blamed for one in row.diagnosis)
    assert "keepdims=True" in said
    assert "torch" not in str(report)
    assert "keepdim=" not in str(report)


def test_the_closures_of_a_scalar_engine_are_refused_with_what_to_do(check_text):
    engine = """class Value:
    def __init__(self, data):
        self.data, self.grad = data, 0.0
    def __mul__(self, other):
        out = Value(self.data * other.data)
        def _backward():
            self.grad += other.data * out.grad
        out._backward = _backward
        return out
a = Value(2.0) * Value(3.0)
a.grad = 1.0
a._backward()
"""
    with pytest.raises(CheckError, match=r"Value computes its gradients in closures.*handgrad.check"):
        check_text(engine)


PAIR = """import numpy as np
def forward(x, w):
    h = np.tanh(x @ w)
    return h, (x, w, h)
def backward(dh, cache):
    x, w, h = cache
    dz = dh * (1 - h)
    return dz @ w.T, x.T @ dz
"""


def test_a_pair_of_numpy_functions_is_explained_on_its_line(tmp_path):
    import runpy

    path = tmp_path / "pair.py"
    path.write_text(PAIR)
    made = runpy.run_path(str(path))
    rng = np.random.default_rng(0)
    report = check(made["forward"], made["backward"], rng.standard_normal((4, 3)), rng.standard_normal((3, 5)))
    assert not report.right
    assert {row.place.line for row in report.blamed} == {7}


# --- the arrays -------------------------------------------------------------------------------------------------------

EXPRESSIONS = [
    *("x.T", "x[::-1]", "x[1:, ::2]", "x[x > 0]", "x[np.arange(3), [0, 1, 1]]", "x[:, None]", "x.sum(axis=0)"),
    *("np.mean(x, axis=1, keepdims=True)", "x.std()", "np.var(x, axis=0)", "x.max(axis=1)", "np.maximum(0, x)"),
    *("np.dot(x, x.T)", "np.einsum('ij,kj->ik', x, x)", "np.tensordot(x, x, axes=([0], [0]))", "np.outer(x[0], x[1])"),
    *("np.pad(x, 1)", "np.stack([x, x])", "np.hstack((x, 2 * x))", "np.split(x, 2, axis=1)[0]", "np.tile(x, (2, 1))"),
    *("np.where(x > 0, x, 0.1 * x)", "x.clip(-0.5, 0.5)", "np.array([x[0].sum(), x[1, 1]])", "np.linalg.norm(x)"),
    *("np.convolve(x[0], x[1])", "x.astype(float)", "np.squeeze(x[:1])", "float(x.sum()) * x", "math.exp(x[0, 0]) * x"),
    *("np.vectorize(lambda v: v * v)(x)", "np.apply_along_axis(lambda r: r / r.sum(), 1, x)", "np.logaddexp(x, 0)"),
    "np.exp(x) / np.sum(np.exp(x), axis=1, keepdims=True)",
]


def value_of(expression: str, x):
    modules = Modules(find=lambda path: path)
    np_, math = modules.numpy, modules.math
    from handgrad.checker.run.numpy_module import Float

    return eval(expression, {"np": np_, "math": math, "float": Float, "x": x})


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_array_has_numpys_values_and_autograds_gradient(expression):
    import math

    x = np.random.default_rng(0).standard_normal((3, 4))
    expected = eval(expression, {"np": np, "math": math, "x": x})
    assert np.array_equal(raw(value_of(expression, array(x.copy()))), expected)
    leaf = torch.from_numpy(x.copy()).requires_grad_()
    made = value_of(expression, leaf.clone().as_subclass(Array))
    weights = np.random.default_rng(1).standard_normal(np.shape(expected))
    (plain(made) * torch.from_numpy(np.asarray(weights))).sum().backward()

    def total(values):
        return float(np.sum(eval(expression, {"np": np, "math": math, "x": values}) * weights))

    for i in range(x.size):
        step = np.zeros(x.size)
        step[i] = 1e-6
        slope = (total(x + step.reshape(x.shape)) - total(x - step.reshape(x.shape))) / 2e-6
        assert float(leaf.grad.reshape(-1)[i]) == pytest.approx(slope, rel=1e-5, abs=1e-7)


def test_views_share_memory_and_versions():
    x = array(np.zeros((3, 4)))
    view = x[1:, ::2]
    view += 1
    assert raw(x).sum() == 4
    assert x._version == view._version > 0


def test_what_has_no_counterpart_is_differentiated_by_differences():
    differences.used.clear()
    value_of("np.trapezoid(x)", torch.ones(3, 4, dtype=torch.float64, requires_grad=True).as_subclass(Array))
    assert differences.used == {"trapezoid"}


def test_an_array_of_the_program_has_no_methods_of_tensors(check_text):
    with pytest.raises(CheckError, match=r"'numpy\.ndarray' object has no attribute 'clone'"):
        check_text("import numpy as np\nx = np.ones(3)\ny = x.clone()\nloss = (y * y).sum()\ndx = 2 * y\n")
