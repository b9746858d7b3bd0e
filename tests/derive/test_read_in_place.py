"""What is written in place is read as values with names of their own, or refused."""

import numpy as np
import pytest
import torch

from handgrad.errors import DeriveError

from .reading import randn, read, same_gradients, sources

X, Y, ROW = randn(4, 6), randn(6, 4).T.contiguous() * 1.5, randn(6)
MASK, INDEX = X > 0, torch.tensor([2, 0, 2])
SOURCES = {
    "augmented": "x *= y\nx += row\nx -= 1\nx /= 2\nx **= 2\nloss = x.sum()",
    "a fresh value": "h = x * 2\nh += y\nh = h.tanh()\nloss = h",
    "methods": "h = x * 1\nh.add_(y).mul_(2)\nh.clamp_(min=0)\nh.masked_fill_(mask, 3.0)\nloss = h",
    "with keywords": "h = x * 1\nh.add_(y, alpha=2)\nh.sub_(x, alpha=0.5)\nloss = h",
    "filled": "h = torch.empty(4, 6)\nh.zero_()\nh += x\nk = torch.empty_like(h).fill_(2)\nloss = h * k",
    "copied": "h = torch.zeros(4, 6)\nh.copy_(row)\nloss = h * x",
    "elements": "h = torch.zeros(4, 6)\nh[0] = row\nh[1:3, :2] = y[1:3, :2]\nh[..., -1] = 2\nloss = h * x",
    "a mask": "x[mask] = 0\nx[~mask] *= 2\nloss = x * x",
    "a mask of values": "h = x * 1\nh[mask] = (y * 2)[mask]\nloss = h",
    "added to elements": "h = x * 1\nh[:, :4] += y[:, :4]\nh[0] -= row\nh[1] *= row\nh[2, 3] += row[0]\nloss = h * h",
    "elements of elements": "h = x * 1\nh[1][2] = row[0]\nh[2][mask[2]] += 1\nloss = h * h",
    "an element's method": "h = x * 1\nh[1].mul_(row)\nh[:, 2].add_(1).mul_(2)\nloss = h",
    "by indices": "h = torch.zeros(4, 6)\nh.index_add_(0, index, y[:3])\nloss = h * x",
    "scattered": "h = torch.zeros(4, 6)\nh.scatter_add_(0, index[:, None].expand(3, 6), y[:3])\nloss = h * x",
    "put": "h = x * 1\nh.index_put_((index[:2],), y[:2])\nloss = h * h",
    "functions": "h = x * 1\ntorch.relu_(h)\nk = y * 1\nF.relu(k, inplace=True)\nloss = h * k",
    "one value of two names": "h = x * 2\nk = h\nk += y\nloss = k * 2",
    "a view made anew": "h = x * 2\nv = h.view(-1)\nh += 1\nv = h.view(-1)\nloss = v * 2",
    "a list's element": "hs = [x * 1, y * 1]\nhs[0] += y\nhs[1] = hs[0] * 2\nloss = hs[0] * hs[1]",
    "a dict's element": "d = {'a': x * 1}\nd['b'] = d['a'] * 2\nd['a'] += 1\nloss = d['a'] * d['b']",
    "in a function": "def f(a):\n    a += 1\n    a[0] = 0\n    return a * 2\nh = x * 2\ny2 = f(h)\nloss = h * y2",
    "transposed": "h = x.T.contiguous()\nh[0] = 1\nloss = h @ x",
    "integers": "n = torch.zeros(4, dtype=torch.long)\nn[1] = 2\nloss = x[n]",
    "random": "h = torch.empty(4, 6).uniform_()\nloss = h * 0 + x",
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=list(SOURCES))
def test_writing_in_place(source):
    same_gradients(source, x=X, y=Y, row=ROW, mask=MASK, index=INDEX)


def test_an_output_that_is_given():
    program = read(
        "h = torch.empty(4, 6)\ntorch.mul(x, y, out=h)\nh = torch.add(h, 1, out=h)\nloss = h.sum()", x=X, y=Y
    )
    assert sources(program)[1:] == ["h = torch.mul(x, y)", "h2 = torch.add(h, 1)", "loss = h2.sum()"]


def test_how_written_elements_read():
    program = read("h = x * 1\nh[0] = row\nh[:, 1:] -= y[:, 1:]\nloss = h.sum()", x=X, y=Y, row=ROW)
    assert sources(program) == [
        "h = x * 1",
        "h2 = h.clone()\nh2[0] = row",
        "h3 = h2.clone()\nh3[:, 1:] -= y[:, 1:]",
        "loss = h3.sum()",
    ]
    assert program.renamed == {"h2": "h", "h3": "h"}


NUMPY = {
    "np.add.at": "h = np.zeros((4, 6))\nnp.add.at(h, index, y[:3])\nnp.subtract.at(h, 0, 1.0)\nloss = (h * x).sum()",
    "elements": "h = np.zeros_like(x)\nh[:, 0] = x[:, 1]\nh[1:] += y[1:]\nloss = (h * x).sum()",
    "augmented": "h = x * 2\nh -= h.max(axis=1, keepdims=True)\nnp.exp(h, out=h)\nloss = h.sum()",
    "filled": "h = np.ones((4, 6))\nh.fill(0)\nh += x\nloss = (h * h).sum()",
}


@pytest.mark.parametrize("source", NUMPY.values(), ids=list(NUMPY))
def test_writing_in_place_with_numpy(source):
    program = read(source, x=X.numpy(), y=Y.numpy(), index=np.array([2, 0, 2]))
    assert program.library == "numpy"


REFUSED = {
    "a view is read": (
        "v = x.view(-1)\nx[0] = 0\nloss = v.sum()",
        "'v' cannot be read here: it shares its memory with 'x'",
    ),
    "a view is written": ("v = x[0]\nv += 1\nloss = x.sum()", "'x' cannot be read here: it shares its memory with 'v'"),
    "a view is written by elements": ("v = x.T\nv[0] = 1\nloss = x.sum()", "'x' cannot be read here"),
    "another name": (
        "h = x * 1\nk = h\nh += 1\nloss = k.sum()",
        "'k' cannot be read here: it shares its memory with 'h'",
    ),
    "detached": ("d = x.detach()\nx *= 2\nloss = (d * x).sum()", "'d' cannot be read here"),
    "data": ("x.data = y\nloss = x.sum()", "assigning to '.data' of a tensor"),
    "an index twice": ("x[index] += y[:3]\nloss = x.sum()", "the index names an element twice"),
    "another shape": ("h = row * 2\nh += x\nloss = h.sum()", "another shape than what it is written into"),
    "no name": ("x.view(-1)[0] = 2\nloss = x.sum()", "cannot be read. Give it a name first."),
}


@pytest.mark.parametrize(("source", "says"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_refused(source, says):
    with pytest.raises(DeriveError) as refused:
        read(source, x=X, y=Y, row=ROW, index=INDEX)
    assert says in str(refused.value)


def test_what_is_left_as_it_was():
    program = read("z = x * x\nv = x[0]\nv *= 2\nh = z * 2\nh += 1\nloss = h.sum() + v.sum()", x=X, y=Y)
    assert {"z", "loss", "y"} <= program.kept
    assert not program.kept & {"x", "v", "h"}


def test_nothing_of_the_user_is_written_into():
    x = X.clone()
    layer = torch.nn.BatchNorm1d(6)
    read("x[0] = 0\nx *= 2\nloss = layer(x).sum()", x=x, layer=layer)
    assert torch.equal(x, X)
    assert torch.equal(layer.running_mean, torch.zeros(6))
