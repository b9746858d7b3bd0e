"""The arrays of a model under the names that `torch.nn` has for them."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from handgrad.models.mix import Mix, parts_of
from handgrad.models.trained import Model

Arrays = Mapping[str, np.ndarray]


def state_dict(model: Model) -> dict[str, np.ndarray]:
    """What the module of the model's family, in `exporting.modules`, loads."""
    if isinstance(model.config, Mix):
        parts = [state_dict(part) for part in parts_of(model)]
        return {f"parts.{n}.{name}": value for n, part in enumerate(parts) for name, value in part.items()}
    arrays = _OF[model.config.name]({**model.parameters, **model.buffers}, model.config)
    return {name: np.ascontiguousarray(value) for name, value in arrays.items()}


def _linear(name: str, weight: np.ndarray, bias: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """A layer of `torch.nn`, whose weight is (out, in)."""
    return {f"{name}.weight": weight.T, **({} if bias is None else {f"{name}.bias": bias})}


def _norm(name: str, arrays: Arrays, level: str = "") -> dict[str, np.ndarray]:
    names = {"weight": "bngain", "bias": "bnbias", "running_mean": "bnmean", "running_var": "bnvar"}
    counted = {f"{name}.num_batches_tracked": np.array(0)}
    return {f"{name}.{key}": arrays[f"{ours}{level}"][0] for key, ours in names.items()} | counted


def _bigram(arrays: Arrays, _: Any) -> dict[str, np.ndarray]:
    return {"table.weight": arrays["W"]}


def _mlp(arrays: Arrays, _: Any) -> dict[str, np.ndarray]:
    return {
        "embedding.weight": arrays["C"],
        **_linear("hidden", arrays["W1"], arrays["b1"]),
        **_norm("norm", arrays),
        **_linear("scores", arrays["W2"], arrays["b2"]),
    }


def _wavenet(arrays: Arrays, sizes: Any) -> dict[str, np.ndarray]:
    found = {"embedding.weight": arrays["C"], **_linear("scores", arrays["Wy"], arrays["by"])}
    for level in sizes.levels:
        name = f"levels.{level - 1}"
        found |= _linear(f"{name}.linear", arrays[f"W{level}"]) | _norm(f"{name}.norm", arrays, str(level))
    return found


def counts(arrays: Arrays, sizes: Any) -> dict[str, np.ndarray]:
    """What the n-gram's module has, which is found by bisection among sorted pairs."""
    from handgrad.engine.ngram import Counted, require_sound, tree_of

    counted = Counted(**{name: arrays[name] for name in Counted._fields})
    require_sound(counted, sizes.vocab_size)
    tree, n_nodes = tree_of(counted), len(counted.parents)
    pairs = counted.parents.astype(np.int64) * sizes.vocab_size + counted.olders
    pairs[0] = -1  # the root is no one's child
    nodes = np.argsort(pairs)
    owners = np.repeat(np.arange(n_nodes), np.diff(counted.starts))
    return {
        "pairs": pairs[nodes],
        "nodes": nodes,
        "followed": owners * sizes.vocab_size + counted.letters,
        "shares": tree.shares / tree.totals[owners],
        "left": tree.left / tree.totals,
    }


def _bow(arrays: Arrays, _: Any) -> dict[str, np.ndarray]:
    return {
        "embedding.weight": arrays["C"],
        "places.weight": arrays["P"],
        **_linear("perceptron.0", arrays["W1"], arrays["b1"]),
        **_linear("perceptron.2", arrays["W2"], arrays["b2"]),
        **_linear("scores", arrays["Wy"], arrays["by"]),
    }


def _of_torch(arrays: Arrays, first: tuple[str, ...]) -> dict[str, np.ndarray]:
    """A recurrent network of `torch.nn`, which has two biases."""
    return {
        "embedding.weight": arrays["C"],
        "recurrence.weight_ih_l0": arrays["Wxh"].T,
        "recurrence.weight_hh_l0": arrays["Whh"].T,
        "recurrence.bias_ih_l0": arrays["bh"],
        "recurrence.bias_hh_l0": np.zeros_like(arrays["bh"]),
        **{name: arrays[name][None] for name in first},
        **_linear("scores", arrays["Why"], arrays["by"]),
    }


def _rnn(arrays: Arrays, _: Any) -> dict[str, np.ndarray]:
    return _of_torch(arrays, ("h0",))


def _lstm(arrays: Arrays, _: Any) -> dict[str, np.ndarray]:
    return _of_torch(arrays, ("h0", "c0"))


def _gru(arrays: Arrays, _: Any) -> dict[str, np.ndarray]:
    return {
        "embedding.weight": arrays["C"],
        **_linear("inputs", arrays["Wxh"], arrays["bh"]),
        **_linear("gates", arrays["Whzr"]),
        **_linear("new", arrays["Whh"]),
        "h0": arrays["h0"],
        **_linear("scores", arrays["Why"], arrays["by"]),
    }


def _transformer(arrays: Arrays, sizes: Any) -> dict[str, np.ndarray]:
    found = {
        "embedding.weight": arrays["C"],
        "places.weight": arrays["P"],
        "norm.weight": arrays["gain"],
        "norm.bias": arrays["bias"],
        "scores.weight": arrays["C"] if sizes.tied else arrays["Wy"].T,
    }
    for layer in range(sizes.n_layer):
        a = {name.removesuffix(f".{layer}"): value for name, value in arrays.items() if name.endswith(f".{layer}")}
        block = {
            "norm1.weight": a["gain1"], "norm1.bias": a["bias1"], "norm2.weight": a["gain2"], "norm2.bias": a["bias2"],
            **_linear("attention.qkv", a["Wqkv"], a["bqkv"]), **_linear("attention.out", a["Wo"], a["bo"]),
            **_linear("perceptron.0", a["W1"], a["b1"]), **_linear("perceptron.2", a["W2"], a["b2"]),
        }  # fmt: skip
        found |= {f"blocks.{layer}.{name}": value for name, value in block.items()}
    return found


def _microgpt(arrays: Arrays, sizes: Any) -> dict[str, np.ndarray]:
    found = {"embedding.weight": arrays["C"], "places.weight": arrays["P"], **_linear("scores", arrays["Wy"])}
    for layer in range(sizes.n_layer):
        qkv = np.concatenate([arrays[f"{name}.{layer}"] for name in ("Wq", "Wk", "Wv")], 1)
        block = {
            **_linear("attention.qkv", qkv), **_linear("attention.out", arrays[f"Wo.{layer}"]),
            **_linear("perceptron.0", arrays[f"W1.{layer}"]), **_linear("perceptron.2", arrays[f"W2.{layer}"]),
        }  # fmt: skip
        found |= {f"blocks.{layer}.{name}": value for name, value in block.items()}
    return found


_OF: dict[str, Callable[[Arrays, Any], dict[str, np.ndarray]]] = {
    "bigram": _bigram, "ngram": counts, "bow": _bow, "mlp": _mlp, "wavenet": _wavenet, "rnn": _rnn, "gru": _gru,
    "lstm": _lstm, "transformer": _transformer, "microgpt": _microgpt,
}  # fmt: skip
