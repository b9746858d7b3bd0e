import torch

torch.manual_seed(24)
ops = {
    "square": (lambda x: x**2, lambda x, g: 2 * x * g),
    "sin": (torch.sin, lambda x, g: torch.cos(x) * g),
    "softplus": (lambda x: torch.log1p(torch.exp(x)), lambda x, g: torch.sigmoid(x) * g),
}


def chain(x, *names):
    tape = []
    for name in names:
        tape.append((name, x))
        x = ops[name][0](x)
    return x, tape


def unchain(g, tape):
    for name, x in reversed(tape):
        g = ops[name][1](x, g)
    return g


x = torch.randn(3, 4)
w = torch.randn(4, 5)
u = x @ w
out, tape = chain(u, "sin", "softplus", "square")
loss = out.sum()
dout = torch.ones_like(out)
du = unchain(dout, tape)
dw = x.T @ du
dx = du @ w.T
