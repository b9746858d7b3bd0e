import torch
import torch.nn.functional as F
from typing import NamedTuple


class Cache(NamedTuple):
    x: torch.Tensor
    z1: torch.Tensor
    h1: torch.Tensor
    probs: torch.Tensor


def forward(x: torch.Tensor, params: dict[str, torch.Tensor]) -> tuple[torch.Tensor, Cache]:
    z1 = x @ params["W1"] + params["b1"]
    h1 = F.gelu(z1, approximate="tanh")
    z2 = h1 @ params["W2"]
    probs = F.softmax(z2, dim=1)
    return z2, Cache(x, z1, h1, probs)


def backward(y: torch.Tensor, params: dict[str, torch.Tensor], cache: Cache) -> dict[str, torch.Tensor]:
    n = len(y)
    c = 0.7978845608028654
    dz2 = cache.probs.clone()
    dz2[torch.arange(n), y] -= 1.0
    dz2 /= n
    dW2 = cache.h1.T @ dz2
    dh1 = dz2 @ params["W2"].T
    z = cache.z1
    t = torch.tanh(c * (z + 0.044715 * z**3))
    dz1 = dh1 * (0.5 * (1 + t) + 0.5 * z * (1 - t**2) * c * (1 + 3 * 0.044715 * z**2))
    return {"W1": cache.x.T @ dz1, "b1": dz1.sum(0), "W2": dW2}


def train(steps: int = 10, lr: float = 0.1) -> float:
    torch.manual_seed(7)
    x = torch.randn(8, 4)
    y = torch.randint(0, 3, (8,))
    params = {"W1": torch.randn(4, 5), "b1": torch.zeros(5), "W2": torch.randn(5, 3)}
    for step in range(steps):
        logits, cache = forward(x, params)
        loss = F.cross_entropy(logits, y)
        grads = backward(y, params, cache)
        for k in params:
            params[k] = params[k] - lr * grads[k]
        if step % 5 == 0:
            print(f"{step=} loss={loss.item():.3f}")
    return loss.item()


def main() -> None:
    final = train()
    print("final", final)


if __name__ == "__main__":
    main()
