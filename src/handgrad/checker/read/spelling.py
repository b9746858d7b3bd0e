"""What is spelled like a gradient: names, entries of dicts, attributes, and the functions that compute them."""

import ast
import functools
import re
from collections.abc import Collection
from typing import Any

DOT = "·"


_DICT_OF_GRADIENTS = re.compile(
    r"^(d|g|\w*grads?|\w*gradients?|d_?(params?|parameters|weights?|theta))$", re.IGNORECASE
)


_HALVES = re.compile(r"_?(forward|backward|backprop\w*|fwd|bwd|call|compute|grads?|gradients?|pass|loss)_?")


LOSS = re.compile(r"loss|nll|cost|objective", re.IGNORECASE)


GRADIENT_MODES = re.compile(r"\b(no_grad|enable_grad|set_grad_enabled|inference_mode)\(")


GRADIENTS_ON = re.compile(r"enable_grad|True")


_BACKWARD = re.compile(r"^(?!.*zero).*(back|bwd|bprop|grad)", re.IGNORECASE)


_NUMBER = re.compile(rf"{DOT}\d+(?!\w)")


@functools.lru_cache(4096)
def bare(text: str) -> str:
    """The text without the numbers of calls.

    >>> bare("dx·3 + grads·5·W")
    'dx + grads·W'
    """
    return _NUMBER.sub("", text)


def number_of(name: str) -> int | None:
    """The number of the call that a local name belongs to.

    >>> number_of("dx·3"), number_of("grads·5·W"), number_of("dx")
    (3, None, None)
    """
    _, dot, last = name.rpartition(DOT)
    return int(last) if dot and last.isdigit() else None


def owner_of(name: str) -> str | None:
    """The dict or object that an entry belongs to.

    >>> owner_of("grads·W"), owner_of("dx·3"), owner_of("dx")
    ('grads', None, None)
    """
    owner, dot, last = name.rpartition(DOT)
    return owner if dot and not last.isdigit() else None


def in_sight(name: str, beside: Collection[str]) -> bool:
    """Whether a statement that uses the names `beside` may use `name` too.

    It may not use a local name of another call, nor, within a call, an entry of what it does not name.

    >>> in_sight("h·3", {"dh·3"}), in_sight("h·3", {"dh·5"}), in_sight("h", {"dh·5"})
    (True, False, True)
    >>> in_sight("relu·x", {"relu·dx", "dy·3"}), in_sight("relu·x", {"dy·3"}), in_sight("relu·x", {"dy"})
    (True, False, True)
    """
    if (number := number_of(name)) is not None:
        return any(number_of(other) == number for other in beside)
    within_call = any(number_of(other) is not None for other in beside)
    return (owner := owner_of(name)) is None or not within_call or owner in map(owner_of, beside)


def is_at_home(name: str, beside: Collection[str]) -> bool:
    """Whether a name belongs to the same call as one of those `beside`, or to the same object.

    >>> is_at_home("h·3", {"dh·3"}), is_at_home("relu·x", {"relu·dx"}), is_at_home("x", {"dh·3"})
    (True, True, False)
    """
    places = {(number_of(other), owner_of(other)) for other in beside} - {(None, None)}
    return (number_of(name), owner_of(name)) in places


def key_of(node: Any) -> str | None:
    """The attribute's name or the entry's key, where the node is `a.key` or `a["key"]`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        return node.slice.value
    return None


_WORDS = (
    "data|dataset|dataloader|date|debug|decay|decayed|decode|decoded|decoder|decision|deep|default|degree|del|delay|delta|"
    "demo|den|denom|denominator|dense|density|depth|deriv|derivative|desc|description|dest|det|dev|device|deviation|diag|"
    "diagonal|dict|dictionary|diff|difference|digit|dim|dimension|dir|direction|discount|discounted|display|dist|distance|"
    "distribution|div|divisor|doc|domain|done|dot|double|draw|drawn|drop|dropout|dropped|dtype|dummy|dump|duration|dynamics"
)


_NO_GRADIENT = re.compile(rf"({_WORDS})(s?\d*|_.*)$")


_MADE_OF_ONE = re.compile(
    r"(^|_)(clip\w*|clamp\w*|norms?|mean|avg|std|sum|max|min|total|copy|old|prev\w*|new|ref\w*|num\w*|approx|auto\w*|"
    r"torch|pt|true|expected|check|hist\w*|list|error|err|diff|ratio|rel|abs|scaled?|size|shape|cmp)(_|$)"
)


def seems_a_gradient(name: str) -> bool:
    """Whether a name is spelled like the gradient of something, known or not, and like no word of another meaning.

    >>> [seems_a_gradient(name) for name in ("dW2", "delogits", "grad_x", "data", "dropout_mask", "dW_norm", "d")]
    [True, True, True, False, False, False, False]
    """
    name = bare(name).rpartition(DOT)[2]
    if _MADE_OF_ONE.search(name):
        return False
    return bool(re.match(r"d\w|(grad|gradient)_\w|\w+_grad$", name)) and not _NO_GRADIENT.match(name)


def is_difference_quotient(node: ast.AST) -> bool:
    """Whether an assignment is of `(f(x + h) - f(x)) / h`, which is a derivative but no gradient of the loss.

    >>> is_difference_quotient(ast.parse("y_grad = (f(x + h) - f(x)) / h").body[0])
    True
    """
    value = node.value if isinstance(node, ast.Assign) else None
    if not (isinstance(value, ast.BinOp) and isinstance(value.op, ast.Div) and isinstance(value.left, ast.BinOp)):
        return False
    parts = (value.left.left, value.left.right)
    names = [ast.unparse(part.func) for part in parts if isinstance(part, ast.Call)]
    return isinstance(value.left.op, ast.Sub) and len(names) == 2 and names[0] == names[1]


def is_dict_of_gradients(text: str) -> bool:
    """Whether a dict is called like one of gradients.

    >>> [is_dict_of_gradients(t) for t in ("grads", "self.grads", "dparams", "data", "cache")]
    [True, True, True, False, False]
    """
    return bool(_DICT_OF_GRADIENTS.match(re.split(rf"[.{DOT}]", bare(text))[-1]))


def are_halves(one: str, other: str) -> bool:
    """Whether the names of two functions differ by forward and backward alone.

    >>> are_halves("linear_forward", "linear_backward"), are_halves("forward", "tanh_backward")
    (True, False)
    """
    return _HALVES.sub("", one.strip("_")) == _HALVES.sub("", other.strip("_"))
