import torch


class TwoLayerNet:
    def __init__(self, input_size, hidden_size, output_size, std=1e-1):
        self.params = {}
        self.params["W1"] = std * torch.randn(input_size, hidden_size)
        self.params["b1"] = torch.zeros(hidden_size)
        self.params["W2"] = std * torch.randn(hidden_size, output_size)
        self.params["b2"] = torch.zeros(output_size)

    def loss(self, X, y=None, reg=0.0):
        W1, b1 = self.params["W1"], self.params["b1"]
        W2, b2 = self.params["W2"], self.params["b2"]
        N, D = X.shape
        hidden = (X @ W1 + b1).clamp(min=0)
        scores = hidden @ W2 + b2
        if y is None:
            return scores
        exp_scores = torch.exp(scores - scores.max(1, keepdim=True)[0])
        probs = exp_scores / exp_scores.sum(1, keepdim=True)
        loss = -torch.log(probs[range(N), y]).mean()
        loss = loss + reg * (torch.sum(W1 * W1) + torch.sum(W2 * W2))
        grads = {}
        dscores = probs.clone()
        dscores[range(N), y] -= 1
        dscores /= N
        grads["W2"] = hidden.T @ dscores + 2 * reg * W2
        grads["b2"] = dscores.sum(0)
        dhidden = dscores @ W2.T
        dhidden[hidden <= 0] = 0
        grads["W1"] = X.T @ dhidden + 2 * reg * W1
        grads["b1"] = dhidden.sum(0)
        return loss, grads

    def train(self, X, y, learning_rate=1e-1, learning_rate_decay=0.95, reg=5e-3, num_iters=30, batch_size=8):
        num_train = X.shape[0]
        every = max(num_train // batch_size, 1)
        loss_history = []
        for it in range(num_iters):
            idx = torch.randint(0, num_train, (batch_size,))
            X_batch, y_batch = X[idx], y[idx]
            loss, grads = self.loss(X_batch, y=y_batch, reg=reg)
            loss_history.append(loss.item())
            for param in self.params:
                self.params[param] -= learning_rate * grads[param]
            if it % every == 0:
                train_acc = (self.predict(X_batch) == y_batch).float().mean()
                learning_rate *= learning_rate_decay
        return {"loss_history": loss_history}

    def predict(self, X):
        return self.loss(X).argmax(1)


torch.manual_seed(0)
X = torch.randn(20, 4)
y = torch.randint(0, 3, (20,))
net = TwoLayerNet(4, 10, 3)
stats = net.train(X, y)
print("loss", stats["loss_history"][-1])
