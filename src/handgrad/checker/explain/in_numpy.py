"""What the search proposes, in the words of NumPy where the program is one of NumPy's."""

import ast
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from handgrad.checker.read.trees import binary
from handgrad.checker.run.arrays import raw
from handgrad.checker.run.machine import Machine
from handgrad.errors import DeriveError

_METHODS = {"clone": "copy", "transpose": "swapaxes", "amax": "max", "amin": "min", "flip": "flip"}
_FUNCTIONS = {
    *("exp", "log", "tanh", "sqrt", "sin", "cos", "sinh", "cosh", "sign", "square", "floor", "ceil", "flip"),
    *("maximum", "minimum", "outer", "triu", "tril", "where", "zeros_like", "ones_like", "eye", "expand_dims"),
}
_AXIS_FIRST = {"sum", "mean", "max", "min", "argmax", "prod", "amax", "amin"}
_KEYWORDS = {"keepdim": "keepdims", "dim": "axis"}


def spelling(machine: Machine) -> Callable[[Any], Any]:
    """How a proposal is spelled: a tree, or a text, as it is or with NumPy's names."""
    if not machine.follows_arrays:
        return lambda proposal: proposal
    names = [n for n, v in machine.namespace.items() if isinstance(v, ModuleType) and v.__name__ == "numpy"]
    translated = _InNumpy(min(names, key=len, default="np"))

    def spelled(proposal: Any) -> Any:
        if isinstance(proposal, str):
            return ast.unparse(ast.fix_missing_locations(translated.visit(_without_places(ast.parse(proposal)))))
        return translated.visit(proposal)

    return spelled


def for_algebra(machine: Machine, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values as the algebra knows them: NumPy's own arrays, numbers and modules."""
    if not machine.follows_arrays:
        return values
    return {n: getattr(v, "real_module", v) if isinstance(v, ModuleType) else raw(v) for n, v in values.items()}


def said(machine: Machine, text: str, values: Mapping[str, Any]) -> str | None:
    """What the algebra derived, with the program's own names of modules; None where NumPy has no word for it."""
    from handgrad.derive.emit.numpy import to_numpy  # here, since most programs have no line at fault
    from handgrad.derive.emit.spelling import spelled

    if not machine.follows_arrays:
        return spelled(text, values)
    try:
        made = to_numpy(text, values)
    except (DeriveError, SyntaxError):
        return None
    return spelled(made, values) if "\n" not in made else None


def _without_places(tree: ast.AST) -> ast.AST:
    for part in ast.walk(tree):
        for position in part._attributes:
            delattr(part, position)
    return tree


class _InNumpy(ast.NodeTransformer):
    """Only the nodes that a rule has made are changed; the program's own stay."""

    def __init__(self, numpy: str):
        self.numpy = numpy

    def visit(self, node: Any) -> Any:
        """One node, where it is new."""
        new = not hasattr(node, "lineno")
        return super().visit(node) if new else node

    def visit_Attribute(self, node: Any) -> Any:
        """`torch.zeros_like`, `x.mT`."""
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and node.value.id in ("torch", "F"):
            return self._named(node.attr)
        return node

    def visit_Expr(self, node: Any) -> Any:
        """`x.index_put_((i,), v, accumulate=True)` as a statement."""
        call: Any = node.value
        match call:
            case ast.Call(ast.Attribute(target, "index_put_"), [index, value]):
                index = index.elts[0] if isinstance(index, ast.Tuple) and len(index.elts) == 1 else index
                at = ast.Attribute(self._named("add"), "at", ast.Load())
                return ast.Expr(ast.Call(at, [target, index, value], []))
        return self.generic_visit(node)

    def visit_Call(self, node: Any) -> Any:
        """Methods that NumPy has under another name, or as functions alone."""
        self.generic_visit(node)
        for keyword in node.keywords:
            keyword.arg = _KEYWORDS.get(keyword.arg, keyword.arg)
        if not isinstance(node.func, ast.Attribute) or hasattr(node.func, "lineno"):
            return node
        receiver, what = node.func.value, node.func.attr
        if isinstance(receiver, ast.Name) and receiver.id == self.numpy:
            if what == "one_hot":
                return ast.Subscript(ast.Call(self._named("eye"), node.args[1:], []), node.args[0], ast.Load())
            return self._sigmoid(node.args[0]) if what == "sigmoid" else node
        match what:
            case "sigmoid":
                return self._sigmoid(receiver)
            case "numel":
                return ast.Attribute(receiver, "size", ast.Load())
            case "t":
                return ast.Attribute(receiver, "T", ast.Load())
            case "expand_as":
                return binary(receiver, ast.Mult, ast.Call(self._named("ones_like"), node.args, []))
            case "unsqueeze":
                return ast.Call(self._named("expand_dims"), [receiver, *node.args], node.keywords)
            case "transpose" if len(node.args) != 2:
                return node
        if what in _AXIS_FIRST and node.args:
            node.keywords = [ast.keyword("axis", node.args[0]), *node.keywords]
            node.args = []
        if what in _FUNCTIONS:
            return ast.Call(self._named(what), [receiver, *node.args], node.keywords)
        node.func.attr = _METHODS.get(what, what)
        return node

    def _named(self, function: str) -> ast.expr:
        return ast.Attribute(ast.Name(self.numpy, ast.Load()), function, ast.Load())

    def _sigmoid(self, x: ast.expr) -> ast.expr:
        exp = ast.Call(self._named("exp"), [ast.UnaryOp(ast.USub(), x)], [])
        return binary(ast.Constant(1), ast.Div, binary(ast.Constant(1), ast.Add, exp))
