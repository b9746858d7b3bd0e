"""The flow of gradients through a program, as data."""

import math

import pytest

from handgrad.checker.inspection import check_source
from handgrad.checker.read.source import parse_code
from handgrad.checker.run.machine import Machine
from handgrad.errors import HandgradError
from handgrad.studio.judged import Judged

PROGRAM = """
import torch
g = torch.Generator().manual_seed(1)
x = torch.randn(5, 3, generator=g)
W = torch.randn(3, 4, generator=g, requires_grad=True)
b = torch.randn(4, generator=g, requires_grad=True)
ix = torch.tensor([0, 2, 2])
a = x @ W + b
h = torch.tanh(a)
s = h.sum(1, keepdim=True)
p = h / s
q = p[ix]
loss = (q**2).mean()
dq = 2 * q / q.numel()
dp = torch.zeros_like(p)
dp.index_add_(0, ix, dq)
dh = dp / s
ds = (-h / s**2 * dp).sum(1, keepdim=True)
dh += ds
da = (1 - h) * dh
dW = x.T @ da
"""


@pytest.fixture(scope="module")
def flow():
    return Judged(lambda look: check_source(parse_code(PROGRAM), Machine(None), look=look)).flow


@pytest.fixture(scope="module")
def overview(flow):
    return flow.overview()


def number_of(overview, gradient):
    return next(i for i, step in enumerate(overview["steps"]) if step["gradient"] == gradient)


def test_the_graph_has_every_value_on_the_way_to_the_loss(overview):
    (graph,) = overview["passes"]
    names = {node["id"]: node["name"] for node in graph["nodes"]}
    edges = {(names[edge["from"]], names[edge["to"]]) for edge in graph["edges"]}
    assert {("W", "a"), ("b", "a"), ("a", "h"), ("h", "s"), ("h", "p"), ("s", "p"), ("p", "q"), ("q", "loss")} <= edges
    kinds = {node["name"]: node["kind"] for node in graph["nodes"]}
    assert (kinds["W"], kinds["h"], kinds["loss"]) == ("input", "value", "loss")


def test_each_step_has_its_lines_and_its_verdict(overview):
    steps = {step["gradient"]: step for step in overview["steps"]}
    found = {name: (step["verdict"], step["cause"]) for name, step in steps.items()}
    assert found["dp"] == ("exact", None)
    assert found["da"] == ("wrong", "own")
    assert found["dW"] == ("wrong", "inherited")
    assert found["db"] == ("missing", None)
    assert [line["line"] for line in steps["dh"]["lines"]] == [17, 19]
    assert steps["da"]["diagnosis"][0]["repair"]["text"].replace(" ", "") == "da=(1-h**2)*dh"
    assert steps["db"]["lines"] == []


def test_an_element_is_the_sum_of_its_terms(flow, overview):
    for number, step in enumerate(overview["steps"]):
        element = flow.element(number, None, None)
        total = 0.0
        for path in element["paths"]:
            terms = sum(term["upstream"] * term["factor"] for term in path["terms"])
            assert math.isclose(terms, path["sum"], rel_tol=1e-9, abs_tol=1e-15), step["gradient"]
            total += path["sum"]
        assert math.isclose(total, element["right"], rel_tol=1e-9, abs_tol=1e-15), step["gradient"]


def test_a_value_used_twice_has_two_paths(flow, overview):
    element = flow.element(number_of(overview, "dh"), None, (2, 1))
    assert [path["name"] for path in element["paths"]] == ["s", "p"]


def test_the_element_that_is_most_wrong_comes_first(flow, overview):
    number = number_of(overview, "da")
    element = flow.element(number, None, None)
    assert math.isclose(abs(element["yours"] - element["right"]), overview["steps"][number]["maxdiff"], rel_tol=1e-4)


@pytest.mark.parametrize("index", [(0,), (0, 4), (-1, 0), (5, 0)])
def test_there_is_no_such_element(flow, overview, index):
    with pytest.raises(HandgradError, match="no such element"):
        flow.element(number_of(overview, "da"), None, index)


@pytest.mark.parametrize("cell", [(5, 0), (0, 4), (-1, 0), (0,)])
def test_there_is_no_such_cell(flow, overview, cell):
    with pytest.raises(HandgradError, match="no such cell"):
        flow.element(number_of(overview, "da"), cell, None)


@pytest.mark.parametrize("number", [-1, 99])
def test_there_is_no_such_step(flow, number):
    with pytest.raises(HandgradError, match="no such step"):
        flow.detail(number)


SEVERAL = """
import torch
import torch.nn.functional as F
logits = torch.randn(4, 5, generator=torch.Generator().manual_seed(1), requires_grad=True)
y = torch.tensor([1, 0, 3, 3])
p = F.softmax(logits, 1)
loss = -p[range(4), y].log().mean()
dlogits = (p - F.one_hot(y, 5)) / 4
other_loss = (logits**2).sum()
dlogits = 2 * logits
"""


def test_a_gradient_of_another_loss_has_a_graph_of_its_own():
    overview = Judged(lambda look: check_source(parse_code(SEVERAL), Machine(None), look=look)).flow.overview()
    assert [(step["gradient"], step["pass"]) for step in overview["steps"] if step["lines"]] == [
        ("dlogits", 0), ("dlogits", 1),
    ]  # fmt: skip
    assert [[node["name"] for node in graph["nodes"]] for graph in overview["passes"]] == [
        ["logits", "p", "loss"], ["logits", "other_loss"],
    ]  # fmt: skip
