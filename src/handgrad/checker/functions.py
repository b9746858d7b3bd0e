"""Check a pair of functions, or an autograd.Function, by laying both bodies out as one program.

h = x @ w                                   the forward function, as it stands
handgrad_out = h
handgrad_loss = (handgrad_out * handgrad_upstream).sum()
dout·0 = dhandgrad_out                      the backward function, its names numbered
dx·0 = dout·0 @ w·0.T
dx = dx·0                                   what it returns
"""

import ast
import contextlib
import copy
import inspect
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from handgrad.checker.central import MOST_ELEMENTS, ByDifferences
from handgrad.checker.flat.calls import Scope
from handgrad.checker.flat.spelling import DOT, bare
from handgrad.checker.halves import SYNTHETIC, Half, parameters_of, plain
from handgrad.checker.inspection import CheckError, check_source
from handgrad.checker.machine import Machine, Randomness
from handgrad.checker.names import gradient_of, variables_of
from handgrad.checker.report import Diagnosis, Report, VariableReport
from handgrad.checker.source import Place, Source, Statement, exchanged, segment
from handgrad.checker.values import copy_values, holds, is_float, is_object

LOSS, OUT, UPSTREAM = "handgrad_loss", "handgrad_out", "handgrad_upstream"
BACKWARD, FORWARD = f"{DOT}0", f"{DOT}1"
FLAT = "autograd's gradient is zero everywhere: the forward pass is flat here, as round() or a comparison is"


class Context:
    """What autograd hands to both halves of a `torch.autograd.Function`."""

    handgrad_copies = True

    def __init__(self):
        """Start with nothing saved."""
        self.saved: list[Any] = []
        self.without_gradient: list[Tensor] = []
        self.needs_input_grad: tuple[bool, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors for the backward half."""
        self.saved = list(tensors)

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What was kept."""
        return tuple(self.saved)

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Outputs whose upstream gradient is zero."""
        self.without_gradient = list(tensors)

    def mark_dirty(self, *_tensors: Any) -> None:
        """Autograd's business alone, like the next one."""

    set_materialize_grads = mark_dirty


@dataclass(frozen=True)
class Input:
    """A float tensor that the forward function was given: its name here, its parameter, and its key in a container."""

    name: str
    parameter: str
    key: int | str | None
    tensor: Tensor

    @property
    def text(self) -> str:
        """How the user writes it."""
        return self.parameter if self.key is None else f"{self.parameter}[{self.key!r}]"

    def is_called(self, label: object) -> bool:
        """Whether its gradient may go by this name."""
        own = self.parameter if self.key is None else str(self.key)
        return label == own or own in variables_of(str(label))


def check_pair(forward: Callable, backward: Callable, *args: Any, strict: bool = False, **kwargs: Any) -> Report:
    """Check `grads = backward(dout, cache)` against `out, cache = forward(*args, **kwargs)`.

    The gradients returned belong to the float tensors among the arguments, in order, or by name where they come as a
    NamedTuple or a dict.
    """
    program = _Program(Half(forward, args, kwargs), strict, parameters_of(backward))
    with program.undisturbed():
        program.run_forward()
        program.run_backward(backward, program.arguments_of_pair())
    return program.check()


def check_autograd_function(
    function: type[torch.autograd.Function], *args: Any, strict: bool = False, **kwargs: Any
) -> Report:
    """Check a custom autograd function; its reference is its own forward body under autograd."""
    base = torch.autograd.Function
    backward = function.backward if function.backward is not base.backward else function.vjp
    if backward is base.backward or backward is base.vjp:
        raise CheckError("there is no backward to check", where=function.__name__)
    separate = function.setup_context is not base.setup_context
    context = Context()
    forward = Half(function.forward, args if separate else (context, *args), kwargs)
    program = _Program(forward, strict, parameters_of(backward)[1:], context)
    with program.undisturbed():
        program.run_forward()
        program.run_backward(backward, program.arguments_of_function(function.setup_context if separate else None))
    return program.check()


class _Program:
    """Statements that run forward, a weighted sum of its outputs, and backward, in one namespace."""

    def __init__(self, forward: Half, strict: bool, parameters: list[str], context: Context | None = None):
        """Name the inputs of the forward function; `parameters` are those of the backward function."""
        self.half, self.strict, self.parameters, self.context = forward, strict, parameters, context
        self.machine = Machine(None, name=forward.function.__module__ or "")
        self.namespace = self.machine.namespace
        self.statements: list[Statement] = []
        self.words: dict[str, str] = {}
        self.notes: list[str] = []
        self.faults: list[str] = []
        self.outputs: list[str] = []
        self.marked: list[Tensor] = []
        self.taken = set(forward.free) | forward.local
        self.inputs = list(self._inputs())
        self.positions = list(self._positions())
        if context is not None:
            context.needs_input_grad = tuple(map(is_float, self.positions))
        if not self.inputs:
            kinds = {str(v.dtype) if isinstance(v, Tensor) else type(v).__name__ for v in self.positions}
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

    def _positions(self) -> Iterator[Any]:
        """The arguments, in order."""
        for parameter in self.half.passed:
            value = self.half.given[parameter]
            if self._is_starred(parameter):
                yield from value.values() if isinstance(value, dict) else value
            elif value is not self.context:
                yield value

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

    # --- the forward half ------------------------------------------------------------------------------------------

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
        return bool(spelled) and is_float(value)

    def _heads(self, result: Any) -> Any:
        return result if self.count is None else result[: self.count]

    def _by_differences(self) -> ByDifferences:
        """The forward function, where autograd cannot follow it."""
        size = sum(one.tensor.numel() for one in self.inputs)
        bound = inspect.BoundArguments(self.half.signature, self._arguments())  # ty: ignore
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

    # --- between ---------------------------------------------------------------------------------------------------

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
            name, context = self._new("ctx"), copy.deepcopy(self.context)
            setup(context, tuple(self.trial.values()), self.result)
            self.namespace.update({name: self.context, "handgrad_setup": _in_turn(setup)})
            inputs = "".join(f"{n}, " for n in self.half.given)
            self._say(f"{name} = handgrad_setup({name}, ({inputs}), {self.whole})")
        self.marked = context.without_gradient
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
        self.outputs.append(number)
        self.namespace[f"{UPSTREAM}{number}"] = random = _random_like(value, 6 + int(number))
        self.words |= {
            f"d{OUT}{number}": word,
            f"{UPSTREAM}{number}": word,
            f"{OUT}{number}": self.words.get(text, "out"),
        }
        self._say(f"{OUT}{number} = {text}")
        return f"d{OUT}{number}", random.clone()

    # --- the backward half -----------------------------------------------------------------------------------------

    def run_backward(self, function: Callable, arguments: list[tuple[str, Any]]) -> None:
        """Run the backward function, and lay it out; what it returns becomes the gradients of the inputs."""
        _, before, named = plain(function)
        objects = {id(self.originals[n]): n for n in self.originals}
        shared = [(objects[id(v)], self.trial[objects[id(v)]]) if id(v) in objects else (None, v) for v in before]
        half = self.backward = Half(function, [value for _, value in arguments])
        half.given.update(zip(half.given, [value for _, value in shared], strict=False))
        self.ran = half.run({})
        texts = [*((text or self._constant(value)) for text, value in shared), *(text for text, _ in arguments)]
        given = half.signature.bind(*texts, **{n: self._constant(v) for n, v in named.items()}).arguments
        names = {n: n + BACKWARD for n in half.local} | self._free_names(half)
        self.owner = next((text for text, _ in shared if text), None)
        self._read_returned()
        self._rename_returned(names)
        names |= {n: text for n, text in given.items() if n in half.given and isinstance(half.given[n], Context)}
        names |= {n: text for n, text in given.items() if text in self.originals and is_object(half.given[n])}
        for name, value in half.given.items():
            text = given.get(name) or self._constant(value)
            if text == names[name]:
                continue
            if isinstance(text, tuple):
                text = f"({''.join(f'{part}, ' for part in text)})"
            copied = ".clone()" if text.startswith(f"d{OUT}") and half.changes(name) else ""
            self._say(f"{names.get(name, name)} = {text}{copied}")
        self._body(self.ran, names)
        self._take_gradients(names)

    def _free_names(self, half: Half) -> dict[str, str]:
        """Other names for what the backward function finds in its module, where the forward one calls another so."""
        names = {}
        for name, value in half.free.items():
            mine = self.originals.get(name, self.half.free.get(name, _NOTHING))
            if name in self.taken and mine is not value:
                names[name] = name + BACKWARD
            elif name not in self.taken:
                self.taken.add(name)
            if mine is not value:
                self.namespace[names.get(name, name)] = value
        return names

    def _read_returned(self) -> None:
        """What the backward function returns: `values` of the run, `parts` of the text, where there are, and labels."""
        value, returned = self.ran.result, self.ran.returned
        self.returned: list[ast.expr] | None = None
        self.values = [value]
        self.labels: list[Any] = [None]
        if isinstance(value, dict):
            self.labels, self.values = list(value), list(value.values())
        elif isinstance(value, tuple | list):
            self.labels, self.values = list(getattr(value, "_fields", [None] * len(value))), list(value)
        parts = _parts(returned, self.backward.free)
        if parts is not None and (len(parts) == len(self.values) or self.ran.error is not None):
            self.returned = parts
            if len(parts) != len(self.values):
                self.labels, self.values = [None] * len(parts), [_NOTHING] * len(parts)
        elif isinstance(value, Tensor) and returned is not None:
            self.returned = [returned]
        self.found = self._matched()

    def _matched(self) -> dict[Input, tuple[int, Any]]:
        """Where each input's gradient is: the position of what is returned, and the key in it."""
        by_name = {}
        for one in self.inputs:
            for i, label in enumerate(self.labels):
                if label is not None and one.is_called(label):
                    by_name[one] = i, None
                elif label is not None and one.key is not None and replace(one, key=None).is_called(label):
                    by_name[one] = i, one.key
        if by_name:
            return by_name
        count = len(self.values)
        extra = [i for i, v in enumerate(self.values) if i >= len(self.positions) and v is not None]
        if count >= len(self.positions) and not extra and (self.context is not None or count != len(self.inputs)):
            at = {id(v): i for i, v in reversed(list(enumerate(self.positions)))}
            return {one: (at[id(one.tensor)], None) for one in self.inputs if id(one.tensor) in at}
        parameters = list(dict.fromkeys(one.parameter for one in self.inputs))
        if self.context is None and count == len(self.inputs):
            return {one: (i, None) for i, one in enumerate(self.inputs)}
        if self.context is None and count == len(parameters):
            return {one: (parameters.index(one.parameter), one.key) for one in self.inputs}
        if not self._nothing:
            expected = [one.text for one in self.inputs]
            wanted = f"{len(expected)}, one for each of {', '.join(expected)}"
            if self.context is not None:
                wanted = f"{len(self.positions)}, one for each argument of forward, None where there is none"
            self.faults.append(f"{self._where()}: the number of gradients returned is {count}; expected {wanted}.")
        return {}

    @property
    def _nothing(self) -> bool:
        """Whether nothing is returned."""
        literal = self.returned == [self.ran.returned] and isinstance(self.ran.returned, ast.Constant)
        return self.ran.result is None and (literal or not self.returned)

    def _where(self) -> str:
        place = self.ran.place
        return str(place) if place.line else self.backward.called

    def _rename_returned(self, names: dict[str, str]) -> None:
        """Call a local variable that is returned as a gradient by that gradient's name."""
        self.gradients = {one: self._gradient_name(one) for one in self.inputs}
        parts = self.returned or []
        written = [part.id for part in parts if isinstance(part, ast.Name)]
        forward = self.half.local | self.half.free.keys()
        for one, (i, key) in self.found.items():
            part, target = parts[i] if i < len(parts) else None, self.gradients[one]
            if not isinstance(part, ast.Name) or key is not None or written.count(part.id) > 1:
                continue
            local = part.id in self.backward.local and part.id not in self.backward.given
            if local and gradient_of(part.id, forward) in (None, one.name):
                if target != part.id and target in names:
                    names[target] = f"{target}_{BACKWARD}"
                    self.words[names[target]] = target
                names[part.id] = target + BACKWARD
                self.words[names[part.id]] = part.id

    def _gradient_name(self, one: Input) -> str:
        spellings = (f"d{one.name}", f"d_{one.name}", f"grad_{one.name}", f"{one.name}_grad")
        known = self.taken | {one.name}
        fitting = (n for n in spellings if n not in known and gradient_of(n, known) == one.name)
        return next(fitting, spellings[0])

    def _take_gradients(self, names: dict[str, str]) -> None:
        """Give each input what is returned for it."""
        ran = self.ran
        if ran.whole:
            self.namespace["handgrad_backward"] = self.backward.function
            self._say(f"handgrad_gradients = {self.backward.call('handgrad_backward', names)}")
        elif self.returned is None and ran.returned is not None:
            self._assign("handgrad_gradients", ran.returned, ran, names)
        self.namespace["handgrad_take"] = _take
        nothing = self._nothing
        for one, (i, key) in self.found.items():
            target = self.gradients[one]
            part = self.returned[i] if self.returned else None
            if self._is_excused(one, i, part):
                self.notes.append(f"backward returns None for {one.text}, whose gradient is not checked.")
            elif nothing:
                continue
            elif part is not None and key is None:
                self._assign(target, part, ran, names)
            else:
                self._say(f"{target} = handgrad_take(handgrad_gradients, {i}, {key!r})")
        if nothing and ran.error is not None and not ran.error.message.startswith("NotImplementedError"):
            self.faults.append(f"{ran.error.place}: {ran.error.message}")
        elif nothing:
            for target in self.gradients.values():
                self._leave_unwritten(target)

    def _leave_unwritten(self, target: str) -> None:
        node = ast.parse(f"{target} = None").body[0]
        half = self.backward
        text = self.ran.text or f"def {half.called}"
        place = self.ran.place if self.ran.text else Place(half.file, half.node.lineno if half.node else 0)
        self.statements.append(Statement(node, text, place, text, role="argument"))

    def _is_excused(self, one: Input, i: int, part: ast.expr | None) -> bool:
        """Whether None is returned for an input that needs no gradient, while another gets one."""
        if self.values[i] is not None or self.strict or one.tensor.requires_grad:
            return False
        if all(self.values[j] is None for j, _ in self.found.values()):
            return False
        meant = part is None or isinstance(part, ast.Constant)
        return meant or any(other.tensor.requires_grad for other in self.inputs)

    # --- judging ---------------------------------------------------------------------------------------------------

    def check(self) -> Report:
        """Run the checker on the statements, and speak of what it finds in the user's words."""
        words = tuple(self.words.items())
        statements = [replace(s, spelling=(*s.spelling, *words)) for s in self.statements]
        if any(s.node.targets[0].id in self.gradients.values() for s in statements if _gives_a_name(s.node)):
            outside = {n.id for s in statements for n in ast.walk(s.node) if isinstance(n, ast.Name)}
            scopes = [
                Scope("backward", self.owner, list(self.backward.given), {n for n in outside if DOT not in n}, True),
                Scope("forward", None, [], set(), False),
            ]
            report = check_source(Source(None, statements, scopes=scopes), self.machine, loss=LOSS, strict=self.strict)
        else:
            report = Report(None, strict=self.strict)
        report.notes = [*self.notes, *map(self._spelled, report.notes)]
        report.faults = [*self.faults, *map(self._spelled, report.faults)]
        report.variables = [row for row in report.variables if "handgrad_" not in row.name + row.gradient]
        for row in report.variables:
            self._reword(row)
        known = {one.text for one in self.inputs}
        report.variables = [v for v in report.variables if v.name in known or v.verdict != "missing" or v.cause]
        shown = {row.name for row in report.variables}
        for one in self.inputs:
            if one.text not in shown and one not in self.found:
                size = list(one.tensor.shape)
                report.variables.append(VariableReport(one.text, self.gradients[one], size, None, "missing"))
        self._reword_hazards(report)
        return report

    def _spelled(self, text: str) -> str:
        for ours, theirs in self.words.items():
            text = exchanged(text, ours.removesuffix(BACKWARD), theirs)
        return text

    def _reword(self, row: VariableReport) -> None:
        row.gradient, row.name = self._spelled(row.gradient), self._spelled(row.name)
        if row.place is not None and row.place.file == SYNTHETIC:
            row.place = self.ran.place if self.ran.place.line else None
            row.text = self.ran.text or f"the returned gradient of {row.name}"
        row.diagnosis = [_told_apart(one) for one in row.diagnosis]
        if row.cause == "own" and row.tensors is not None and not bool(row.tensors[1].any()):
            row.diagnosis = [Diagnosis("unknown", f"{FLAT}; a straight-through estimator differs from it on purpose.")]

    def _reword_hazards(self, report: Report) -> None:
        """Leave out that an upstream gradient is changed where that does no harm."""
        upstreams = {f"d{OUT}{i}" for i in self.outputs}
        if all(row.cause is None for row in report.variables):
            report.hazards = [h for h in report.hazards if h.variable not in upstreams]
        for i, hazard in enumerate(report.hazards):
            own = hazard.repair is not None and hazard.repair.place is not None and hazard.repair.place.line
            message = self._spelled(hazard.message).replace(" in line 0", "")
            report.hazards[i] = replace(
                hazard,
                variable=self._spelled(hazard.variable),
                message=bare(message),
                repair=hazard.repair if own else None,
            )


_NOTHING = object()
_UPSTREAM = re.compile(r"(d|g|grad|up|delta)_?(out|output|stream)?s?_?\d*")


class _Renamed(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]):
        self.names = names

    def visit_Name(self, node):
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_arg(self, node):
        node.arg = self.names.get(node.arg, node.arg)
        return self.generic_visit(node)

    def visit_FunctionDef(self, node):
        node.name = self.names.get(node.name, node.name)
        return self.generic_visit(node)

    def visit_alias(self, node):
        bound = (node.asname or node.name).split(".")[0]
        if bound in self.names and (node.asname or "." not in node.name):
            node.asname = self.names[bound]
        return node

    def visit_ExceptHandler(self, node):
        node.name = self.names.get(node.name, node.name)
        return self.generic_visit(node)


def renamed(node: Any, names: dict[str, str]) -> Any:
    """A copy of the syntax tree with other names."""
    return _Renamed(names).visit(copy.deepcopy(node))


def _parts(returned: ast.expr | None, known: dict[str, Any]) -> list[ast.expr] | None:
    """The gradients in what follows `return`, where each is written there."""
    if isinstance(returned, ast.Tuple | ast.List):
        return None if any(isinstance(part, ast.Starred) for part in returned.elts) else list(returned.elts)
    if isinstance(returned, ast.Dict):
        return None if None in returned.keys else list(returned.values)
    if isinstance(returned, ast.Call) and isinstance(returned.func, ast.Name):
        kind = known.get(returned.func.id)
        if isinstance(kind, type) and issubclass(kind, tuple) and not any(k.arg is None for k in returned.keywords):
            return [*returned.args, *(k.value for k in returned.keywords)]
    return None


def _told_apart(found: Diagnosis) -> Diagnosis:
    """A value that the forward function has under the name of another in the backward one."""
    again = re.search(r"(?P<name>\b\w+) in place of (?P=name)\.", found.message)
    if again is None:
        return found
    name = again["name"]
    return replace(found, message=f"it is not the {name} of the forward function, which has to be kept.", fix=None)


def _gives_a_name(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)


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


def _take(gradients: Any, position: int, key: Any) -> Any:
    """One of the gradients that a backward function returned."""
    items = gradients.values() if isinstance(gradients, dict) else gradients
    found = list(items)[position] if isinstance(gradients, tuple | list | dict) else gradients
    return found if key is None else found[key]


def _random_like(tensor: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(tensor.shape, generator=generator, dtype=torch.float64).to(tensor.dtype)
