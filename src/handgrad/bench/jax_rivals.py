"""Training steps by JAX: autograd, compiled by `jit`, with steps and places of a line in `lax.scan`, and AdamW."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from handgrad.bench.adamw import BETA2, EPS, RATE, WEIGHT_DECAY
from handgrad.bench.rivals import Arrays, Steps
from handgrad.models.family import Family


def jax_steps(network: Family, start: Arrays, X: np.ndarray, Y: np.ndarray) -> Steps:
    """Steps of a family.

    Args:
        network: the family and its sizes.
        start: parameters by name.
        X: (steps, N, K) integers: contexts, or lines, all of equal length, as compiled code wants them.
        Y: (steps, N) or (steps, N, K) integers: what follows; below 0 behind the end of a line.
    """
    import jax
    from jax import numpy as jnp

    gradients_of = jax.grad(partial(_LOSSES[network.name], network))
    parameters, Xs, Ys = jax.tree.map(jnp.asarray, (start, X, Y))
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    kept = {name: 1 - RATE * WEIGHT_DECAY * network.decays(name) for name in parameters}

    @jax.jit
    def take(state: Any, Xs: Any, Ys: Any) -> Any:
        def step(state: Any, batch: Any) -> Any:
            p, mean, square, t = state
            gradients = gradients_of(p, *batch)
            mean = jax.tree.map(lambda m, g: network.beta1 * m + (1 - network.beta1) * g, mean, gradients)
            square = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g**2, square, gradients)
            factor, unbias = RATE / (1 - network.beta1**t), 1 / (1 - BETA2**t)

            def updated(value: Any, keep: float, m: Any, v: Any) -> Any:
                return keep * value - factor * m / (jnp.sqrt(v * unbias) + EPS)

            return (jax.tree.map(updated, p, kept, mean, square), mean, square, t + 1), None

        return jax.lax.scan(step, state, (Xs, Ys))[0]

    return lambda n: jax.tree.map(np.array, take((parameters, zeros, zeros, 1.0), Xs[:n], Ys[:n])[0])


def _cross_entropy(logits: Any, Y: Any) -> Any:
    """The mean over all but those below 0."""
    import jax
    from jax import numpy as jnp

    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), Y[..., None], -1)[..., 0]
    return -jnp.where(Y >= 0, chosen, 0.0).sum() / (Y >= 0).sum()


def _bigram(network: Any, p: dict[str, Any], X: Any, Y: Any) -> Any:  # noqa: ARG001
    return _cross_entropy(p["W"][X[:, 0]], Y)


def _bow(network: Any, p: dict[str, Any], X: Any, Y: Any) -> Any:  # noqa: ARG001
    from jax import numpy as jnp

    places = X.shape[1]
    x = p["C"][X] + p["P"][:places]
    x = x + jnp.tril(jnp.ones((places, places))) / jnp.arange(1, places + 1)[:, None] @ x
    x = x + jnp.tanh(x @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"]
    return _cross_entropy(x @ p["Wy"] + p["by"], Y)


def _wavenet(network: Any, p: dict[str, Any], X: Any, Y: Any) -> Any:  # noqa: ARG001
    from jax import numpy as jnp

    x, level = p["C"][X], 0
    while x.shape[1] > 1:
        level += 1
        x = x.reshape(x.shape[0], x.shape[1] // 2, -1) @ p[f"W{level}"]
        xhat = (x - x.mean((0, 1))) / jnp.sqrt(x.var((0, 1), ddof=1) + 1e-5)
        x = jnp.tanh(p[f"bngain{level}"] * xhat + p[f"bnbias{level}"])
    return _cross_entropy(x[:, 0] @ p["Wy"] + p["by"], Y)


def _recurrent(network: Any, p: dict[str, Any], X: Any, Y: Any) -> Any:
    """The layers of the inputs and of the scores outside of the scan, for all places at once."""
    import jax
    from jax import numpy as jnp

    cell, inputs = _CELLS[network.name], p["C"][X.T] @ p["Wxh"] + p["bh"]
    first = tuple(jnp.broadcast_to(p[name], (len(X), network.n_hidden)) for name in network.first)
    _, h = jax.lax.scan(lambda state, a: (new := cell(p, state, a), new[0]), first, inputs)
    return _cross_entropy(h @ p["Why"] + p["by"], Y.T)


def _rnn_cell(p: dict[str, Any], state: tuple[Any, ...], a: Any) -> tuple[Any, ...]:
    from jax import numpy as jnp

    return (jnp.tanh(a + state[0] @ p["Whh"]),)


def _gru_cell(p: dict[str, Any], state: tuple[Any, ...], a: Any) -> tuple[Any, ...]:
    import jax
    from jax import numpy as jnp

    (h,) = state
    of_z, of_r, of_h = jnp.split(a, 3, 1)
    from_z, from_r = jnp.split(h @ p["Whzr"], 2, 1)
    z, r = jax.nn.sigmoid(of_z + from_z), jax.nn.sigmoid(of_r + from_r)
    return ((1 - z) * h + z * jnp.tanh(of_h + (r * h) @ p["Whh"]),)


def _lstm_cell(p: dict[str, Any], state: tuple[Any, ...], a: Any) -> tuple[Any, ...]:
    import jax
    from jax import numpy as jnp

    h, c = state
    i, f, g, o = jnp.split(a + h @ p["Whh"], 4, 1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


_CELLS: dict[str, Callable[..., tuple[Any, ...]]] = {"rnn": _rnn_cell, "gru": _gru_cell, "lstm": _lstm_cell}


def _attend(network: Any, q: Any, k: Any, v: Any) -> Any:
    import jax

    q, k, v = (x.reshape(*x.shape[:2], network.n_head, -1) for x in (q, k, v))
    return jax.nn.dot_product_attention(q, k, v, is_causal=True).reshape(*q.shape[:2], -1)


def _of_block(p: dict[str, Any], n: int) -> dict[str, Any]:
    return {name.partition(".")[0]: value for name, value in p.items() if name.endswith(f".{n}")}


def _transformer(network: Any, p: dict[str, Any], X: Any, Y: Any) -> Any:
    import jax
    from jax import numpy as jnp

    def norm(x: Any, gain: Any, bias: Any) -> Any:
        return jax.nn.standardize(x, epsilon=1e-5) * gain + bias

    x = p["C"][X] + p["P"][: X.shape[1]]
    for n in range(network.n_layer):
        of = _of_block(p, n)
        q, k, v = jnp.split(norm(x, of["gain1"], of["bias1"]) @ of["Wqkv"] + of["bqkv"], 3, 2)
        x = x + _attend(network, q, k, v) @ of["Wo"] + of["bo"]
        hidden = jax.nn.gelu(norm(x, of["gain2"], of["bias2"]) @ of["W1"] + of["b1"], approximate=True)
        x = x + hidden @ of["W2"] + of["b2"]
    return _cross_entropy(norm(x, p["gain"], p["bias"]) @ p["Wy"], Y)


def _microgpt(network: Any, p: dict[str, Any], X: Any, Y: Any) -> Any:
    import jax
    from jax import numpy as jnp

    def norm(x: Any) -> Any:
        return x * jax.lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + 1e-5)

    x = norm(p["C"][X] + p["P"][: X.shape[1]])
    for n in range(network.n_layer):
        of = _of_block(p, n)
        normed = norm(x)
        x = x + _attend(network, *(normed @ of[name] for name in ("Wq", "Wk", "Wv"))) @ of["Wo"]
        x = x + jax.nn.relu(norm(x) @ of["W1"]) @ of["W2"]
    return _cross_entropy(x @ p["Wy"], Y)


_LOSSES: dict[str, Callable[..., Any]] = {
    "bigram": _bigram, "bow": _bow, "wavenet": _wavenet, "rnn": _recurrent, "gru": _recurrent, "lstm": _recurrent,
    "transformer": _transformer, "microgpt": _microgpt,
}  # fmt: skip
