"""Everything under the usual guard, with annotated names."""

import torch

if __name__ == "__main__":
    torch.manual_seed(3)
    rows: int = 5
    x: torch.Tensor = torch.randn(rows, 3)
    target: torch.Tensor = torch.randn(rows)
    w = torch.randn(3, requires_grad=True)
    c = torch.randn((), requires_grad=True)

    y: torch.Tensor = x @ w + c
    e: torch.Tensor = y - target
    loss: torch.Tensor = (e**2).mean()

    de: torch.Tensor = 2 * e / rows
    dy: torch.Tensor = de
    dw: torch.Tensor = x.T @ dy
    dc: torch.Tensor = dy.sum()
    print(dw, dc)
