"""A model in ONNX: `log_probabilities`, (N, T, vocab_size), from `tokens`, (N, T) int64, for any N and T."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from handgrad.exporting.weights import counts
from handgrad.models.mix import Mix, parts_of
from handgrad.models.trained import Model

OPSET, IR_VERSION = 20, 9
EPS = 1e-5
DESCRIPTION = """Log-probabilities of each next token.

Token i + 1 stands for letter i of the metadata's 'letters', a JSON string; 0 is the boundary before and after a line.
"""
Arrays = Mapping[str, np.ndarray]


class Graph:
    """Nodes and constants, as they are added; each is known by the name of its output."""

    def __init__(self) -> None:  # noqa: D107
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._names: dict[Any, str] = {}

    def op(self, kind: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        """An operation of ONNX; inputs are names, or arrays and numbers that become constants. Returns its output."""
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        made = [f"{kind.lower()}_{len(self.nodes)}_{number}" for number in range(outputs)]
        self.nodes.append(helper.make_node(kind, names, made, **attributes))
        return made[0] if outputs == 1 else made

    def constant(self, value: Any) -> str:
        """An array, once for all who use it; Python's integers are int64."""
        array = np.ascontiguousarray(value).reshape(np.shape(value))
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self._names:
            self._names[key] = f"constant_{len(self.constants)}"
            self.constants.append(numpy_helper.from_array(array, self._names[key]))
        return self._names[key]

    def linear(self, x: str, weight: np.ndarray, bias: np.ndarray | None = None) -> str:
        """A product with a weight, (in, out), and a bias."""
        product = self.op("MatMul", x, weight)
        return product if bias is None else self.op("Add", product, bias)

    def log_softmax(self, scores: str) -> str:
        """Over the last axis."""
        return self.op("LogSoftmax", scores, axis=-1)


def write(model: Model, path: Path) -> list[Path]:
    """Write an ONNX file; its metadata say what stands for each token."""
    graph = Graph()
    last = _add(graph, model)
    sizes = ["N", "T", model.config.vocab_size]
    proto = helper.make_model(
        helper.make_graph(
            [*graph.nodes, helper.make_node("Identity", [last], ["log_probabilities"])],
            model.config.name,
            [helper.make_tensor_value_info("tokens", onnx.TensorProto.INT64, sizes[:2])],
            [helper.make_tensor_value_info("log_probabilities", onnx.TensorProto.FLOAT, sizes)],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="handgrad",
        doc_string=DESCRIPTION,
    )
    helper.set_model_props(proto, {"letters": json.dumps(model.vocabulary.chars), "text": model.text.name})
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, path)
    return [path]


def log_probabilities(path: Path, tokens: np.ndarray) -> np.ndarray:
    """What the file says of each next token, by onnxruntime where it is installed, else by ONNX's own evaluator."""
    try:
        import onnxruntime
    except ModuleNotFoundError:
        from onnx.reference import ReferenceEvaluator

        session: Any = ReferenceEvaluator(str(path))
        return session.run(None, {"tokens": tokens})[0]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session: Any = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"tokens": tokens})[0]


def _add(graph: Graph, model: Model) -> str:
    """The nodes of a model; the name of its log-probabilities."""
    if isinstance(model.config, Mix):
        weighted = zip(parts_of(model), np.log(model.config.weights).astype(np.float32), strict=True)
        parts = [graph.op("Add", _add(graph, part), weight) for part, weight in weighted]
        stacked = graph.op("Concat", *(graph.op("Unsqueeze", part, [0]) for part in parts), axis=0)
        return graph.op("ReduceLogSumExp", stacked, [0], keepdims=0)
    arrays = {**model.parameters, **model.buffers}
    return _OF[model.config.name](graph, arrays, model.config)


def _length(graph: Graph) -> str:
    """T, (1,)."""
    return graph.op("Shape", "tokens", start=1, end=2)


def _contexts(graph: Graph, block_size: int) -> str:
    """The last tokens at each place, (N, T, block_size)."""
    padded = graph.op("Pad", "tokens", [0, block_size - 1, 0, 0])
    places = graph.op("Range", 0, graph.op("Squeeze", _length(graph)), 1)
    return graph.op(
        "Gather", padded, graph.op("Add", graph.op("Unsqueeze", places, [1]), np.arange(block_size)), axis=1
    )


def _bigram(graph: Graph, p: Arrays, _: Any) -> str:
    return graph.log_softmax(graph.op("Gather", p["W"], "tokens"))


def _folded(p: Arrays, weight: np.ndarray, bias: np.ndarray | float, level: str = "") -> tuple[np.ndarray, np.ndarray]:
    """A linear layer and the batch norm behind it as one."""
    gain, shift, mean, var = (p[f"{name}{level}"][0] for name in ("bngain", "bnbias", "bnmean", "bnvar"))
    scale = gain / np.sqrt(var + np.float32(EPS))
    return weight * scale, (bias - mean) * scale + shift


def _mlp(graph: Graph, p: Arrays, sizes: Any) -> str:
    emb = graph.op("Gather", p["C"], _contexts(graph, sizes.block_size))
    embcat = graph.op("Reshape", emb, [0, 0, sizes.block_size * sizes.n_embd])
    h = graph.op("Tanh", graph.linear(embcat, *_folded(p, p["W1"], p["b1"])))
    return graph.log_softmax(graph.linear(h, p["W2"], p["b2"]))


def _wavenet(graph: Graph, p: Arrays, sizes: Any) -> str:
    x = graph.op("Gather", p["C"], _contexts(graph, sizes.block_size))
    for level in sizes.levels:
        weight, bias = _folded(p, p[f"W{level}"], 0.0, str(level))
        pairs = graph.op("Reshape", x, [0, 0, sizes.block_size >> level, len(weight)])
        x = graph.op("Tanh", graph.linear(pairs, weight, bias))
    h = graph.op("Squeeze", x, [2])
    return graph.log_softmax(graph.linear(h, p["Wy"], p["by"]))


def _ngram(graph: Graph, p: Arrays, sizes: Any) -> str:
    counted = counts(p, sizes)
    older = graph.op("Reshape", _contexts(graph, sizes.block_size), [-1, sizes.block_size])
    node = graph.op("Mul", graph.op("Gather", older, 0, axis=1), 0)
    reached = graph.op("Equal", node, 0)
    letters = np.arange(sizes.vocab_size)
    probs = graph.constant(np.full((1, sizes.vocab_size), 1 / sizes.vocab_size))
    for length in range(sizes.block_size + 1):
        wanted = graph.op("Add", graph.op("Unsqueeze", graph.op("Mul", node, sizes.vocab_size), [1]), letters)
        entry, seen = _found(graph, counted["followed"], wanted)
        share = graph.op("Where", seen, graph.op("Gather", _padded(counted["shares"], 0.0), entry), np.float64(0))
        left = graph.op("Unsqueeze", graph.op("Gather", counted["left"], node), [1])
        longer = graph.op("Add", share, graph.op("Mul", left, probs))
        probs = graph.op("Where", graph.op("Unsqueeze", reached, [1]), longer, probs)
        if length < sizes.block_size:
            letter = graph.op("Gather", older, sizes.block_size - 1 - length, axis=1)
            pair = graph.op("Add", graph.op("Mul", node, sizes.vocab_size), letter)
            place, known = _found(graph, counted["pairs"], pair)
            node = graph.op("Gather", _padded(counted["nodes"], 0), place)
            reached = graph.op("And", reached, known)
    logprobs = graph.op("Cast", graph.op("Log", probs), to=onnx.TensorProto.FLOAT)
    shape = graph.op("Concat", graph.op("Shape", "tokens"), [sizes.vocab_size], axis=0)
    return graph.op("Reshape", logprobs, shape)


def _padded(values: np.ndarray, value: float) -> np.ndarray:
    """As many as a power of two."""
    return np.append(values, np.full((1 << len(values).bit_length()) - len(values), value, values.dtype))


def _found(graph: Graph, keys: np.ndarray, wanted: str) -> tuple[str, str]:
    """Where each wanted number stands among sorted keys, by bisection, and whether it does."""
    table = graph.constant(_padded(keys, np.iinfo(np.int64).max))
    place = graph.op("Mul", wanted, 0)
    for bit in reversed(range(len(keys).bit_length())):
        further = graph.op("Add", place, (1 << bit) - 1)
        less = graph.op("Less", graph.op("Gather", table, further), wanted)
        place = graph.op("Where", less, graph.op("Add", further, 1), place)
    return place, graph.op("Equal", graph.op("Gather", table, place), wanted)


def _bow(graph: Graph, p: Arrays, _: Any) -> str:
    length = _length(graph)
    x = graph.op("Add", graph.op("Gather", p["C"], "tokens"), graph.op("Slice", p["P"], [0], length, [0]))
    count = graph.op("Range", 1, graph.op("Squeeze", graph.op("Add", length, 1)), 1)
    count = graph.op("Unsqueeze", graph.op("Cast", count, to=onnx.TensorProto.FLOAT), [1])
    x = graph.op("Add", x, graph.op("Div", graph.op("CumSum", x, 1), count))
    more = graph.linear(graph.op("Tanh", graph.linear(x, p["W1"], p["b1"])), p["W2"], p["b2"])
    return graph.log_softmax(graph.linear(graph.op("Add", x, more), p["Wy"], p["by"]))


def _recurrent(graph: Graph, p: Arrays, sizes: Any, kind: str, rows: Any, recurrent: np.ndarray, **how: Any) -> str:
    """One of ONNX's recurrent layers; `rows` are its gates among ours, each with its sign."""
    order = np.concatenate([np.arange(sizes.n_hidden) + gate * sizes.n_hidden for gate, _ in rows])
    sign = np.repeat([np.float32(sign) for _, sign in rows], sizes.n_hidden)
    bias = p["bh"][order] * sign
    first = [
        graph.op("Expand", p[name][None], graph.op("Concat", [1], graph.op("Shape", "tokens", end=1), [1], axis=0))
        for name in sizes.first
    ]
    x = graph.op("Transpose", graph.op("Gather", p["C"], "tokens"), perm=[1, 0, 2])
    weights = [(matrix[:, order] * sign).T[None] for matrix in (p["Wxh"], recurrent)]
    biases = np.concatenate([bias, np.zeros_like(bias)])[None]
    h = graph.op(kind, x, *weights, biases, "", *first, hidden_size=sizes.n_hidden, **how)
    h = graph.op("Transpose", graph.op("Squeeze", h, [1]), perm=[1, 0, 2])
    return graph.log_softmax(graph.linear(h, p["Why"], p["by"]))


def _rnn(graph: Graph, p: Arrays, sizes: Any) -> str:
    return _recurrent(graph, p, sizes, "RNN", [(0, 1)], p["Whh"])


def _gru(graph: Graph, p: Arrays, sizes: Any) -> str:
    """ONNX's z is 1 − ours, so that its sigmoid takes the negative; its reset gate acts before the product, too."""
    recurrent = np.concatenate([p["Whzr"], p["Whh"]], 1)
    return _recurrent(graph, p, sizes, "GRU", [(0, -1), (1, 1), (2, 1)], recurrent, linear_before_reset=0)


def _lstm(graph: Graph, p: Arrays, sizes: Any) -> str:
    """ONNX has the gates in the order i, o, f, g."""
    return _recurrent(graph, p, sizes, "LSTM", [(0, 1), (3, 1), (1, 1), (2, 1)], p["Whh"])


def _attended(graph: Graph, qkv: str, sizes: Any) -> str:
    """Causal attention from queries, keys and values in a row, (N, T, 3 · n_embd)."""
    size = sizes.n_embd // sizes.n_head
    heads = [
        graph.op("Reshape", part, [0, 0, sizes.n_head, size])
        for part in graph.op("Split", qkv, outputs=3, axis=2, num_outputs=3)
    ]
    q, k, v = (
        graph.op("Transpose", part, perm=perm)
        for part, perm in zip(heads, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]), strict=True)
    )
    scores = graph.op("Mul", graph.op("MatMul", q, k), np.float32(size**-0.5))
    length = _length(graph)
    ones = graph.op(
        "ConstantOfShape",
        graph.op("Concat", length, length, axis=0),
        value=numpy_helper.from_array(np.ones(1, np.float32)),
    )
    future = graph.op("Cast", graph.op("Trilu", ones, 1, upper=1), to=onnx.TensorProto.BOOL)
    weights = graph.op("Softmax", graph.op("Where", future, np.float32(-np.inf), scores), axis=-1)
    y = graph.op("Transpose", graph.op("MatMul", weights, v), perm=[0, 2, 1, 3])
    return graph.op("Reshape", y, [0, 0, sizes.n_embd])


def _embedded(graph: Graph, p: Arrays) -> str:
    places = graph.op("Slice", p["P"], [0], _length(graph), [0])
    return graph.op("Add", graph.op("Gather", p["C"], "tokens"), places)


def _transformer(graph: Graph, p: Arrays, sizes: Any) -> str:
    x = _embedded(graph, p)
    for layer in range(sizes.n_layer):
        a = {name.removesuffix(f".{layer}"): value for name, value in p.items() if name.endswith(f".{layer}")}
        normed = graph.op("LayerNormalization", x, a["gain1"], a["bias1"], epsilon=EPS)
        y = _attended(graph, graph.linear(normed, a["Wqkv"], a["bqkv"]), sizes)
        x = graph.op("Add", x, graph.linear(y, a["Wo"], a["bo"]))
        normed = graph.op("LayerNormalization", x, a["gain2"], a["bias2"], epsilon=EPS)
        h = graph.op("Gelu", graph.linear(normed, a["W1"], a["b1"]), approximate="tanh")
        x = graph.op("Add", x, graph.linear(h, a["W2"], a["b2"]))
    normed = graph.op("LayerNormalization", x, p["gain"], p["bias"], epsilon=EPS)
    return graph.log_softmax(graph.linear(normed, p["C"].T if sizes.tied else p["Wy"]))


def _microgpt(graph: Graph, p: Arrays, sizes: Any) -> str:
    def norm(x: str) -> str:
        square = graph.op("ReduceMean", graph.op("Mul", x, x), [-1], keepdims=1)
        return graph.op("Div", x, graph.op("Sqrt", graph.op("Add", square, np.float32(EPS))))

    x = norm(_embedded(graph, p))
    for layer in range(sizes.n_layer):
        qkv = np.concatenate([p[f"{name}.{layer}"] for name in ("Wq", "Wk", "Wv")], 1)
        y = _attended(graph, graph.linear(norm(x), qkv), sizes)
        x = graph.op("Add", x, graph.linear(y, p[f"Wo.{layer}"]))
        h = graph.op("Relu", graph.linear(norm(x), p[f"W1.{layer}"]))
        x = graph.op("Add", x, graph.linear(h, p[f"W2.{layer}"]))
    return graph.log_softmax(graph.linear(x, p["Wy"]))


_OF: dict[str, Callable[[Graph, Arrays, Any], str]] = {
    "bigram": _bigram, "ngram": _ngram, "bow": _bow, "mlp": _mlp, "wavenet": _wavenet, "rnn": _rnn, "gru": _gru,
    "lstm": _lstm, "transformer": _transformer, "microgpt": _microgpt,
}  # fmt: skip
