"""The package as its reader meets it: names, examples, and shapes that the tests enforce."""

import doctest
import importlib
import inspect
import pkgutil

import pytest
import torch
from jaxtyping import TypeCheckError

from handgrad import ops

MODULES = [importlib.import_module(f"handgrad.ops.{module.name}") for module in pkgutil.iter_modules(ops.__path__)]


def public_functions(module):
    return [
        value
        for name, value in vars(module).items()
        if not name.startswith("_") and inspect.isfunction(value) and value.__module__ == module.__name__
    ]


def test_all_lists_every_public_name_of_every_module():
    defined = {
        name
        for module in MODULES
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    }
    assert set(ops.__all__) == defined
    assert all(hasattr(ops, name) for name in ops.__all__)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_docstring_examples(module):
    failed, attempted = doctest.testmod(module)
    assert attempted
    assert not failed


@pytest.mark.parametrize("function", [f for m in MODULES for f in public_functions(m)], ids=lambda f: f.__name__)
def test_every_function_has_its_formula_or_source_and_an_example(function):
    documented = inspect.getdoc(function)
    assert "$$" in documented or "Source:" in documented
    assert ">>> " in documented


def f(*shape):
    return torch.ones(shape)


def i(*shape):
    return torch.zeros(shape, dtype=torch.long)


LINEAR_CACHE = ops.linear_forward(f(5, 3), f(3, 7), f(7))[1]
REFUSED = {
    "bias of another width": (ops.linear_forward, f(5, 3), f(3, 7), f(3)),
    "weight transposed": (ops.linear_forward, f(5, 3), f(7, 3), f(7)),
    "bias with a row dimension": (ops.linear_forward, f(5, 3), f(3, 7), f(1, 7)),
    "no cotangent": (ops.linear_backward, None, LINEAR_CACHE),
    "cotangent without rows": (ops.linear_backward, f(7), LINEAR_CACHE),
    "gain without its row dimension": (ops.batchnorm_forward, f(5, 7), f(7), f(1, 7)),
    "gain of another width": (ops.batchnorm_forward, f(5, 7), f(1, 3), f(1, 7)),
    "statistics a row": (ops.batchnorm_inference, f(5, 7), f(1, 7), f(1, 7), f(5, 1), f(1, 7)),
    "tokens that are floats": (ops.embedding_forward, f(5, 3), f(2, 2)),
    "targets with a column dimension": (ops.cross_entropy_forward, f(5, 7), i(5, 1)),
    "targets of another batch": (ops.cross_entropy_forward, f(5, 7), i(4)),
    "cotangent with a dimension": (ops.cross_entropy_backward, f(1), ops.cross_entropy_forward(f(5, 7), i(5))[1]),
    "integers": (ops.tanh_forward, i(5, 7)),
    "gain with a row dimension": (ops.layernorm_forward, f(5, 7), f(1, 7), f(7)),
    "a line without its batch": (ops.causal_mean_forward, f(5, 7)),
    "mask of another shape": (ops.dropout_forward, f(5, 7), f(5, 1)),
    "values of another width": (ops.attention_forward, f(2, 5, 6), f(2, 5, 6), f(2, 5, 3), 3),
    "state of another batch": (ops.rnn_forward, f(3, 5, 4), f(2, 4), f(4, 4)),
    "state with a place": (ops.gru_forward, f(3, 5, 12), f(3, 1, 4), f(4, 8), f(4, 4)),
    "memory of another width": (ops.lstm_forward, f(3, 5, 16), f(3, 4), f(3, 5), f(4, 16)),
    "weight transposed, without bias": (ops.matmul_forward, f(5, 3), f(7, 3)),
}


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED.keys())
def test_a_wrong_shape_is_refused(call):
    function, *args = call
    with pytest.raises(TypeCheckError):
        function(*args)
