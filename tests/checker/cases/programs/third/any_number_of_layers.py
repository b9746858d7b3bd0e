import torch
import torch.nn.functional as F


class ConvLessNet:
    """A fully connected net with an arbitrary number of hidden layers."""

    def __init__(self, hidden_dims, input_dim=6, num_classes=3, reg=0.0):
        self.reg = reg
        self.num_layers = 1 + len(hidden_dims)
        self.params = {}
        dims = [input_dim] + hidden_dims + [num_classes]
        for i in range(self.num_layers):
            self.params["W%d" % (i + 1)] = 0.3 * torch.randn(dims[i], dims[i + 1])
            self.params["b%d" % (i + 1)] = torch.zeros(dims[i + 1])

    def loss(self, X, y=None):
        mode = "test" if y is None else "train"
        caches = {}
        out = X
        for i in range(1, self.num_layers + 1):
            W, b = self.params["W%d" % i], self.params["b%d" % i]
            pre = out @ W + b
            caches[i] = (out, W, pre)
            out = F.relu(pre) if i < self.num_layers else pre
        scores = out
        if mode == "test":
            return scores
        grads = {}
        loss = F.cross_entropy(scores, y)
        dout = F.softmax(scores, 1)
        dout[range(len(y)), y] -= 1
        dout /= len(y)
        for i in range(self.num_layers, 0, -1):
            inp, W, pre = caches[i]
            if i < self.num_layers:
                dout = dout * (pre > 0)
            loss += 0.5 * self.reg * torch.sum(W * W)
            grads["W%d" % i] = inp.T @ dout + self.reg * W
            grads["b%d" % i] = dout.sum(0)
            dout = dout @ W.T
        return loss, grads


torch.manual_seed(42)
X, y = torch.randn(9, 6), torch.randint(0, 3, (9,))
model = ConvLessNet([7, 5], reg=0.1)
loss, grads = model.loss(X, y)
print("loss", loss.item(), "acc", (model.loss(X).argmax(1) == y).float().mean().item())
for p in model.params:
    model.params[p] -= 0.1 * grads[p]
