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


INTO = """\
import torch

x = torch.randn(5, 3)
W = torch.randn(3, 2, requires_grad=True)
z = x @ W
h = z.tanh()
loss = (h**2).mean()
dh = 2 * h / h.numel()
dz, dW = torch.empty_like(z), torch.empty_like(W)
with torch.no_grad():
    torch.mul(dh, 1 - h**2, out=dz)
    torch.mm(x.T, dz, out=dW)
"""


def test_a_gradient_written_with_out_is_the_one_that_is_blamed(check_text):
    assert check_text(INTO).right
    report = check_text(INTO.replace("1 - h**2", "1 - h"))
    assert [(row.name, row.line, row.diagnosis[0].fix) for row in report.blamed] == [
        ("z", 11, "torch.mul(dh, 1 - h**2, out=dz)")
    ]
    refused = check_text(INTO.replace("with torch.no_grad():", "if True:"))
    assert [(row.name, row.line) for row in refused.blamed] == [("z", 11)]
    assert "functions with out=... arguments" in refused.blamed[0].diagnosis[0].message
    assert refused.blamed[0].diagnosis[0].message.endswith("Put it under torch.no_grad().")
