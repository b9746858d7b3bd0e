"""What goes through the layers of a model on one minibatch, there and back: the pictures of makemore part 3.

The torch form of a family calls the operations of `handgrad.ops`; they are watched while it does, whatever the family.
"""

import contextlib
import unicodedata
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

import handgrad.ops
from handgrad.models.threads import one_thread
from handgrad.models.trained import Model
from handgrad.studio.heat import heat_map
from handgrad.studio.snapshots import Checkpoint
from handgrad.studio.trained import packed
from handgrad.studio.updates import minibatch_of, parameters_of, ratios_of, trained_settings
from handgrad.training.masks import masks_of_step

BINS, MAP = 61, 64
MOST_ROWS = {"contexts": 2**12, "lines": 2**7}
"""Of a minibatch that is larger, so many are looked at."""
SATURATED, ZERO = 0.97, 1e-3
"""An output of tanh beyond the first, or of ReLU or GELU below the second, has next to no gradient."""

TITLES = {
    "embedding": "embedding", "linear": "linear", "matmul": "linear", "batchnorm": "batch norm",
    "layernorm": "layer norm", "rmsnorm": "RMS norm", "attention": "attention", "causal_mean": "mean so far",
    "tanh": "tanh", "relu": "ReLU", "gelu": "GELU", "rnn": "RNN", "gru": "GRU", "lstm": "LSTM",
}  # fmt: skip
BOUNDED = ("tanh", "rnn", "gru", "lstm")
"""Layers whose outputs lie between −1 and 1."""
RECTIFIED = ("relu", "gelu")


class Watched(NamedTuple):
    """An operation that was called: its name, the parameters among its arguments, what came out, and its cache."""

    operation: str
    parameters: tuple[str, ...]
    out: Tensor
    cache: Any


@contextlib.contextmanager
def watched(parameters: dict[str, Tensor]) -> Iterator[tuple[list[Watched], dict[int, Tensor]]]:
    """The operations that are called meanwhile, in their order, and by the `id` of its cache what came back to each."""
    calls: list[Watched] = []
    back: dict[int, Tensor] = {}
    names = {id(value): name for name, value in parameters.items()}
    usual = {name: getattr(handgrad.ops, name) for name in handgrad.ops.__all__}

    def forward(name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            out, cache = usual[name](*args, **kwargs)
            given = tuple(names[id(one)] for one in args if id(one) in names)
            calls.append(Watched(name.removesuffix("_forward"), given, out, cache))
            return out, cache

        return call

    def backward(name: str) -> Any:
        def call(dout: Tensor, cache: Any) -> Any:
            back[id(cache)] = dout
            return usual[name](dout, cache)

        return call

    kinds = {"_forward": forward, "_backward": backward}
    patched = {name: make(name) for name in usual for ending, make in kinds.items() if name.endswith(ending)}
    try:
        for name, call in patched.items():
            setattr(handgrad.ops, name, call)
        yield calls, back
    finally:
        for name in patched:
            setattr(handgrad.ops, name, usual[name])


def layers(checkpoint: Checkpoint) -> dict[str, Any]:
    """The layers of a model on the minibatch of its next step, and the update of each parameter in that step.

    Returns:
        `layers`, each with `title`, `parameters`, its histograms `activation` and `gradient`, `saturated`, the share of
        its outputs, `dead`, how many of its units are so for all examples, and `map`, examples by units; `parameters`,
        each with the deviations of its `value` and `gradient`, and the `ratio` that `ratios_of` tells; `loss`, and the
        size of the minibatch, `batch`, and what it is `of`.
    """
    settings = trained_settings(checkpoint)
    if settings is None:
        return {"without": "No gradient flows here: this model counts, or mixes others. Choose one of its parts."}
    network = settings.model
    parameters = {name: torch.from_numpy(value.copy()) for name, value in parameters_of(checkpoint).items()}
    most = MOST_ROWS[network.reads]
    read, follows = (torch.from_numpy(tokens[:most]).long() for tokens in minibatch_of(checkpoint, settings))
    masks = masks_of_step(network, settings.config.seed, checkpoint.step, read, follows)
    with one_thread(), torch.no_grad(), watched(parameters) as (calls, back):
        loss, cache = network.forward(parameters, read, follows, masks)
        gradients = network.backward(torch.ones(()), cache)
    real = (follows.flatten() >= 0) if network.reads == "lines" else None
    places = tuple(follows.shape) if real is not None else None
    shown = [call for call in calls if call.operation in TITLES and (call.operation != "embedding" or call.parameters)]
    titles = _titles(shown)
    ratios = ratios_of(checkpoint)
    return {
        "loss": float(loss), "batch": len(read), "of": network.reads,
        "layers": [
            _layer(call, title, _rows(call.out, real, places), _rows(back.get(id(call.cache)), real, places, call.out))
            for call, title in zip(shown, titles, strict=True)
        ],
        "parameters": [
            {
                "name": name, "shape": list(value.shape), "value": _deviation(value),
                "gradient": _deviation(gradients[name]), "ratio": ratios[name],
            }
            for name, value in parameters.items()
        ],
    }  # fmt: skip


def attention(model: Model, line: str) -> dict[str, Any]:
    """To which letters each place of a line attends, in each head of each layer.

    Returns:
        `letters`, of which the first, None, is the boundary, and `weights` of each layer and head, (places, places) as
        bytes in base64: row by row, what a place takes from each.

    Raises:
        CorpusError: a letter that the model has not seen, or too many.
    """
    network = model.config
    if not hasattr(network, "n_head"):
        return {"without": f"No place attends to another in this {network.name}: that is what a transformer does."}
    tokens = model.vocabulary.encode(unicodedata.normalize("NFC", line)[: (network.longest or 1) - 1])
    X = torch.tensor([[0, *tokens.tolist()]])
    Y = torch.tensor([[*tokens.tolist(), 0]])
    parameters = {name: torch.from_numpy(value) for name, value in model.parameters.items()}
    with one_thread(), torch.no_grad(), watched(parameters) as (calls, _):
        network.forward(parameters, X, Y)
    weights = [call.cache.weights[0] for call in calls if call.operation == "attention"]
    return {
        "letters": [None, *(model.vocabulary.itos[token] for token in tokens.tolist())],
        "weights": [[packed(head.numpy()) for head in layer] for layer in weights],
    }


def _titles(calls: list[Watched]) -> list[str]:
    """What each layer is called: by its first parameter, else by a number where there are several of a kind."""
    kinds = [TITLES[call.operation] for call in calls]
    bare = [kind for kind, call in zip(kinds, calls, strict=True) if not call.parameters]
    titles, seen = [], dict.fromkeys(bare, 0)
    for kind, call in zip(kinds, calls, strict=True):
        if call.parameters:
            titles.append(f"{kind} {call.parameters[0]}")
        else:
            seen[kind] += 1
            titles.append(f"{kind} {seen[kind]}" if bare.count(kind) > 1 else kind)
    return titles


def _rows(
    found: Tensor | None, real: Tensor | None, places: tuple[int, ...] | None, like: Tensor | None = None
) -> Tensor | None:
    """Numbers as (rows, units), without what stands behind the end of a line."""
    if found is None:
        return None
    if like is not None:
        found = found.reshape(like.shape)
    if real is not None and tuple(found.shape[:2]) == places:
        return found.flatten(0, 1)[real]
    rows = found.reshape(-1, found.shape[-1])
    return rows[real] if real is not None and len(rows) == len(real) else rows


def _layer(call: Watched, title: str, rows: Tensor | None, gradients: Tensor | None) -> dict[str, Any]:
    assert rows is not None
    flat = None
    if call.operation in BOUNDED:
        flat = rows.abs() > SATURATED
    elif call.operation in RECTIFIED:
        flat = rows.abs() < ZERO
    return {
        "title": title,
        "operation": call.operation,
        "parameters": call.parameters,
        "units": rows.shape[1],
        "activation": _histogram(rows, 1.0 if call.operation in BOUNDED else None),
        "gradient": None if gradients is None else _histogram(gradients),
        "saturated": None if flat is None else float(flat.float().mean()),
        "dead": None if flat is None else int(flat.all(0).sum()),
        "map": heat_map(rows[:MAP], MAP),
    }


def _histogram(numbers: Tensor, reach: float | None = None) -> dict[str, Any]:
    """How often numbers lie where: `counts` of equal bins from −`reach` to `reach`, the highest 1."""
    values = numbers.flatten().double().numpy()
    values = values[np.isfinite(values)]
    if reach is None:
        reach = float(np.quantile(np.abs(values), 0.999)) if values.size else 0.0
    counts, _ = np.histogram(values, BINS, (-(reach or 1.0), reach or 1.0))
    return {
        "reach": reach,
        "counts": (counts / max(counts.max(), 1)).round(4).tolist(),
        "mean": float(values.mean()) if values.size else None,
        "deviation": float(values.std()) if values.size else None,
    }


def _deviation(numbers: Tensor) -> float | None:
    return float(numbers.double().std(correction=0)) if numbers.numel() > 1 else None
