import torch
import torch.nn.functional as F


class CBOW:
    def __init__(self, vocab, dim):
        self.params = dict(E=torch.randn(vocab, dim), U=torch.randn(dim, vocab))
        self.grads = {}

    def forward(self, context, target):
        E, U = self.params["E"], self.params["U"]
        vecs = E[context]
        mean = vecs.mean(1)
        logits = mean @ U
        self.saved = context, target, mean, logits
        return F.cross_entropy(logits, target)

    def backward(self):
        context, target, mean, logits = self.saved
        n, c = context.shape
        dlogits = F.softmax(logits, 1)
        dlogits[torch.arange(n), target] -= 1
        dlogits.div_(n)
        self.grads["U"] = mean.T @ dlogits
        dmean = dlogits @ self.params["U"].T
        dvecs = dmean[:, None, :].expand(n, c, -1) / c
        dE = torch.zeros_like(self.params["E"])
        dE.index_add_(0, context.reshape(-1), dvecs.reshape(n * c, -1))
        self.grads["E"] = dE


torch.manual_seed(34)
text = torch.randint(0, 9, (14,))
ctx = torch.stack([torch.cat([text[i - 2 : i], text[i + 1 : i + 3]]) for i in range(2, 12)])
tgt = text[2:12]
model = CBOW(9, 4)
for step in range(10):
    loss = model.forward(ctx, tgt)
    model.backward()
    for k, p in model.params.items():
        p -= 0.5 * model.grads[k]
