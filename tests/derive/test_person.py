"""The closed forms that a person writes are right themselves, so that their length is a fair measure."""

import pytest
import torch
from torch.nn import functional as F

from handgrad.derive.verify.layout import as_numpy
from handgrad.derive.verify.references import references

from .cases.lanes import each

FREE = {"m": "(scores - right[:, None] + 1 > 0).double() * (1 - F.one_hot(Y, v))"}
"""What stands in a person's form under a name of its own."""


@pytest.mark.parametrize(("case", "target"), each(closed=True))
def test_a_persons_closed_form_is_right(case, target):
    name, _, end = target.partition(" from ")
    end = end or case.output
    program = case.program(output=end)
    reference = references(program)[0]
    values = {"torch": torch, "F": F, **case.letters, **reference.values, f"d{end}": reference.cotangent}
    if case.name == "hinge-multiclass":
        values["m"] = eval(FREE["m"], values)
    given = as_numpy(eval(case.closed[target], values))
    right = reference.gradients[name]
    assert right.error(given + 0 * as_numpy(reference.values[name]), 1e-9 * right.largest) < 1e-6
