"""Each rule against autograd, in float64 with random cotangents, at the sizes it was read at and at others."""

import pytest
from forward import check
from rows import ROWS


@pytest.mark.parametrize(("row"), [pytest.param(row, id=row) for rows in ROWS.values() for row in rows])
def test_line(row):
    source, spec = row.split(" | ")
    check(source.replace("; ", "\n"), spec)
