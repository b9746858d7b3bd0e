import torch
import torch.nn.functional as F

torch.manual_seed(52)
real = torch.randn(6, 3) + 2
noise = torch.randn(6, 2)
G = torch.randn(2, 3) * 0.5
D = torch.randn(3, 1) * 0.5
d = torch.zeros(1)

fake = noise @ G
s_real = real @ D + d
s_fake = fake @ D + d
loss = F.softplus(-s_real).mean() + F.softplus(s_fake).mean()
ds_real = -torch.sigmoid(-s_real) / 6
ds_fake = torch.sigmoid(s_fake) / 6
dD = real.T @ ds_real + fake.T @ ds_fake
dd = ds_real.sum(0) + ds_fake.sum(0)
with torch.no_grad():
    D = D - 0.1 * dD
    d = d - 0.1 * dd

fake = noise @ G
s_fake = fake @ D + d
loss = F.softplus(-s_fake).mean()
ds_fake = -torch.sigmoid(-s_fake) / 6
dfake = ds_fake @ D.T
dG = noise.T @ dfake
G = G - 0.1 * dG
