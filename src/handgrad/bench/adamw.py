"""AdamW, with which every step of a rival ends, but for those of the lecture's network."""

from collections.abc import Mapping
from typing import Any

from handgrad.models.family import Family

RATE, WEIGHT_DECAY, BETA2, EPS = 0.001, 0.01, 0.99, 1e-8


def torch_adamw(network: Family, parameters: Mapping[str, Any]) -> Any:
    """PyTorch's, for parameters of which those of the network decay that do."""
    import torch

    decayed = [value for name, value in parameters.items() if network.decays(name)]
    others = [value for name, value in parameters.items() if not network.decays(name)]
    groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=RATE, betas=(network.beta1, BETA2), eps=EPS
    )
