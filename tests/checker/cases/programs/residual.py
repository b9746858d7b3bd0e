"""Two residual blocks that share the stream, with leaky ReLU."""

import torch

N, D, M = 5, 4, 7
slope = 0.1
g = torch.Generator().manual_seed(16)
X = torch.randn(N, 3, generator=g)
goal = torch.randn(N, D, generator=g)
Win = torch.randn(3, D, generator=g, requires_grad=True)
A1 = torch.randn(D, M, generator=g, requires_grad=True)
B1 = torch.randn(M, D, generator=g, requires_grad=True)
A2 = torch.randn(D, M, generator=g, requires_grad=True)
B2 = torch.randn(M, D, generator=g, requires_grad=True)
scale = torch.tensor(0.5, requires_grad=True)

# forward
r0 = X @ Win
p1 = r0 @ A1
u1 = torch.where(p1 > 0, p1, slope * p1)
f1 = u1 @ B1
r1 = r0 + scale * f1
p2 = r1 @ A2
u2 = torch.where(p2 > 0, p2, slope * p2)
f2 = u2 @ B2
r2 = r1 + scale * f2
gap = r2 - goal
loss = 0.5 * (gap**2).sum(1).mean()

# backward
dgap = gap / N
dr2 = dgap.clone()
df2 = scale * dr2
dB2 = u2.T @ df2
du2 = df2 @ B2.T
dp2 = torch.where(p2 > 0, du2, slope * du2)
dA2 = r1.T @ dp2
dr1 = dr2 + dp2 @ A2.T
df1 = scale * dr1
dB1 = u1.T @ df1
du1 = df1 @ B1.T
dp1 = torch.where(p1 > 0, du1, slope * du1)
dA1 = r0.T @ dp1
dr0 = dr1 + dp1 @ A1.T
dscale = (f1 * dr1).sum() + (f2 * dr2).sum()
dWin = X.T @ dr0
