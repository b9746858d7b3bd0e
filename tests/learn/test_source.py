"""What is given, what is the answer, and what may be in it."""

import pytest

from handgrad.learn import source

LOOP = """N = 3
g = seed.manual_seed(1)
for i in range(N):
    y = i

    # YOUR CODE HERE
    dy = 1
    # END OF YOUR CODE

    print(dy)
    z = dy
"""


def test_cut_and_graft():
    parts = source.cut(LOOP)
    assert (parts.answer, parts.first) == ("    dy = 1\n", 7)
    assert source.graft(LOOP, parts.answer) == LOOP
    assert source.cut("dy = 1") is None
    assert source.cut("# YOUR CODE HERE").answer == ""


def test_resize_keeps_lines_and_touches_nothing_else():
    text = "N, D = 5, 7  # sizes\nx = 'é'; K = 3\nN_other = 5\ng = torch.Generator().manual_seed(1)\n"
    expected = "N, D = 11, 7  # sizes\nx = 'é'; K = 2\nN_other = 5\ng = torch.Generator().manual_seed(9)\n"
    assert source.resize(text, {"N": 11, "K": 2}, 9) == expected


@pytest.mark.parametrize(
    "change",
    [
        ("dy = 1", "dy = None\n    print(dy)"),
        ("N = 3", "N = 30  # more"),
        ("manual_seed(1)", "manual_seed(4)"),
        ("print(dy)", "0"),
    ],
    ids=lambda change: change[1],
)
def test_what_may_be_changed(change):
    assert source.changed_line(LOOP.replace(*change), LOOP, {"N": 5}) is None


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("y = i", "y = 0"), 4),
        (("range(N)", "range(2)"), 3),
        (("    z = dy\n", ""), 10),
        (("N = 3", "N = 3\nM = 4"), 2),
    ],
    ids=lambda value: str(value),
)
def test_what_must_stay(change, line):
    assert source.changed_line(LOOP.replace(*change), LOOP, {"N": 5}) == line


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("dx = x.grad", (2, "grad")),
        ("y = 1\nloss.backward()", (3, "backward")),
        ("dx, = torch.autograd.grad(loss, x)", (2, "grad")),
        ("from torch.autograd import grad", (2, "grad")),
        ("from torch import func", (2, "func")),
        ("grad_x = 2  # not x.grad", None),
    ],
)
def test_gradients_that_are_not_by_hand(answer, found):
    assert source.not_by_hand(f"# YOUR CODE HERE\n{answer}\n") == found
    assert source.not_by_hand(f"{answer}\n# YOUR CODE HERE\n") is None


def test_unwritten():
    text = "da = None\nda = 1\ndb = ...\ndc, dd = None, None\nde: object = None\ndf, dg = f()\n"
    assert source.unwritten(text, ["da", "db", "dc", "dd", "df", "dg", "dh"]) == ["db", "dc", "dd", "dh"]


def test_code_lines():
    assert source.code_lines("a = 1\n# YOUR CODE HERE\n\n# a remark\ndx = (\n    1\n)\n") == 3
