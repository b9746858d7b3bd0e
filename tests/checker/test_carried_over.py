"""Right programs in which a loop, a list or an object carries something from one round or pass into the next."""

import pytest

GRADIENT_OF_A_ROUND = """\
import torch

torch.manual_seed(5)
Ws = [torch.randn(4, 5), torch.randn(5, 3)]
X, Y = torch.randn(9, 4), torch.randn(9, 3)
acts = [X]
for i, W in enumerate(Ws):
    z = acts[-1] @ W
    acts.append(torch.tanh(z) if i < len(Ws) - 1 else z)
loss = ((acts[-1] - Y) ** 2).sum() / 9
dWs = []
dz = 2 * (acts[-1] - Y) / 9
for i in reversed(range(len(Ws))):
    dWs.insert(0, acts[i].T @ dz)
    if i > 0:
        da = dz @ Ws[i].T
        dz = da * (1 - acts[i] ** 2)
"""

CHOSEN_IN_AN_OBJECT = """\
import torch


class MaxPool:
    def forward(self, x):
        out, self.argmax = x.max(-1)
        return out

    def backward(self, dout):
        dx = torch.zeros(*dout.shape, 4)
        dx.scatter_(-1, self.argmax.unsqueeze(-1), dout.unsqueeze(-1))
        return dx


torch.manual_seed(31)
pool = MaxPool()
image, scale = torch.randn(2, 6, 4), torch.rand(2, 1, 1) + 0.5
scaled = image * scale
pooled = pool.forward(scaled)
loss = torch.logsumexp(pooled.flatten(), 0)
dpooled = torch.softmax(pooled.flatten(), 0).view_as(pooled)
dscaled = pool.backward(dpooled)
dscale = (dscaled * image).sum((1, 2), keepdim=True)
"""

CACHE_OF_AN_EARLIER_PASS = """\
import torch


class Block:
    def __init__(self, d):
        self.W = torch.randn(d, d)

    def forward(self, x):
        h = torch.tanh(x @ self.W)
        self.cache = (x, h)
        return x + h

    def backward(self, dout):
        x, h = self.cache
        da = dout * (1 - h**2)
        self.dW = x.T @ da
        return dout + da @ self.W.T


torch.manual_seed(36)
blocks = [Block(3) for _ in range(2)]
x, y = torch.randn(5, 3), torch.randn(5, 3)
for _ in range(3):
    out = x
    for block in blocks:
        out = block.forward(out)
    loss = ((out - y) ** 2).mean()
    dout = 2 * (out - y) / out.numel()
    for block in blocks[::-1]:
        dout = block.backward(dout)
    for block in blocks:
        block.W -= 0.1 * block.dW
"""

CAUGHT = """\
import torch


def bwd(dz, x):
    dW = x.T @ dz
    return dW


torch.manual_seed(0)
x, W = torch.randn(7, 3), torch.randn(3, 2)
z = x @ W
loss = z.square().mean()
dz = 2 * z / z.numel()
dW = bwd(dz, x)
try:
    bwd(dz.T, x)
except RuntimeError as error:
    print("caught", error)
"""

PROGRAMS = {
    "gradient-of-a-round": GRADIENT_OF_A_ROUND,
    "chosen-in-an-object": CHOSEN_IN_AN_OBJECT,
    "cache-of-an-earlier-pass": CACHE_OF_AN_EARLIER_PASS,
    "caught": CAUGHT,
}


@pytest.mark.parametrize("text", PROGRAMS.values(), ids=PROGRAMS)
def test_a_right_program_gives_no_alarm(text, check_text):
    report = check_text(text)
    assert report.right
    assert {row.verdict for row in report.variables} <= {"exact", "close", "missing"}
    assert any(row.verdict in ("exact", "close") for row in report.variables)


def test_gradients_clipped_in_a_loop_are_no_hazard(check_text):
    clipped = "".join(
        (
            "import torch\ntorch.manual_seed(0)\n",
            "x, W, b = torch.randn(7, 3), torch.randn(3, 2), torch.zeros(2)\n",
            "z = x @ W + b\nloss = z.square().mean()\ndz = 2 * z / z.numel()\ndW, db = x.T @ dz, dz.sum(0)\n",
            "for param, dparam in [(W, dW), (b, db)]:\n    dparam.clamp_(-5, 5)\n",
        )
    )
    assert check_text(clipped).right


@pytest.mark.slow
def test_a_mistake_in_a_later_pass_is_still_found(check_text):
    text = CACHE_OF_AN_EARLIER_PASS.replace("dout * (1 - h**2)", "dout * (1 - h)")
    report = check_text(text)
    assert {row.text for row in report.blamed} == {"da = dout * (1 - h)"}
