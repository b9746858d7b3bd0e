"""Each family that is trained, in a size that trains in a moment."""

from handgrad.training.config import TrainConfig

TINY = {
    "bigram": {},
    "bow": {"block_size": 0, "n_embd": 4, "n_hidden": 5},
    "mlp": {"block_size": 2, "n_embd": 3, "n_hidden": 7},
    "wavenet": {"block_size": 4, "n_embd": 3, "n_hidden": 5},
    "rnn": {"n_embd": 4, "n_hidden": 6},
    "gru": {"n_embd": 4, "n_hidden": 6, "dropout": 0.2},
    "lstm": {"n_embd": 4, "n_hidden": 6, "dropout": 0.2},
    "transformer": {"block_size": 0, "n_embd": 4, "n_layer": 2, "n_head": 2, "dropout": 0.2},
    "microgpt": {"block_size": 0, "n_embd": 4, "n_head": 2},
}


def tiny(name: str, **changes) -> TrainConfig:
    return TrainConfig.of(name, **{"steps": 30, "batch_size": 8, "seed": 5, "engine": "torch", **TINY[name], **changes})
