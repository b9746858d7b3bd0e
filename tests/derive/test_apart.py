"""The shortest form of programs with lines that have no index notation."""

import pytest
import torch

from handgrad.derive.derivation import derived
from handgrad.derive.read.statements import read_program
from handgrad.errors import DeriveError


def shortest(lines: str, **shapes: tuple[int, ...]):
    generator = torch.Generator().manual_seed(3)
    before = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    return derived(read_program(lines, {"torch": torch, **before}), "shortest")


def test_what_comes_back_through_it_is_the_gradient_where_it_is_all_of_it():
    found = shortest("A = L @ L.T + torch.eye(L.shape[0])\nloss = torch.logdet(A)", L=(3, 4))
    assert found.source == "dA = torch.linalg.inv(A).transpose(-2, -1)\ndL = (dA + dA.T) @ L"


def test_a_part_has_a_name_of_its_own():
    found = shortest("a = torch.sigmoid(z)\nT = torch.cumprod(a, 1)\nw = a * T", z=(4, 5))
    assert "dT = a * dw\n" in found.source
    assert "da_T = " in found.source
    assert found.source.endswith("dz = a * (1 - a) * (da_T + T * dw)")


def test_parts_of_two_lines_are_added():
    found = shortest("s = torch.logcumsumexp(x, 1)\nt = torch.logcumsumexp(x, 0)\ny = s * t", x=(4, 5))
    assert found.source.endswith("dx = dx_s + dx_t")


@pytest.mark.parametrize(
    "lines", ["y = torch.logcumsumexp(x, 0).sum()", "n = x.logsumexp((0, 1))\ny = n.cumsum(0) * x"]
)
def test_numbers_without_dimensions(lines):
    assert all(check.right for check in shortest(lines, x=(4, 5)).check)


def test_a_function_whose_derivative_has_no_index_notation():
    found = shortest("a = x * w\ny = torch.digamma(a)", x=(4, 5), w=(5,))
    assert "polygamma(1, a)" in found.source


def test_line_by_line_where_nothing_shorter_is_found(monkeypatch):
    def refuse(program):
        raise DeriveError("too long", where=program.output)

    monkeypatch.setattr("handgrad.derive.shortest.shortest", refuse)
    found = shortest("y = torch.tanh(x)", x=(4, 5))
    assert found.source == "dx = (1 - y**2) * dy"
    assert found.notes == ("Nothing shorter was found than line by line: too long.",)
