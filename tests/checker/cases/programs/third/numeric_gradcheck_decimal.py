import torch

torch.manual_seed(39)
X = torch.randn(4, 3, dtype=torch.float64)
y = torch.tensor([0, 2, 1, 1])
W = torch.randn(3, 3, dtype=torch.float64)


def svm_loss(W, X, y, delta=1.0, reg=0.01):
    n = X.shape[0]
    scores = X @ W
    correct = scores[torch.arange(n), y][:, None]
    margins = (scores - correct + delta).clamp(min=0)
    margins[torch.arange(n), y] = 0
    loss = margins.sum() / n + reg * (W**2).sum()
    binary = (margins > 0).to(W.dtype)
    binary[torch.arange(n), y] = -binary.sum(1)
    dW = X.T @ binary / n + 2 * reg * W
    return loss, dW


loss, dW = svm_loss(W, X, y)
h = 1e-6
num = torch.empty_like(W)
for i in range(W.shape[0]):
    for j in range(W.shape[1]):
        Wp, Wm = W.clone(), W.clone()
        Wp[i, j] += h
        Wm[i, j] -= h
        num[i, j] = (svm_loss(Wp, X, y)[0] - svm_loss(Wm, X, y)[0]) / (2 * h)
error = (dW - num).abs().max() / num.abs().max()
assert error < 1e-5, error
