"""The XOR net of many tutorials: two sigmoid layers, a squared error, names that end in _grad, a few epochs."""

import torch

torch.manual_seed(2)
inputs = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
targets = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
hidden_weights = torch.rand(2, 3)
hidden_bias = torch.rand(1, 3)
output_weights = torch.rand(3, 1)
output_bias = torch.rand(1, 1)
for param in (hidden_weights, hidden_bias, output_weights, output_bias):
    param.requires_grad = True
lr = 0.5

for epoch in range(1000):
    hidden_sum = torch.matmul(inputs, hidden_weights) + hidden_bias
    hidden = 1 / (1 + torch.exp(-hidden_sum))
    output_sum = torch.matmul(hidden, output_weights) + output_bias
    output = 1 / (1 + torch.exp(-output_sum))
    error = targets - output
    loss = torch.mean(error**2) / 2

    with torch.no_grad():
        error_grad = error / error.numel()
        output_grad = -error_grad
        output_sum_grad = output_grad * output * (1 - output)
        output_weights_grad = torch.matmul(hidden.T, output_sum_grad)
        output_bias_grad = torch.sum(output_sum_grad, dim=0, keepdim=True)
        hidden_grad = torch.matmul(output_sum_grad, output_weights.T)
        hidden_sum_grad = hidden_grad * hidden * (1 - hidden)
        hidden_weights_grad = torch.matmul(inputs.T, hidden_sum_grad)
        hidden_bias_grad = torch.sum(hidden_sum_grad, dim=0, keepdim=True)

        hidden_weights -= lr * hidden_weights_grad
        hidden_bias -= lr * hidden_bias_grad
        output_weights -= lr * output_weights_grad
        output_bias -= lr * output_bias_grad
    if epoch % 100 == 0:
        print(epoch, loss.item())
