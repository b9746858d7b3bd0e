"""What plain statements are read as: targets of all kinds, names assigned again, branches, and what is skipped."""

import pytest
import torch

from handgrad.errors import DeriveError

from .reading import randn, read, sources

X = randn(4, 6)
READ = {
    "several targets": ("a, b = x.chunk(2, 1)\ny = a * b", ["a, b = x.chunk(2, 1)", "y = a * b"]),
    "a display": ("a, b = x + 1, x * 2\ny = a * b", ["a = x + 1", "b = x * 2", "y = a * b"]),
    "a swap": ("a, b = x + 1, x * 2\na, b = b, a\ny = a - b", ["a = x + 1", "b = x * 2", "y = b - a"]),
    "nested": ("(a, b), c = (x, x + 1), x * 2\ny = a * b - c", ["a = x", "b = x + 1", "c = x * 2", "y = a * b - c"]),
    "starred": ("a, *rest = [x + 1, x * 2, x - 1]\ny = a * rest[0] * rest[1]", None),
    "a shape": ("B, T = x.shape\ny = x.view(B, T // 2, 2)", ["B, T = x.shape", "y = x.view(B, T // 2, 2)"]),
    "chained": ("a = b = x * 2\ny = a * b", ["a = x * 2", "b = a", "y = a * b"]),
    "annotated": ("a: torch.Tensor = x * 2\nb: int\ny = a + 1", ["a = x * 2", "y = a + 1"]),
    "walrus": ("y = (a := x * 2) + a", ["a = x * 2", "y = a + a"]),
    "no effect": ('"""Notes."""\nprint(x)\nassert x.ndim == 2, "rows"\ny = x * 2  # twice\npass', ["y = x * 2"]),
    "deleted": ("a = x * 2\ny = a + 1\ndel a", ["a = x * 2", "y = a + 1"]),
    "imported": ("import math\nfrom torch import tanh as th\ny = th(x) * math.pi", ["y = th(x) * math.pi"]),
    "two on a line": ("a = x * 2; y = a + 1", ["a = x * 2", "y = a + 1"]),
    "over two lines": ("y = (x *\n     2)", ["y = (x *\n     2)"]),
    "a tuple of numbers": ("dims = (0, 1)\ny = x.sum(dims)", ["dims = (0, 1)", "y = x.sum(dims)"]),
    "backward ends it": ("y = x.sum()\ny.backward()\nz = y * 2", ["y = x.sum()"]),
    "a comparison": ("m = (0 < x) & (x < 1)\ny = x * m", ["m = (0 < x) & (x < 1)", "y = x * m"]),
    "text": ("k = 'x'\ny = {f'{k}1': x * 2}['x1'] + 1", ["k = 'x'", "y = x * 2 + 1"]),
}


@pytest.mark.parametrize(("source", "lines"), READ.values(), ids=list(READ))
def test_statements(source, lines):
    program = read(source, x=X)
    assert program.output == "y"
    if lines is not None:
        assert sources(program) == lines


def test_the_first_value_keeps_the_name_and_later_ones_are_numbered():
    program = read("h = x @ W\nh = h.tanh()\nh = h * 2\ny = h.sum()", x=X, W=randn(6, 3))
    assert sources(program) == ["h = x @ W", "h2 = h.tanh()", "h3 = h2 * 2", "y = h3.sum()"]
    assert program.renamed == {"h2": "h", "h3": "h"}
    assert "h" not in program.kept
    assert {"x", "W", "y"} <= program.kept


def test_an_input_keeps_its_name():
    program = read("x = x * 2\nx2 = x + 1\nx = x2 * x", x=X)
    assert sources(program) == ["x3 = x * 2", "x2 = x3 + 1", "x4 = x2 * x3"]
    assert program.renamed == {"x3": "x", "x4": "x"}
    assert program.output == "x4"


def test_a_constant_ahead_leaves_the_name_to_what_depends_on_inputs():
    program = read("loss = 0\nloss = loss + x.sum()\nloss = loss * 2", x=X)
    assert sources(program) == ["loss0 = 0", "loss = loss0 + x.sum()", "loss2 = loss * 2"]


def test_each_line_has_the_constants_of_its_time():
    program = read("k = 2\na = x ** k\nk = 3\ny = a + x ** k", x=X)
    assert sources(program) == ["k = 2", "a = x ** k", "k2 = 3", "y = a + x**k2"]


def test_nothing_is_numbered_like_what_is_there():
    program = read("x2 = 5\nh = x * x2\nh = h + 1\nh2 = h * 3\ny = h2 + h", x=X, h3=1)
    assert sources(program) == ["x2 = 5", "h = x * x2", "h4 = h + 1", "h2 = h4 * 3", "y = h2 + h4"]


def test_a_branch_is_the_one_taken_and_told():
    source = "if flag and n > 2:\n    y = x * 2\nelif n:\n    y = x * 3\nelse:\n    y = x"
    program = read(source, x=X, flag=True, n=1)
    assert sources(program) == ["y = x * 3"]
    assert program.notes == ("line 1: 'flag' is true", "line 1: 'flag and n > 2' is false", "line 3: 'n' is true")
    program = read("y = x * 2 if n else x", x=X, n=0)
    assert sources(program) == ["y = x"]


def test_without_gradients_is_detached():
    program = read("with torch.no_grad():\n    m = x.mean()\n    k = torch.ones(3)\ny = x - m", x=X)
    assert sources(program) == ["m = x.mean().detach()", "k = torch.ones(3)", "y = x - m"]


def test_parameters_are_what_is_differentiated_by():
    a, b = X.clone().requires_grad_(), X.clone()
    assert read("y = (a * b).sum()", a=a, b=b).inputs == ("a",)
    assert read("y = (a * b).sum()", a=X, b=b, c=X).inputs == ("a", "b")
    assert read("y = (a * b).sum()", a=a, b=b, given=["b"]).inputs == ("b",)


def test_two_names_of_one_tensor_are_one():
    program = read("y = (a * b).sum()", a=X, b=X)
    assert sources(program) == ["y = (a * a).sum()"]
    assert program.inputs == ("a",)


def test_a_forward_pass_without_inputs_is_refused():
    with pytest.raises(DeriveError, match="'y' does not depend on a float tensor"):
        read("y = torch.ones(3)", x=X)


def test_while_is_followed():
    program = read("n = 0\ny = x\nwhile n < 2:\n    y = y * 2\n    n += 1", x=X)
    assert sources(program) == ["n = 0", "y = x", "y2 = y * 2", "n2 = n + 1", "y3 = y2 * 2", "n3 = n2 + 1"]
    assert "line 3: 'while n < 2' is written out for its 2 rounds" in program.notes


def test_what_is_shown_is_skipped():
    import logging

    source = "y = x * 2\nlogging.info(y)\nif n:\n    logging.warning('n')\nprint(y)\nz = y.sum()"
    assert sources(read(source, x=X, logging=logging, n=1)) == ["y = x * 2", "z = y.sum()"]


def test_complex_numbers_are_refused():
    with pytest.raises(DeriveError, match=r"line 1: z = torch.fft.fft\(x\): complex numbers"):
        read("z = torch.fft.fft(x)\ny = z.abs().sum() + x.sum()", x=X)


def test_the_source_stands_in_the_place_of_the_lines():
    program = read("h = x * w\nh = h.tanh()\ny = h.sum()", x=X, w=torch.ones(6))
    assert program.source == "h = x * w\nh2 = h.tanh()\ny = h2.sum()"
