"""A function of a file or a module, called as told, as the program calls it, or as it is annotated."""

import sys
from pathlib import Path

import pytest
import torch

from handgrad.errors import ConfigError, DeriveError
from handgrad.forward.deriving import Target, Wish, derive_target
from handgrad.forward.function import Given, function_of_file

LAYERS = """\
import torch
from jaxtyping import Float, Int
EPS = 1e-6

def norm(x, gain, scale=2.0):
    r = ((x**2).mean(-1, keepdim=True) + EPS) ** -0.5
    return x * r * gain * scale

def pick(x: Float[torch.Tensor, "n d"], ix: Int[torch.Tensor, "m"]):
    return x[ix]

def train(steps):
    for _ in range(steps):
        norm(torch.randn(4, 3), gain=torch.ones(3))

if __name__ == "__main__":
    train(10**9)
"""


@pytest.fixture
def layers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("layers.py")
    path.write_text(LAYERS)
    return path


def test_arguments_come_from_the_first_call(layers):
    _, given = function_of_file(layers, "norm", Given())
    assert {name: value.shape for name, value in given.items()} == {"x": (4, 3), "gain": (3,)}
    assert torch.equal(given["gain"], torch.ones(3))


def test_what_is_told_counts_more(layers):
    given = Given.parse(["x=7,3"], ["scale=0.5"])
    _, found = function_of_file(layers, "norm", given)
    assert (found["x"].shape, found["gain"].shape, found["scale"]) == ((7, 3), (3,), 0.5)


def test_annotations_give_each_dimension_a_size(layers):
    _, found = function_of_file(layers, "pick", Given())
    assert found["x"].shape == (5, 7)
    assert (found["ix"].shape, found["ix"].dtype) == ((3,), torch.int64)


def test_the_backward_function_is_derived(layers):
    found = derive_target(Target.parse("layers.py:norm"), Wish())
    backward = found.derivation.backward
    x, gain, dout = torch.randn(6, 2, requires_grad=True), torch.randn(2, requires_grad=True), torch.randn(6, 2)
    function, _ = function_of_file(layers, "norm", Given())
    function(x, gain).backward(dout)
    for ours, parameter in zip(backward(dout, x.detach(), gain.detach()), (x, gain), strict=True):
        assert torch.allclose(ours, parameter.grad, atol=1e-5)
    assert "layers" not in sys.modules


def test_a_module_is_imported(layers):
    found = derive_target(Target.parse("layers:norm"), Wish(given=Given.parse(["x=4,3", "gain=3"], [])))
    assert found.derivation.source.startswith("def backward(dout, x, gain")
    assert "layers" not in sys.modules
    assert not list(layers.resolve().parent.glob("__pycache__"))


@pytest.mark.parametrize(
    ("target", "given", "says"),
    [
        ("layers.py:nothing", ([], []), ("layers.py", "no function is called 'nothing'")),
        ("layers:norm", ([], []), ("norm is called with: x, gain", "--shape x=32,10")),
        ("layers:norm", (["y=3"], []), ("norm takes no 'y'", "x, gain, scale")),
        ("nowhere:norm", ([], []), ("nowhere", "No module named")),
        ("layers.py:norm", ([], ["x=1/0"]), ("--arg x=1/0", "ZeroDivisionError")),
        ("layers.py:norm", ([], ["x='a'"]), ("layers.py:norm", "line 6")),
    ],
)
@pytest.mark.usefixtures("layers")
def test_what_cannot_be_called_is_refused(target, given, says):
    with pytest.raises((DeriveError, ConfigError)) as refused:
        derive_target(Target.parse(target), Wish(given=Given.parse(*given)))
    assert [word for word in says if word not in str(refused.value)] == []


@pytest.mark.parametrize("text", ["x", "x=", "=3", "x=3;4", "x y=3"])
def test_shapes_have_a_form(text):
    if text == "x=":
        assert Given.parse([text], []).shapes == {"x": ()}
        return
    with pytest.raises(ConfigError, match="--shape"):
        Given.parse([text], [])


def test_a_file_of_the_same_name_elsewhere_is_another(tmp_path, monkeypatch):
    for folder, line in (("a", "y = torch.tanh(x)"), ("b", "\n\n    u = torch.exp(x)\n    y = u * x")):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        Path("layers.py").write_text(f"import torch\n\ndef f(x):\n    {line}\n    return y\n")
        found = derive_target(Target.parse("layers.py:f"), Wish(given=Given.parse(["x=3,4"], [])))
    assert "u = torch.exp(x)" in found.derivation.source
