"""The forward half of a pair as statements, up to a weighted sum of its outputs."""

import ast
import contextlib
import copy
import inspect
import re
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from handgrad.checker.faces.functions.central import MOST_ELEMENTS, ByDifferences
from handgrad.checker.faces.functions.given import Context, Input
from handgrad.checker.faces.functions.halves import SYNTHETIC, Half
from handgrad.checker.faces.functions.renaming import renamed
from handgrad.checker.inspection import CheckError
from handgrad.checker.place import Place
from handgrad.checker.read.names import gradient_of
from handgrad.checker.read.source import Statement, segment
from handgrad.checker.read.spelling import DOT
from handgrad.checker.run.machine import Machine, Randomness
from handgrad.checker.run.values import copy_values, holds, is_float, is_object

LOSS, OUT, UPSTREAM = "handgrad_loss", "handgrad_out", "handgrad_upstream"
FORWARD = f"{DOT}1"
_UPSTREAM = re.compile(r"(d|g|grad|up|delta)_?(out|output|stream)?s?_?\d*")


class ForwardLayout:
    """Statements that run the forward function and a weighted sum of its outputs."""

    def __init__(self, forward: Half, strict: bool, parameters: list[str], context: Context | None = None):
        """Name the inputs of the forward function; `parameters` are those of the backward function."""
        self.half, self.strict, self.parameters, self.context = forward, strict, parameters, context
        self.machine = Machine(None, name=forward.function.__module__ or "")
        self.namespace = self.machine.namespace
        self.statements: list[Statement] = []
        self.words: dict[str, str] = {}
        self.notes: list[str] = []
        self.faults: list[str] = []
        self.outputs: dict[str, str] = {}
        self.marked: list[Tensor] = []
        self.taken = set(forward.free) | forward.local
        self.inputs = list(self._inputs())
        self.positions = {(parameter, key): value for parameter, key, value in self._positions()}
        if context is not None:
            context.needs_input_grad = tuple(map(is_float, self.positions.values()))
        if not self.inputs:
            kinds = {str(v.dtype) if isinstance(v, Tensor) else type(v).__name__ for v in self.positions.values()}
            raise CheckError(
                "there is nothing to differentiate",
                got=", ".join(sorted(kinds)) or "no arguments",
                expected="at least one torch tensor of real floats",
                where=forward.called,
            )

    def _inputs(self) -> Iterator[Input]:
        for parameter in self.half.passed:
            value = self.half.given[parameter]
            if is_float(value):
                yield Input(parameter, parameter, None, value)
            elif isinstance(value, list | tuple | dict) and (self.context is None or self._is_starred(parameter)):
                for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                    if is_float(item):
                        yield Input(self._new(f"{parameter}_{key}"), parameter, key, item)

    def _is_starred(self, parameter: str) -> bool:
        kind = self.half.signature.parameters[parameter].kind
        return kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

    def _positions(self) -> Iterator[tuple[str, Any, Any]]:
        """The arguments, in order, each with its parameter and its key among the arguments of a starred one."""
        for parameter in self.half.passed:
            value = self.half.given[parameter]
            if self._is_starred(parameter):
                for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                    yield parameter, key, item
            elif value is not self.context:
                yield parameter, None, value

    def _new(self, name: str) -> str:
        """A name that nothing has."""
        name = re.sub(r"\W", "_", name)
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    @contextlib.contextmanager
    def undisturbed(self) -> Iterator[None]:
        """The random generators are afterwards where they were."""
        before = Randomness.now({})
        try:
            with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            before.restore({})

    # --- statements ------------------------------------------------------------------------------------------------

    def _say(self, line: str, role: str = "argument") -> None:
        self.statements.append(Statement(ast.parse(line).body[0], line, Place(SYNTHETIC, 0), line, role=role))

    def _assign(self, target: str, value: ast.expr, half: Half, names: dict[str, str]) -> None:
        """A part of what the user returns, at its own place."""
        node = ast.copy_location(ast.Assign([ast.Name(target, ast.Store())], renamed(value, names)), value)
        place, text = Place(half.file, value.lineno), segment(half.code, value)
        spelling = ((f"{target} = ", ""),)
        self.statements.append(Statement(ast.fix_missing_locations(node), text, place, half.code, spelling))

    def _body(self, half: Half, names: dict[str, str]) -> None:
        self.statements += [replace(s, node=renamed(s.node, names)) for s in half.statements]

    # --- the forward function --------------------------------------------------------------------------------------

    def run_forward(self) -> None:
        """Run the forward function, and lay it out."""
        given = self.half.given
        self.originals = dict(given)
        given.update({n: _marked(v) for n, v in given.items() if is_object(v) and v is not self.context})
        self.trial = self._arguments()
        ran = self.half.run(self.trial, opened=True)
        if ran.error is not None:
            raise CheckError(f"the forward function raises {ran.error.message}", where=self.half.called)
        self.result, self.count = ran.result, self._count(ran.result)
        with torch.enable_grad():
            traced = self.half.run(self._arguments(requires_grad=True), opened=True)
        self.traced = self._heads(traced.result) if traced.error is None else None
        by_autograd = holds(lambda t: t.requires_grad, self.traced)
        function: Any = self.half.function
        if not by_autograd:
            self.traced, function = None, self._by_differences()
            ran.whole, ran.statements, ran.returned = True, [], None
        names = self._name_inputs(ran)
        self.namespace.update(ran.free)
        if ran.whole:
            self.namespace["handgrad_forward"] = function
            self._say(f"handgrad_result = {ran.call('handgrad_forward', names)}")
        self._body(ran, names)
        self._take_result(ran, names)

    def _arguments(self, requires_grad: bool = False) -> dict[str, Any]:
        """What the forward function is given, copied."""

        def copied(tensor: Tensor) -> Tensor:
            return tensor.detach().clone().requires_grad_(requires_grad).clone()

        return copy_values(self.half.given, copied)

    def _count(self, result: Any) -> int | None:
        """How many of the things returned are outputs; None where the only thing is one, or all together are one."""
        if isinstance(result, list | dict) and self.context is not None:
            raise CheckError(
                "forward returns what autograd does not look into",
                got=type(result).__name__,
                expected="a tensor or a tuple of tensors",
                where=self.half.called,
            )
        if not isinstance(result, tuple):
            return None
        if self.context is not None:
            return len(result)
        if len(self.parameters) == len(result):
            later = zip(self.parameters[1:], result[1:], strict=True)
            return 1 + next((i for i, one in enumerate(later) if not self._is_upstream(*one)), len(result) - 1)
        return None if len(self.parameters) == 1 and all(map(is_float, result)) else 1

    def _is_upstream(self, parameter: str, value: Any) -> bool:
        """Whether a parameter of the backward function is spelled like the gradient of an output."""
        spelled = gradient_of(parameter, self.half.local) or _UPSTREAM.fullmatch(parameter)
        return bool(spelled) and parameter not in self.half.local and is_float(value)

    def _heads(self, result: Any) -> Any:
        return result if self.count is None else result[: self.count]

    def _by_differences(self) -> ByDifferences:
        """The forward function, where autograd cannot follow it."""
        size = sum(one.tensor.numel() for one in self.inputs)
        bound = inspect.BoundArguments(self.half.signature, OrderedDict(self._arguments()))
        function = ByDifferences(self.half.function)
        try:
            fits = size <= MOST_ELEMENTS and function.is_smooth(*bound.args, **bound.kwargs)
        except Exception:
            fits = False
        if not fits:
            raise CheckError(
                "autograd cannot follow the forward function, nor can differences of its values",
                got=f"{size} elements" if size > MOST_ELEMENTS else None,
                expected=f"torch operations, or a function in float64 of at most {MOST_ELEMENTS} elements",
                where=self.half.called,
            )
        self.notes.append(
            "autograd cannot follow the forward function, so that its derivative is taken by central differences."
        )
        return function

    def _name_inputs(self, ran: Half) -> dict[str, str]:
        """Other names for parameters that the body gives new values, so that what was passed keeps its own."""
        for name, value in self.half.given.items():
            self.namespace[name] = value
            for attribute, held in vars(value).items() if "handgrad_copies" in getattr(value, "__dict__", {}) else ():
                if is_float(held):  # a statement gives it a name, so that what is called its gradient is known as one
                    self._say(f"{name}.{attribute} = {name}.{attribute}", role="")
        names = {}
        for one in self.inputs:
            self.namespace[one.name] = one.tensor.detach().clone()
            self.words[one.name] = one.text
            if one.key is None and (ran.binds(one.name) or not torch.equal(self.trial[one.name], one.tensor)):
                names[one.name] = one.name + FORWARD
                self._say(f"{names[one.name]} = {one.name}.clone()")
        for parameter in dict.fromkeys(one.parameter for one in self.inputs if one.key is not None):
            named = {one.key: one.name for one in self.inputs if one.parameter == parameter}
            self._say(f"{parameter} = {self._container(self.half.given[parameter], named)}")
        return names

    def _container(self, value: Any, named: dict[Any, str]) -> str:
        """The text of a list, tuple or dict with names in the places of its tensors."""
        items = value.items() if isinstance(value, dict) else enumerate(value)
        texts = [named.get(key) or self._constant(item) for key, item in items]
        return self._display(value, texts)

    def _display(self, value: Any, texts: list[str]) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key!r}: {text}" for key, text in zip(value, texts, strict=True)) + "}"
        if isinstance(value, list):
            return f"[{', '.join(texts)}]"
        inside = "".join(f"{text}, " for text in texts)
        return f"{self._constant(type(value))}({inside})" if hasattr(value, "_fields") else f"({inside})"

    def _constant(self, value: Any) -> str:
        """A name for a value that no statement makes."""
        held = (n for n, v in self.namespace.items() if v is value and n in self.taken)
        name = next(held, None) or self._new("handgrad_value")
        self.namespace[name] = value
        return name

    def _take_result(self, ran: Half, names: dict[str, str]) -> None:
        """Lay out what follows `return`; `parts` are the texts of its parts, or `whole` of it all."""
        self.parts: list[str] = []
        self.whole = "handgrad_result"
        if isinstance(self.result, tuple):
            self.parts = [f"handgrad_result[{i}]" for i in range(len(self.result))]
        if isinstance(ran.returned, ast.Tuple) and len(ran.returned.elts) == len(self.parts):
            for i, part in enumerate(ran.returned.elts):
                if isinstance(part, ast.Name):
                    self.parts[i] = names.get(part.id, part.id)
                else:
                    self.parts[i] = f"handgrad_result{i}"
                    self._assign(self.parts[i], part, ran, names)
                    self.words[self.parts[i]] = segment(ran.code, part)
            self.whole = f"({', '.join(self.parts)},)"
        elif ran.returned is not None:
            self._assign(self.whole, ran.returned, ran, names)
            self.words[self.whole] = segment(ran.code, ran.returned)

    # --- its outputs -----------------------------------------------------------------------------------------------

    def arguments_of_pair(self) -> list[tuple[str, Any]]:
        """What the backward function is given, as text and as it is: upstream gradients, then what was kept."""
        if not self.parameters:
            raise CheckError("the backward function takes no upstream gradient", where=self.half.called)
        given = self._upstreams()
        rest = self.parameters[len(given) :]
        if self.count is None:
            return [*given, *((n, self.trial[n]) for n in rest if n in self.trial)]
        kept = list(zip(self.parts, self.result, strict=True))[self.count :]
        if len(kept) > len(rest) > 0:
            kept = [("(" + "".join(f"{text}, " for text, _ in kept) + ")", tuple(value for _, value in kept))]
        return [*given, *(kept if rest else [])]

    def arguments_of_function(self, setup: Callable | None) -> list[tuple[str, Any]]:
        """The same for an autograd function: its context, then a gradient for each output."""
        if setup is None:
            name = next(iter(self.half.given))
            context = self.trial[name]
        else:
            name, context = self._new("ctx"), copy.copy(self.context)
            starred = [n for n in self.half.given if self._is_starred(n)]
            given = [v for n in self.half.given for v in (self.trial[n] if n in starred else [self.trial[n]])]
            try:
                setup(context, tuple(given), self.result)
            except Exception as error:
                message = f"setup_context raises {type(error).__name__}: {error}"
                raise CheckError(message, where=self.half.called) from None
            self.namespace.update({name: self.context, "handgrad_setup": _in_turn(setup)})
            inputs = "".join(f"{'*' * (n in starred)}{n}, " for n in self.half.given)
            self._say(f"{name} = handgrad_setup({name}, ({inputs}), {self.whole})")
        self.marked = context.without_gradient if context else []
        return [(name, context), *self._upstreams()]

    def _upstreams(self) -> list[tuple[str, Any]]:
        """The upstream gradients, random ones, and the weighted sum of the outputs that they belong to."""
        if self.count is None:
            outputs = [(self.whole, self.result, self.traced)]
        else:
            traced = self.traced if self.traced is not None else [None] * self.count
            outputs = list(zip(self.parts[: self.count], self.result, traced, strict=False))
        words = [*self.parameters, *(["upstream"] * len(outputs))]
        found = [self._upstream(*output, word) for output, word in zip(outputs, words, strict=False)]
        if not self.outputs:
            raise CheckError(
                "the forward function returns no tensor of floats to differentiate",
                got=type(self.result).__name__,
                where=self.half.called,
            )
        for number, text in self.outputs.items():
            self._say(f"{OUT}{number} = {text}{'.clone()' if len(self.outputs) > 1 else ''}")
        kept = [part for part in self.parts if part.startswith("handgrad_result")]
        self._say(f"handgrad_kept = ({''.join(f'{part}, ' for part in kept)})")  # its lines belong to the forward pass
        self._say(f"{LOSS} = {' + '.join(f'({OUT}{i} * {UPSTREAM}{i}).sum()' for i in self.outputs)}")
        for i in self.outputs:
            self._say(f"d{OUT}{i} = {UPSTREAM}{i}.clone()")
        return found

    def _upstream(self, text: str, value: Any, traced: Any, word: str) -> tuple[str, Any]:
        """The gradient of an output, in the same structure; None for what is no tensor."""
        if isinstance(value, tuple | list | dict):
            keys = list(value) if isinstance(value, dict) else range(len(value))
            parts = [
                self._upstream(f"{text}[{key!r}]", value[key], traced and traced[key], f"{word}[{key!r}]")
                for key in keys
            ]
            texts, values = [part for part, _ in parts], [part for _, part in parts]
            if isinstance(value, dict):
                return self._display(value, texts), dict(zip(value, values, strict=True))
            made = type(value)(*values) if hasattr(value, "_fields") else type(value)(values)
            return self._display(value, texts), made
        if not isinstance(value, Tensor):
            return "None", None
        if not is_float(value) or any(value is t for t in self.marked) or (traced is not None and not _seen(traced)):
            zeros = torch.zeros_like(value)
            return self._constant(zeros), zeros
        number = str(len(self.outputs) + 1)
        self.outputs[number] = text
        self.namespace[f"{UPSTREAM}{number}"] = random = _random_like(value, 6 + int(number))
        self.words |= {
            f"d{OUT}{number}": word,
            f"{UPSTREAM}{number}": word,
            f"{OUT}{number}": self.words.get(text) or (text if text in self.half.local else "out"),
        }
        return f"d{OUT}{number}", random.clone()


def _seen(traced: Any) -> bool:
    return isinstance(traced, Tensor) and traced.requires_grad


def _marked(value: Any) -> Any:
    """A copy of an object of the user's that the checker copies again for each run."""
    if not hasattr(value, "__dict__") or isinstance(value, torch.Generator):
        return value
    marked = copy.copy(value)
    vars(marked)["handgrad_copies"] = True
    return marked


def _in_turn(setup: Callable) -> Callable:
    """`setup_context` as a function that gives the context back."""

    def set_up(context: Context, inputs: tuple[Any, ...], output: Any) -> Context:
        setup(context, inputs, output)
        return context

    return set_up


def _random_like(tensor: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(tensor.shape, generator=generator, dtype=torch.float64).to(tensor.dtype)
