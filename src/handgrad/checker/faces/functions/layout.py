"""The two functions and their calls as one small program, which the checker of programs goes through.

out, kept = forward(x, w)
loss = (out * upstream).sum()
dout = upstream.clone()
dx, dw = backward(dout, kept)
"""

import ast
import functools
import linecache
import re
from collections.abc import Iterator
from types import FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor

from handgrad.checker.faces.functions.definitions import Context, Definitions, crosses, returned_by
from handgrad.checker.faces.functions.findings import Verdict
from handgrad.checker.faces.functions.inputs import Input, is_differentiable, mapped
from handgrad.checker.faces.functions.pairs import Pair
from handgrad.checker.faces.functions.subjects import AutogradFunction
from handgrad.checker.faces.functions.upstreams import RANDOM
from handgrad.checker.inspection import check_source
from handgrad.checker.place import Place
from handgrad.checker.read.names import uses
from handgrad.checker.read.source import Source, Statement
from handgrad.checker.read.spelling import DOT
from handgrad.checker.report import Report
from handgrad.checker.run.machine import Machine
from handgrad.checker.run.values import is_float, is_object

OURS = "handgrad_"
SYNTHETIC = "<check>"


class Layout:
    """Writes the program of one subject, and has it checked.

    `names` are those of the inputs in it, whose gradients are called `d` and that name; `words` what its own names are
    called where it is spoken of.
    """

    def __init__(self, verdict: Verdict):
        """Copy what the functions are called with, under names of their own."""
        self.verdict, self.subject = verdict, verdict.subject
        values = next((found.values for found in verdict.wrong if found.values), None)
        verdict.laboratory.in_own_precision().gradients(values or {}, RANDOM)  # the subject keeps what it returns
        self.given = self.subject.world.fresh(values, double=False)
        module = getattr(self.subject.backward, "__module__", "") or ""
        self.machine = Machine(None, name=module)
        self.namespace = self.machine.namespace
        halves = (self.subject.backward, getattr(self.subject, "forward", None))
        self.of_arrays = any(one.array for one in self.subject.inputs) or crosses(*halves)
        self.copy = "copy" if self.of_arrays else "clone"
        self.statements: list[Statement] = []
        self.definitions = Definitions(self.namespace)
        self.names: dict[Input, str] = {}
        self.words: dict[str, str] = {f"{OURS}out": "out"}

    def report(self) -> Report:
        """What the checker of programs says of it."""
        arguments = self.arguments = self._arguments()
        if isinstance(self.subject, AutogradFunction):
            self._write_function(self.subject, arguments)
        else:
            assert isinstance(self.subject, Pair)
            self._write_pair(self.subject, arguments)
        statements = [*self.definitions.statements, *self.statements]
        if self.of_arrays:
            self.machine.follow_arrays()
        halves, closed = frozenset({"forward", "backward"}), frozenset(self._closed())
        source = Source(None, statements, halves=halves, closed=closed, shared=frozenset({"ctx"}))
        return check_source(source, self.machine, loss=f"{OURS}loss", strict=False)

    def _closed(self) -> Iterator[str]:
        """The names that the backward half has no access to: arguments, results, and the first call's own names."""
        yield from self.arguments.values()
        yield from (n for s in self.statements for n in uses(s.node).binds if n.startswith(OURS))
        for node in (s.node for s in self.definitions.statements if s.node.name == "forward"):
            names = {a.arg for a in node.args.args}.union(*(uses(part).binds for part in node.body))
            yield from (f"{name}{DOT}0" for name in names)

    def _say(self, line: str) -> None:
        self.statements.append(Statement(ast.parse(line).body[0], line, Place(SYNTHETIC, 0), line))

    def _say_returned(self, line: str) -> None:
        """Add a line that stands where the backward function returns."""
        number, (node, file) = self.subject.returns, self.subject.definition
        if node is None or not number:
            self._say(line)
            return
        text, code = linecache.getline(file, number).strip(), "\n" * (number - 1) + line
        self.statements.append(Statement(ast.parse(code).body[0], text, Place(file, number), code, role="entry"))

    # --- what is passed --------------------------------------------------------------------------------------------

    def _arguments(self) -> dict[tuple[Any, ...], str]:
        """The text of each argument, by its path; a container is made of what it holds."""
        by_path = {one.paths[0]: one for one in self.subject.inputs}
        texts = {}
        for parameter, key, path, _ in self.subject.world.passed:
            name = self._free(parameter if key is None else f"{parameter}_{key}")
            where, at = path
            value = (self.given.args if where == "args" else self.given.kwargs)[at]
            if path in by_path:
                self._keep(by_path[path], name, value)
            elif isinstance(value, list | tuple | dict) and any(p[:2] == path for p in by_path):
                self._say(f"{name} = {self._container(value, path, name, by_path)}")
            else:
                self.namespace[name] = value
            texts[path] = name
        return texts

    def _keep(self, one: Input, name: str, value: Any) -> None:
        self.names[one] = name
        self.namespace[name] = value

    def _free(self, name: str) -> str:
        name = re.sub(r"\W", "_", name)
        while name in self.namespace or name in ("forward", "backward"):
            name += "_"
        return name

    def _container(self, value: Any, path: tuple[Any, ...], name: str, by_path: dict[tuple[Any, ...], Input]) -> str:
        """The text of a list, tuple or dict with names in the places of its tensors."""
        texts = []
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            inner, at = self._free(f"{name}_{key}"), (*path, key)
            if isinstance(item, list | tuple | dict) and any(p[: len(at)] == at for p in by_path):
                texts.append(self._container(item, at, inner, by_path))
                continue
            if at in by_path:
                self._keep(by_path[at], inner, item)
            self.namespace[inner] = item
            texts.append(inner)
        return self._display(value, texts)

    def _display(self, value: Any, texts: list[str]) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key!r}: {text}" for key, text in zip(value, texts, strict=True)) + "}"
        if isinstance(value, list):
            return f"[{', '.join(texts)}]"
        inside = "".join(f"{text}, " for text in texts)
        if not hasattr(value, "_fields"):
            return f"({inside})"
        self.namespace[type(value).__name__] = type(value)
        return f"{type(value).__name__}({inside})"

    # --- the calls -------------------------------------------------------------------------------------------------

    def _write_pair(self, pair: Pair, arguments: dict[tuple[Any, ...], str]) -> None:
        objects = iter(self.given.world["held"])
        first, named, forward = self._opened(pair.forward, "forward", objects)
        texts = [t if path[0] == "args" else f"{path[1]}={t}" for path, t in arguments.items()]
        call = f"{forward}({', '.join([*first, *texts, *named])})"
        heads, kept = self._results(call, pair.result, pair.count)
        upstream = self._loss(heads, texts)
        rest = pair.parameters[len(heads) :]
        if pair.count is None:
            at_hand = {name: arguments[path] for name, key, path, _ in self.subject.world.passed if key is None}
            kept = [at_hand[name] for name in rest if name in at_hand]
        elif len(kept) > len(rest) > 0:
            kept = [f"({', '.join(kept)},)"]
        first, named, backward = self._opened(pair.backward, "backward", objects)
        self._take(f"{backward}({', '.join([*first, *upstream, *(kept if rest else []), *named])})", pair.returned)

    def _write_function(self, subject: AutogradFunction, arguments: dict[tuple[Any, ...], str]) -> None:
        kind = type("Context", (Context,), {"__module__": self.namespace["__name__"]})
        context = kind(tuple(is_float(value) for value in self.given.args))
        self.namespace["ctx"] = context
        function = subject.function
        context = [] if subject.separate else ["ctx"]
        first, _, forward = self._opened(function.forward, "forward", iter(()), context)
        given = list(arguments.values())
        call = f"{forward}({', '.join([*first, *given])})"
        result = subject.result
        heads, _ = self._results(call, result, len(result) if isinstance(result, tuple) else None)
        if subject.separate:
            first_of_setup, _, setup = self._opened(function.setup_context, "setup_context", iter(()), ["ctx"])
            made = f"({', '.join(text for text, _ in heads)},)" if isinstance(result, tuple) else heads[0][0]
            inputs = f"({''.join(f'{text}, ' for text in given)})"
            self._say(f"{setup}({', '.join([*first_of_setup, inputs, made])})")
        upstream = self._loss(heads, given)
        first, _, backward = self._opened(subject.backward, "backward", iter(()), ["ctx"])
        self._take(f"{backward}({', '.join([*first, *upstream])})", subject.returned)

    def _opened(
        self, function: Any, name: str, objects: Iterator[Any], owners: list[str] | None = None
    ) -> tuple[list[str], list[str], str]:
        """What a function is called with first, and by keyword, beside its arguments; and the name that it has here.

        What its first parameters are given, an object or the context, is known by the names of `owners` in both halves.
        """
        if isinstance(function, functools.partial):
            first, named, text = self._opened(function.func, name, objects)
            first += [self._held(next(objects)) for _ in function.args]
            return first, named + [f"{n}={self._held(next(objects))}" for n in function.keywords], text
        owners = owners or []
        if isinstance(function, MethodType):
            value = function.__self__ if isinstance(function.__self__, type) else next(objects)
            owners = [self._held(value, "cls" if isinstance(value, type) else "self"), *owners]
        elif is_object(function):
            return [], [], self._held(next(objects), "self")
        opened = self.definitions.add(function, name, owners)
        return (owners if opened is None else []), [], opened or name

    def _held(self, value: Any, name: str = "handgrad_held") -> str:
        """A name for a value that the functions bring along, the same for the same one."""
        known = (n for n, v in self.namespace.items() if v is value and n.startswith(name))
        name = next(known, None) or self._free(name)
        self.namespace[name] = value
        return name

    def _results(self, call: str, result: Any, count: int | None) -> tuple[list[tuple[str, Any]], list[str]]:
        """Take what the forward function returns apart: its outputs, and the names of what it keeps."""
        if count is None:
            self._say(f"{OURS}out = {call}")
            return [(f"{OURS}out", result)], []
        names = [f"{OURS}{'out' if i < count else 'kept'}{i}" for i in range(len(result))]
        self.words.update(zip(names, self._returned_names(len(result)), strict=True))
        self._say(f"{', '.join(names)}, = {call}")
        return list(zip(names[:count], result[:count], strict=True)), names[count:]

    def _returned_names(self, count: int) -> list[str]:
        """What the forward function calls what it returns."""
        node = self.definitions.statements[-1].node if self.definitions.statements else None
        ends = [end.value for end in returned_by(node)]
        parts = ends[0].elts if len(ends) == 1 and isinstance(ends[0], ast.Tuple) else []
        named = [part.id if isinstance(part, ast.Name) else f"output {i + 1}" for i, part in enumerate(parts)]
        return named if len(named) == count else [f"output {i + 1}" for i in range(count)]

    def _loss(self, heads: list[tuple[str, Any]], arguments: list[str]) -> list[str]:
        """The weighted sum of all outputs, or of the reference's, and the texts of their gradients, in the same
        structure.
        """
        outputs: list[tuple[str, Tensor]] = []
        texts = [self._upstream(text, value, outputs) for text, value in heads]
        drawn = RANDOM([value.detach() for _, value in outputs])
        if (reference := self.verdict.options.reference) is not None:
            made = reference(*self.given.args, **self.given.kwargs)
            opened = self.definitions.add(reference, "reference", []) if isinstance(reference, FunctionType) else None
            call = f"{opened or self._held(reference)}({', '.join(arguments)})"
            self._say(f"{OURS}reference = {call}" + ("" if isinstance(made, tuple) else ","))
        for i, (text, _) in enumerate(outputs):
            source = text if reference is None else f"{OURS}reference[{i}]"
            self.namespace[f"{OURS}upstream{i}"] = drawn[i]
            self._say(f"{OURS}y{i} = {source}.{self.copy}()")
            word = self._upstream_word(text, heads)
            self.words |= {f"{OURS}y{i}": "the output", f"d{OURS}y{i}": word, f"{OURS}upstream{i}": word}
        terms = (f"({OURS}y{i} * {OURS}upstream{i}).sum()" for i in range(len(outputs)))
        self._say(f"{OURS}loss = {' + '.join(terms)}")
        for i in range(len(outputs)):
            self._say(f"d{OURS}y{i} = {OURS}upstream{i}.{self.copy}()")
        return texts

    def _upstream_word(self, text: str, heads: list[tuple[str, Any]]) -> str:
        """What the backward function calls the gradient of an output."""
        parameters = self.subject.upstream_names
        i = next(i for i, (head, _) in enumerate(heads) if text == head or text.startswith(f"{head}["))
        return (parameters[i] if i < len(parameters) else "the upstream gradient") + text[len(heads[i][0]) :]

    def _upstream(self, text: str, value: Any, outputs: list[tuple[str, Tensor]]) -> str:
        if isinstance(value, dict | list | tuple):
            keys = list(value) if isinstance(value, dict) else range(len(value))
            return self._display(value, [self._upstream(f"{text}[{key!r}]", value[key], outputs) for key in keys])
        if is_differentiable(value):
            outputs.append((text, value if isinstance(value, Tensor) else torch.from_numpy(value)))
            return f"d{OURS}y{len(outputs) - 1}"
        return f"{text}.new_zeros({text}.shape)" if isinstance(value, Tensor) else "None"

    def _take(self, call: str, returned: Any) -> None:
        """Give each input's gradient what is returned for it."""
        texts = mapped(returned, lambda one, text: None if one is None else text, f"{OURS}returned")
        found = self.subject.matched(texts)
        found = {one: text for one, text in found.items() if one in self.names and text is not None}
        places = {text: f"d{self.names[one]}" for one, text in found.items()}
        parts = [f"{OURS}returned[{i}]" for i in range(len(returned))] if isinstance(returned, tuple | list) else []
        if parts and set(places) <= set(parts):
            names = [places.get(part, f"{OURS}rest{i}") for i, part in enumerate(parts)]
            self._say_returned(f"{', '.join(names)}, = {call}")
            return
        if list(places) == [f"{OURS}returned"]:
            self._say_returned(f"{places[f'{OURS}returned']} = {call}")
            return
        self._say_returned(f"{OURS}returned = {call}")
        for text, name in places.items():
            self._say_returned(f"{name} = {text}")
