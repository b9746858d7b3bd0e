"""Each rule against autograd, in float64 with random cotangents, at the sizes it was read at and at others."""

import pytest

from handgrad.derive.lines import sending
from handgrad.derive.read.signatures import SIGNATURES
from handgrad.derive.read.spellings import NUMPY, QUALIFIED
from handgrad.derive.rules import elementwise, pointwise, rule_of
from handgrad.derive.rules.adjoint import ADJOINTS, Adjoint, Back
from handgrad.derive.rules.definitions import DEFINITIONS
from handgrad.derive.rules.elementwise import GRADIENT_FREE
from handgrad.errors import DeriveError

from .forward import check, derived
from .rows import ROWS

ALL = [row for rows in ROWS.values() for row in rows.strip().split("\n")]
REFUSED = {"local_response_norm", "pinv", "median_of", "choose"}
"""Functions that are known by name and have no rule."""


@pytest.mark.one_in(4)
@pytest.mark.parametrize("row", ALL)
def test_line(row):
    source, spec = row.split(" | ")
    check(source.replace("; ", "\n"), spec)


def names_of_functions() -> set[str]:
    qualified = [line.rpartition(": ")[2] for line in QUALIFIED.split("\n")]
    return {line.partition("(")[0] for line in [*SIGNATURES.split("\n"), *NUMPY.split("\n"), *qualified] if line}


def test_every_function_has_a_rule_or_needs_none():
    without = {n for n in names_of_functions() if rule_of(n) is None and n not in DEFINITIONS}
    assert without - GRADIENT_FREE == REFUSED


def test_every_rule_is_tested(monkeypatch):
    used = set()
    site = sending.Sending._site

    def noted(self, call, *arguments):
        used.add(call.name)
        return site(self, call, *arguments)

    monkeypatch.setattr(sending.Sending, "_site", noted)
    for row in ALL:
        source, spec = row.split(" | ")
        derived(source.replace("; ", "\n"), spec)
    in_numpy = {"pad_all", "select_along", "asarray", "cbrt", "vdot", "broadcast_to", "ravel", "astype"}
    in_numpy |= {"tensor_split", "atleast_2d"}
    read_away = {"dropout"}
    assert names_of_functions() - REFUSED - GRADIENT_FREE - used == in_numpy | read_away


@pytest.mark.parametrize(
    ("table", "name", "wrong", "row"),
    [
        (elementwise.SLOPES, "tanh", "1 + y**2", "y = torch.tanh(x) | x:nh"),
        (elementwise.SLOPES, "relu", "(x >= 0)", "y = F.relu(x) | x:nh!"),
        (elementwise.SLOPES, "exp", "x", "y = torch.exp(x) | x:nh"),
        (pointwise.POINTWISE, "div", {"x": "dy / other", "other": "y / other * dy"}, "y = x / z | x:nh z:nh+"),
        (pointwise.POINTWISE, "mul", {"x": "x * dy", "other": "x * dy"}, "y = x * z | x:nh z:h"),
        (ADJOINTS, "sum", Adjoint(lambda _: Back({"x": "2 * dy"}), lazy=True), "y = x.sum() | x:nh"),
        (ADJOINTS, "softmax", Adjoint(lambda _: Back({"x": "y * dy"})), "y = F.softmax(x, 1) | x:nh"),
        (ADJOINTS, "matmul", Adjoint(lambda _: Back({"x": "dy @ other"})), "y = x @ W | x:n3 W:33"),
        (ADJOINTS, "transpose", Adjoint(lambda _: Back({"x": "dy.reshape(x.shape)"})), "y = x.transpose(0, 1) | x:nh"),
        (DEFINITIONS, "outer", "2 * x[:, None] * other", "y = torch.outer(a, b) | a:n b:h"),
    ],
)  # fmt: skip
def test_a_broken_rule_fails(monkeypatch, table, name, wrong, row):
    monkeypatch.setitem(table, name, wrong)
    source, spec = row.split(" | ")
    with pytest.raises((AssertionError, RuntimeError, DeriveError)):
        check(source, spec)
