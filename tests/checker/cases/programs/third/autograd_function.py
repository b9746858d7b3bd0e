import torch


class MySwish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        s = torch.sigmoid(beta * x)
        ctx.save_for_backward(x, beta, s)
        return x * s

    @staticmethod
    def backward(ctx, grad_output):
        x, beta, s = ctx.saved_tensors
        grad_x = grad_output * (s + beta * x * s * (1 - s))
        grad_beta = (grad_output * x * x * s * (1 - s)).sum().reshape(beta.shape)
        return grad_x, grad_beta


torch.manual_seed(9)
x = torch.randn(5, 4)
W = torch.randn(4, 3, requires_grad=True)
beta = torch.tensor(1.3, requires_grad=True)
z = x @ W
a = MySwish.apply(z, beta)
loss = (a**3).mean()

da = 3 * a**2 / a.numel()
s = torch.sigmoid(beta * z)
dz = da * (s + beta * z * s * (1 - s))
dbeta = (da * z**2 * s * (1 - s)).sum()
dW = x.T @ dz
loss.backward()
print((dW - W.grad).abs().max(), (dbeta - beta.grad).abs())
