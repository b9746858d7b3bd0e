"""Programs as people write them, each with what its forward pass is: its lines, what to differentiate by, and its end."""

from dataclasses import dataclass

DATA = "import torch\nimport torch.nn.functional as F\ntorch.manual_seed(1)\nX, Y = torch.randn(8, 5), torch.randint(3, (8,))\n"
WANTED = "W = torch.randn(5, 3, requires_grad=True)\n"
PLAIN = "W = torch.randn(5, 3)\n"
NUMPY = "import numpy as np\nrng = np.random.default_rng(0)\nX, W = rng.normal(size=(8, 5)), rng.normal(size=(5, 3)) * 0.1\n"


@dataclass(frozen=True)
class Program:
    """A program, and the forward pass in it."""

    text: str
    lines: str
    inputs: str
    output: str = "loss"
    part: tuple[tuple[str, object], ...] = ()


def program(text: str, lines: str, inputs: str, output: str = "loss", /, **part: object) -> Program:
    return Program(text, lines, inputs, output, tuple(part.items()))


PROGRAMS = {
    "what is computed from parameters": program(
        f"{DATA}{WANTED}n = len(X)\nXn = X / X.std()\nz = Xn @ W\nprint(z)\nmask = z > 0\nloss = F.cross_entropy(z, Y)\n",
        "z = Xn @ W\nloss = F.cross_entropy(z, Y)",
        "W",
    ),
    "with a backward pass and an update below": program(
        f"{DATA}{WANTED}z = X @ W\nloss = F.cross_entropy(z, Y)\nloss.backward()\ndz = F.softmax(z, 1)\ndW = X.T @ dz\nloss = 0\n",
        "z = X @ W\nloss = F.cross_entropy(z, Y)",
        "W",
    ),
    "parameters set to require gradients later": program(
        f"{DATA}{PLAIN}W *= 0.1\nfor p in [W]:\n    p.requires_grad = True\nz = X @ W\nloss = z.sum()\n",
        "z = X @ W\nloss = z.sum()",
        "W",
    ),
    "nothing requires gradients": program(
        f"{DATA}{PLAIN}W = W * 0.1\nz = X @ W\nloss = (z**2).mean()\n", "z = X @ W\nloss = (z**2).mean()", "X W"
    ),
    "what is updated is a parameter": program(
        f"{DATA}{PLAIN}z = X @ W\nloss = (z**2).mean()\ndz = 2 * z / z.numel()\ndW = X.T @ dz\nW -= 0.1 * dW\n",
        "z = X @ W\nloss = (z**2).mean()",
        "W",
    ),
    "updated in a loop over a list": program(
        f"{DATA}{PLAIN}b = torch.zeros(3)\nparams = [W, b]\nz = X @ W + b\nloss = z.sum()\n"
        "for p, g in zip(params, [X.T @ torch.ones(8, 3), torch.ones(3)]):\n    p.data += -0.1 * g\n",
        "z = X @ W + b\nloss = z.sum()",
        "W b",
    ),
    "a training loop under no_grad": program(
        f"{DATA}{WANTED}lossi = []\nwith torch.no_grad():\n    for i in range(1_000_000):\n"
        "        ix = torch.randint(0, 8, (4,))\n        xb, yb = X[ix], Y[ix]\n        z = xb @ W\n"
        "        loss = F.cross_entropy(z, yb)\n        W.grad = None\n        lossi.append(loss.item())\n",
        "z = xb @ W\nloss = F.cross_entropy(z, yb)",
        "W",
    ),
    "epochs of batches": program(
        f"{DATA}{WANTED}for epoch in range(10**6):\n    for xb in X.split(4):\n        z = xb @ W\n"
        "        loss = z.pow(2).sum()\n        loss.backward()\n",
        "z = xb @ W\nloss = z.pow(2).sum()",
        "W",
    ),
    "a main function": program(
        f"{DATA}def main(steps, lr=0.1):\n    W = torch.randn(5, 3, requires_grad=True)\n"
        "    for _ in range(steps):\n        z = X @ W\n        loss = z.sum()\n        loss.backward()\n"
        "    return loss\n\nif __name__ == '__main__':\n    main(10**6)\n",
        "z = X @ W\nloss = z.sum()",
        "W",
    ),
    "a method": program(
        f"{DATA}class Net:\n    def __init__(self):\n        self.params = {{'W': torch.randn(5, 3)}}\n"
        "    def loss(self, X, Y=None):\n        W = self.params['W']\n        z = X @ W\n        if Y is None:\n"
        "            return z\n        loss = F.cross_entropy(z, Y)\n        return loss\n\nout = Net().loss(X, Y)\n",
        "z = X @ W\nloss = F.cross_entropy(z, Y)",
        "X W",
    ),
    "a function that is given what was computed is a line": program(
        f"{DATA}{WANTED}def mean_loss(z, y):\n    loss = F.cross_entropy(z, y)\n    return loss\n\n"
        "z = X @ W\nloss = mean_loss(z, Y)\n",
        "z = X @ W\nloss = mean_loss(z, Y)",
        "W",
    ),
    "a loss of several terms": program(
        f"{DATA}{WANTED}data_loss = F.cross_entropy(X @ W, Y)\npenalty = (W**2).sum()\nloss = data_loss + 0.1 * penalty\n"
        "loss.backward()\n",
        "data_loss = F.cross_entropy(X @ W, Y)\npenalty = (W**2).sum()\nloss = data_loss + 0.1 * penalty",
        "W",
    ),
    "a loss that is added to": program(
        f"{DATA}{WANTED}loss = F.cross_entropy(X @ W, Y)\nloss = loss + 0.1 * (W**2).sum()\nprint(loss.item())\n",
        "loss = F.cross_entropy(X @ W, Y)\nloss = loss + 0.1 * (W**2).sum()",
        "W",
    ),
    "a loop over time": program(
        f"{DATA}{WANTED}U = torch.randn(3, 3, requires_grad=True)\nh = torch.zeros(3)\nloss = 0\nfor x in X:\n"
        "    h = torch.tanh(x @ W + h @ U)\n    loss += (h**2).sum()\nloss = loss / len(X)\n",
        "for x in X:\n    h = torch.tanh(x @ W + h @ U)\n    loss += (h**2).sum()\nloss = loss / len(X)",
        "W U",
    ),
    "lists that a loop fills": program(
        f"{DATA}{WANTED}hs = [torch.zeros(3)]\nfor x in X:\n    hs.append(torch.tanh(x @ W + hs[-1]))\nloss = hs[-1].sum()\n",
        "hs = [torch.zeros(3)]\nfor x in X:\n    hs.append(torch.tanh(x @ W + hs[-1]))\nloss = hs[-1].sum()",
        "W",
    ),
    "a constant that changes between the lines": program(
        f"{DATA}{WANTED}n = 2\na = X @ W / n\nn = 3\nloss = (a * n).sum()\n",
        "a = X @ W / n\nn = 3\nloss = (a * n).sum()",
        "W",
    ),
    "another name for the loss": program(
        f"{DATA}{WANTED}z = X @ W\nerror = (z**2).mean()\nerror.backward()\n", "z = X @ W\nerror = (z**2).mean()", "W", "error"
    ),
    "no name that tells": program(f"{DATA}{WANTED}z = X @ W\ns = z.sum()\n", "z = X @ W\ns = z.sum()", "W", "s"),
    "NumPy": program(
        f"{NUMPY}for i in range(10**6):\n    z = np.maximum(X @ W, 0)\n    loss = np.mean(z**2)\n    dz = 2 * z * (z > 0) / z.size\n"
        "    W -= 0.1 * X.T @ dz\n",
        "z = np.maximum(X @ W, 0)\nloss = np.mean(z**2)",
        "W",
    ),
    "what raises is left out": program(
        f"{DATA}{WANTED}import nowhere\nopen('no.txt')\nz = X @ W\nloss = z.sum()\n1 / 0\n", "z = X @ W\nloss = z.sum()", "W"
    ),
    "the same line twice": program(
        f"{DATA}{WANTED}a = X @ W; b = a.tanh()  # both\nloss = b.sum()\n", "a = X @ W\nb = a.tanh()\nloss = b.sum()", "W"
    ),
    "the loss by name": program(
        f"{DATA}{WANTED}loss = (X @ W).sum()\nother = ((X @ W)**2).sum()\n", "other = ((X @ W)**2).sum()", "W", "other", loss="other"
    ),
    "a part by names": program(
        f"{DATA}{WANTED}z = X @ W\na = z.tanh()\nb = a * 2\nloss = b.sum()\n", "a = z.tanh()\nb = a * 2", "z", "b",
        start=("z",), end="b",
    ),
    "a part by lines": program(
        f"{DATA}{WANTED}z = X @ W\na = z.tanh()\nb = a * 2\nloss = b.sum()\n", "a = z.tanh()\nb = a * 2", "z", "b", lines=(7, 8)
    ),
}  # fmt: skip

REFUSED = {
    "no loss": ("x = 1\n", {}, "no loss was found", "--of NAME"),
    "nothing of that name": ("loss = 1\n", {"loss": "cost"}, "nothing is called 'cost'"),
    "no tensor of that name": ("loss = 1\n", {"loss": "loss"}, "no float tensor called 'loss' is made"),
    "raises before": (f"{DATA}import nowhere\nW = nowhere.W\nloss = W.sum()\n", {}, "line 5", "No module named 'nowhere'"),
    "not Python": ("x = = 1\n", {}, "line 1", "SyntaxError"),
    "endless": ("while True:\n    pass\nloss = 1\n", {}, "line 1", "time limit", "--timeout"),
    "independent": (
        f"{DATA}{WANTED}z = X.sum()\nloss = W.sum()\n", {"start": ("z",)}, "loss does not depend", "'z'",
    ),
    "no such lines": (f"{DATA}{WANTED}loss = W.sum()\n", {"lines": (40, 50)}, "no statement that makes a float"),
}  # fmt: skip
