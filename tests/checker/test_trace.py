"""Programs in forms of their own."""

MAIN = """\
import torch

def main():
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    W = torch.randn(3, 2, requires_grad=True)
    for step in range(100_000_000):
        y = x @ W
        loss = (y**2).mean()
        dy = 2 * y / y.numel()
        dW = x.T @ dy
        with torch.no_grad():
            W -= 0.1 * dW
    return W

if __name__ == "__main__":
    main()
"""


def test_a_program_inside_main_is_checked(check_text):
    assert {row.name for row in check_text(MAIN).variables} == {"y", "W"}
    report = check_text(MAIN.replace("x.T @ dy", "x.T @ y"))
    assert [(row.name, row.line) for row in report.blamed] == [("W", 10)]


def test_a_gradient_read_before_it_is_finished_is_stale(check_text):
    text = (
        MAIN.split("def main")[0]
        + """\
x = torch.randn(5, 3)
W = torch.randn(3, 2, requires_grad=True)
y = x @ W
loss = (y**2).mean()
dy = 2 * y
dW = x.T @ dy
dy /= y.numel()
"""
    )
    report = check_text(text)
    assert [(h.kind, h.variable, h.place.line) for h in report.hazards] == [("stale", "dy", 8)]
    assert not report.blamed
