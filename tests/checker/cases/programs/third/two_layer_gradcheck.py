import torch


class TwoLayerNet(object):
    def __init__(self, D, H, C):
        self.params = {
            "W1": 0.1 * torch.randn(D, H),
            "b1": 0.1 * torch.randn(H),
            "W2": 0.1 * torch.randn(H, C),
            "b2": 0.1 * torch.randn(C),
        }

    def loss(self, X, y=None):
        W1, b1, W2, b2 = (self.params[k] for k in ("W1", "b1", "W2", "b2"))
        z1 = X.mm(W1) + b1
        h1 = torch.sigmoid(z1)
        scores = h1.mm(W2) + b2
        if y is None:
            return scores
        loss = 0.5 * ((scores - y) ** 2).sum(1).mean()
        grads = {}
        dscores = (scores - y) / X.shape[0]
        grads["W2"] = h1.t().mm(dscores)
        grads["b2"] = dscores.sum(dim=0)
        dh1 = dscores.mm(W2.t())
        dz1 = dh1 * h1 * (1 - h1)
        grads["W1"] = X.t().mm(dz1)
        grads["b1"] = dz1.sum(dim=0)
        return loss, grads


def eval_numerical_gradient(f, x, h=1e-3):
    grad = torch.zeros_like(x)
    for i in range(x.numel()):
        old = x.view(-1)[i].item()
        x.view(-1)[i] = old + h
        fxph = f(x)
        x.view(-1)[i] = old - h
        fxmh = f(x)
        x.view(-1)[i] = old
        grad.view(-1)[i] = (fxph - fxmh) / (2 * h)
    return grad


def rel_error(x, y):
    return ((x - y).abs() / (x.abs() + y.abs()).clamp(min=1e-8)).max().item()


torch.manual_seed(1)
X, y = torch.randn(5, 4), torch.randn(5, 2)
net = TwoLayerNet(4, 6, 2)
loss, grads = net.loss(X, y)
for param_name in grads:
    f = lambda W: net.loss(X, y)[0]
    param_grad_num = eval_numerical_gradient(f, net.params[param_name])
    print("%s max relative error: %e" % (param_name, rel_error(param_grad_num, grads[param_name])))
