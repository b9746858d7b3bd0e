"""Each rule against autograd, in float64 with random cotangents, at the sizes it was read at and at others."""

import dataclasses

import pytest
from .forward import SIZES, check, derived, differences
from .rows import ROWS

from handgrad.derive.backward import GradientLine
from handgrad.derive.read.calls import call_of
from handgrad.derive.read.signatures import NUMPY, QUALIFIED, SIGNATURES
from handgrad.derive.rules import rule_of
from handgrad.derive.rules.elementwise import GRADIENT_FREE

ALL = [(family, row) for family, rows in ROWS.items() for row in rows.strip().split("\n")]


@pytest.mark.parametrize("row", [pytest.param(row, id=row) for _, row in ALL])
def test_line(row):
    source, spec = row.split(" | ")
    check(source.replace("; ", "\n"), spec)
