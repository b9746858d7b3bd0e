import torch


class VAE:
    def __init__(self, d, h, z):
        self.We, self.Wm, self.Ws = torch.randn(d, h) * 0.4, torch.randn(h, z) * 0.4, torch.randn(h, z) * 0.4
        self.Wd = torch.randn(z, d) * 0.4

    def loss(self, x, eps):
        h = torch.tanh(x @ self.We)
        mu, logvar = h @ self.Wm, h @ self.Ws
        std = torch.exp(0.5 * logvar)
        z = mu + std * eps
        xr = z @ self.Wd
        n = len(x)
        rec = ((xr - x) ** 2).sum() / n
        kl = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum() / n
        loss = rec + kl
        dxr = 2 * (xr - x) / n
        dWd = z.T @ dxr
        dz = dxr @ self.Wd.T
        dmu = dz + mu / n
        dlogvar = dz * eps * std * 0.5 + 0.5 * (logvar.exp() - 1) / n
        dWm, dWs = h.T @ dmu, h.T @ dlogvar
        dh = dmu @ self.Wm.T + dlogvar @ self.Ws.T
        dWe = x.T @ (dh * (1 - h**2))
        return loss, {"We": dWe, "Wm": dWm, "Ws": dWs, "Wd": dWd}


torch.manual_seed(50)
x = torch.randn(6, 4)
vae = VAE(4, 5, 2)
for step in range(20):
    eps = torch.randn(6, 2)
    loss, grads = vae.loss(x, eps)
    for name, grad in grads.items():
        setattr(vae, name, getattr(vae, name) - 0.05 * grad)
