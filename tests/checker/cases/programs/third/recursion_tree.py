import torch

torch.manual_seed(23)
D = 4
W = torch.randn(2 * D, D) * 0.5
leaves = {w: torch.randn(1, D) for w in "abcd"}
tree = (("a", "b"), ("c", ("d", "a")))
target = torch.randn(1, D)
dW = torch.zeros_like(W)
dleaves = {w: torch.zeros(1, D) for w in leaves}


def encode(node):
    if isinstance(node, str):
        return leaves[node], (node,)
    left, lc = encode(node[0])
    right, rc = encode(node[1])
    cat = torch.cat([left, right], 1)
    h = torch.tanh(cat @ W)
    return h, (cat, h, lc, rc)


def backprop(dh, cache):
    global dW
    if len(cache) == 1:
        dleaves[cache[0]] += dh
        return
    cat, h, lc, rc = cache
    dz = dh * (1 - h**2)
    dW += cat.T @ dz
    dcat = dz @ W.T
    backprop(dcat[:, :D], lc)
    backprop(dcat[:, D:], rc)


root, cache = encode(tree)
loss = ((root - target) ** 2).sum()
droot = 2 * (root - target)
backprop(droot, cache)
