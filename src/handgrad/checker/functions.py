"""Check a pair of functions, or an autograd.Function, by laying both bodies out as one program."""

import ast
import inspect
import linecache
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from handgrad.checker.inspection import CheckError, check_source
from handgrad.checker.machine import Machine
from handgrad.checker.names import variables_of
from handgrad.checker.report import Report
from handgrad.checker.source import Place, Source, Statement, segment

SYNTHETIC = "<check>"
LOSS, UPSTREAM = "handgrad_loss", "handgrad_upstream"


class Context:
    """What autograd hands to both halves of a `torch.autograd.Function`."""

    handgrad_copies = True

    def __init__(self, inputs: int):
        """Start with nothing saved."""
        self.saved: list[Tensor] = []
        self.needs_input_grad = (True,) * inputs

    def save_for_backward(self, *tensors: Tensor) -> None:
        """Keep tensors for the backward half."""
        self.saved = list(tensors)

    @property
    def saved_tensors(self) -> tuple[Tensor, ...]:
        """What was kept."""
        return tuple(self.saved)

    def mark_dirty(self, *_tensors: Tensor) -> None:
        """Autograd's business alone, like the next two."""

    mark_non_differentiable = set_materialize_grads = mark_dirty


def check_pair(forward: Callable, backward: Callable, *args: Any, strict: bool = False) -> Report:
    """Check `grads = backward(dout, cache)` against `out, cache = forward(*args)`.

    The gradients returned belong to the float tensors among `args`, in order, or by name where they come as a
    NamedTuple or a dict.
    """
    layout = _Layout(forward, args)
    layout.forward(_parameters(forward), args)
    layout.backward(backward, [])
    return layout.check(strict)


def check_autograd_function(function: type[torch.autograd.Function], *args: Any, strict: bool = False) -> Report:
    """Check a custom autograd function; its reference is its own forward body under autograd."""
    layout = _Layout(function.forward, args)
    layout.namespace["ctx"] = None
    separate = function.setup_context is not torch.autograd.Function.setup_context
    parameters = _parameters(function.forward)
    layout.forward(parameters if separate else parameters[1:], args, None if separate else parameters[0])
    layout.backward(function.backward, [_parameters(function.backward)[0]], function if separate else None)
    return layout.check(strict)


def _parameters(function: Callable) -> list[str]:
    return list(inspect.signature(function).parameters)


def _definition(function: Callable) -> tuple[ast.FunctionDef, str, str] | None:
    """The function's syntax tree at its own line numbers, its file and the file's text; None where there is none."""
    function = inspect.unwrap(function)
    code = getattr(function, "__code__", None)
    if code is None:
        return None
    text = "".join(linecache.getlines(code.co_filename))
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == code.co_name:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if code.co_firstlineno in (first, node.lineno):
                return node, code.co_filename, text
    return None


def _flat(definition: ast.FunctionDef) -> bool:
    """Whether the function returns once, at its end, so that its body can stand alone."""
    inner = [n for n in ast.walk(definition) if isinstance(n, ast.Return | ast.Yield | ast.YieldFrom)]
    return len(inner) == 1 and definition.body[-1] is inner[0] and inner[0].value is not None


class _Layout:
    """Statements that run forward, a weighted sum of its outputs, and backward, in one namespace."""

    def __init__(self, forward: Callable, args: tuple[Any, ...]):
        self.function, self.args = forward, args
        self.machine = Machine(None, name=getattr(forward, "__module__", "") or "")
        self.namespace = self.machine.namespace
        self.statements: list[Statement] = []
        self.hidden: set[str] = set()

    def _scope(self, function: Callable) -> None:
        function = inspect.unwrap(function)
        values = dict(getattr(function, "__globals__", {}))
        with_closure = inspect.getclosurevars(function).nonlocals if hasattr(function, "__code__") else {}
        for name, value in {**values, **with_closure}.items():
            if not name.startswith("__"):
                self.namespace[name] = value

    def _say(self, line: str, place: Place | None = None, near: ast.AST | None = None) -> None:
        node = ast.parse(line).body[0]
        if near is not None:
            for part in ast.walk(node):
                ast.copy_location(part, near)
        self.statements.append(Statement(node, line, place or Place(SYNTHETIC, 0), line))

    def _body(self, definition: tuple[ast.FunctionDef, str, str]) -> Any:
        function, file, text = definition
        for node in function.body[:-1]:
            if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
                self.statements.append(Statement(node, segment(text, node), Place(file, node.lineno), text))
        return function.body[-1]

    def _assign(self, target: str, value: ast.expr, file: str, text: str) -> None:
        node = ast.Assign([ast.Name(target, ast.Store())], value)
        ast.copy_location(node, value)
        ast.fix_missing_locations(node)
        self.statements.append(Statement(node, segment(text, value), Place(file, value.lineno), text))

    def forward(self, parameters: list[str], args: tuple[Any, ...], context: str | None = None) -> None:
        """Lay out the forward half; its outputs become `handgrad_out` and `handgrad_cache`."""
        self._scope(self.function)
        if context:
            self._say(f"{context} = handgrad_context({len(args)})")
            self.namespace["handgrad_context"] = Context
        bound = self._bind(parameters, args)
        self.inputs = [n for n, v in bound.items() if isinstance(v, Tensor) and v.is_floating_point()]
        self.positions = list(bound)
        definition = _definition(self.function)
        if definition and _flat(definition[0]):
            value = self._body(definition).value
            self._assign("handgrad_result", value, definition[1], definition[2])
        else:
            self.namespace["handgrad_forward"] = self.function
            words = [*([context] if context else []), *bound]
            self._say(f"handgrad_result = handgrad_forward({', '.join(words)})")
        self.context = context

    def _bind(self, parameters: list[str], args: tuple[Any, ...]) -> dict[str, Any]:
        signature = inspect.signature(self.function)
        defaults = {n: p.default for n, p in signature.parameters.items() if p.default is not inspect.Parameter.empty}
        starred = [n for n, p in signature.parameters.items() if p.kind is inspect.Parameter.VAR_POSITIONAL]
        if starred or len(args) > len(parameters):
            raise CheckError(
                "the forward function cannot be called like this",
                got=f"{len(args)} arguments",
                expected=f"{', '.join(parameters)}",
                where=self.function.__name__,
            )
        bound = {**{n: defaults[n] for n in parameters if n in defaults}, **dict(zip(parameters, args, strict=False))}
        missing = [n for n in parameters if n not in bound]
        if missing:
            raise CheckError(f"the forward function also needs {', '.join(missing)}", where=self.function.__name__)
        self.namespace.update(bound)
        return {n: bound[n] for n in parameters}

    def backward(self, function: Callable, context: list[str], setup: Any = None) -> None:
        """Lay out the backward half; what it returns becomes the gradients of the inputs."""
        parameters = [n for n in _parameters(function) if n not in context]
        if not parameters:
            raise CheckError("the backward function takes no upstream gradient", where=function.__name__)
        upstream, rest = parameters[0], parameters[1:]
        output = next(iter(variables_of(upstream)), "out")
        output = output if output not in self.positions else f"{output}_out"
        if setup is not None:
            self.namespace["handgrad_context"], self.namespace["handgrad_setup"] = Context, setup.setup_context
            self._say(f"{context[0]} = handgrad_context({len(self.positions)})")
            inputs = "".join(f"{n}, " for n in self.positions)
            self._say(f"handgrad_setup({context[0]}, ({inputs}), handgrad_result)")
        elif context and self.context != context[0]:
            self._say(f"{context[0]} = {self.context}")
        result = self._result()
        alone = isinstance(result, Tensor)
        self.namespace[UPSTREAM] = _random_like(result if alone else result[0])
        self._say(f"{output} = handgrad_result" if alone else f"{output} = handgrad_result[0]")
        if not alone and rest:
            cache = "handgrad_result[1]" if len(result) == 2 else "handgrad_result[1:]"
            self._say(f"{rest[0]} = {cache}")
        self._say(f"{LOSS} = ({output} * {UPSTREAM}).sum()")
        self._scope_of_backward(function)
        self._say(f"{upstream} = {UPSTREAM}.clone()")
        self.hidden = {upstream, f"d{output}"}
        definition = _definition(function)
        if definition and _flat(definition[0]):
            self._returned(self._body(definition).value, definition[1], definition[2])
            return
        self.namespace["handgrad_backward"] = function
        words = [*context, upstream, *([rest[0]] if rest and not alone else [])]
        self._say(f"handgrad_gradients = handgrad_backward({', '.join(words)})")
        self._take("handgrad_gradients", self._gradient_names(None))

    def _scope_of_backward(self, function: Callable) -> None:
        kept = {n: self.namespace[n] for n in (*self.positions, UPSTREAM) if n in self.namespace}
        self._scope(function)
        self.namespace.update(kept)

    def _result(self) -> Any:
        """The forward half's answer, from a trial run."""
        before = dict(self.namespace)
        try:
            with torch.no_grad():
                for statement in self.statements:
                    self.machine.run(compile(ast.Module([statement.node], []), statement.place.file, "exec"))
            return self.namespace["handgrad_result"]
        except Exception as error:
            raise CheckError(f"the forward function raises {type(error).__name__}: {error}") from None
        finally:
            self.namespace.clear()
            self.namespace.update(before)

    def _gradient_names(self, given: list[str] | None) -> list[str | None]:
        """The input that each returned gradient belongs to."""
        if given is not None and len(given) == len(self.positions) != len(self.inputs):
            return [n if n in self.inputs else None for n in self.positions]
        return list(self.inputs)

    def _returned(self, value: ast.expr, file: str, text: str) -> None:
        parts, labels = None, []
        if isinstance(value, ast.Tuple):
            parts = value.elts
        elif isinstance(value, ast.Dict):
            parts, labels = value.values, [getattr(k, "value", None) for k in value.keys]
        elif isinstance(value, ast.Call) and self._is_named_tuple(value):
            parts = [*value.args, *(k.value for k in value.keywords)]
            labels = [None] * len(value.args) + [k.arg for k in value.keywords]
        elif len(self.inputs) == 1:
            parts = [value]
        if parts is None:
            self._assign("handgrad_gradients", value, file, text)
            self._take("handgrad_gradients", self._gradient_names(None))
            return
        names = self._gradient_names([""] * len(parts))
        for i, part in enumerate(parts):
            label = labels[i] if i < len(labels) else None
            known = next((v for v in variables_of(label or "") if v in self.inputs), None)
            known = label if label in self.inputs else known
            name = known or (names[i] if i < len(names) else None)
            if name is None or (isinstance(part, ast.Name) and name in variables_of(part.id)):
                continue
            self._assign(f"d{name}", part, file, text)

    def _is_named_tuple(self, call: ast.Call) -> bool:
        kind = self.namespace.get(call.func.id) if isinstance(call.func, ast.Name) else None
        return isinstance(kind, type) and issubclass(kind, tuple)

    def _take(self, source: str, names: list[str | None]) -> None:
        self.namespace["handgrad_take"] = _take
        for position, name in enumerate(names):
            if name is not None:
                self._say(f"d{name} = handgrad_take({source}, {position}, {name!r})")

    def check(self, strict: bool) -> Report:
        """Run the checker on the layout."""
        report = check_source(Source(None, self.statements), self.machine, loss=LOSS, strict=strict)
        report.variables = [v for v in report.variables if v.gradient not in self.hidden and "handgrad_" not in v.name]
        for row in report.variables:
            if row.place is not None and row.place.file == SYNTHETIC:
                row.place, row.text = None, f"the returned gradient of {row.name}"
        return report


def _take(gradients: Any, position: int, name: str) -> Any:
    """One of the gradients that a backward function returned: by name where there are names, else by position."""
    if isinstance(gradients, Tensor):
        return gradients
    if isinstance(gradients, dict):
        return next((gradients[k] for k in gradients if k == name or name in variables_of(k)), None)
    for label in getattr(gradients, "_fields", ()):
        if label == name or name in variables_of(label):
            return getattr(gradients, label)
    return gradients[position]


def _random_like(tensor: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    return torch.randn(tensor.shape, generator=generator, dtype=torch.float64).to(tensor.dtype)
