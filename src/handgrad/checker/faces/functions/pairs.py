"""A forward and a backward function, called as their user does."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from handgrad.checker.faces.functions.definitions import called, files_of, plain, signature_of
from handgrad.checker.faces.functions.inputs import Given, Input, World, at, is_differentiable, mapped, rebound
from handgrad.checker.faces.functions.stored import Stored
from handgrad.checker.faces.functions.subjects import Ran, Refused, Subject, fits, required
from handgrad.checker.guard import CheckError
from handgrad.checker.read.names import gradient_of, variables_of
from handgrad.checker.run.values import is_object

_UPSTREAM = re.compile(r"(d|g|grad|up|delta)_?(out|output|stream)?s?_?\d*")


class Pair(Subject):
    """`out, cache = forward(*args)` and `grads = backward(dout, cache)`."""

    def __init__(self, forward: Callable, backward: Callable, args: tuple, kwargs: dict[str, Any]):
        """Find the inputs."""
        self.name = called(forward)
        self.forward, self.backward = forward, backward
        signature = signature_of(forward)
        fits(signature, args, kwargs, self.name)
        self.world = World(signature, [forward, backward], args, kwargs)
        self.files = files_of(forward, backward)
        self.local = {*signature.parameters, *getattr(getattr(plain(forward), "__code__", None), "co_varnames", ())}
        self.parameters = required(signature_of(backward))
        if not self.parameters:
            raise CheckError("the backward function takes no upstream gradient", where=called(backward))
        self.result: Any = None
        self.returned: Any = None
        self.count: int | None = None
        self.needs_something()

    def run(self, given: Given, wanted: set[Input] | None = None) -> Ran:  # noqa: ARG002 - it is asked for all
        """Call forward, then backward with what it kept."""
        values = iter(given.world["held"])
        forward, backward = rebound(self.forward, values), rebound(self.backward, values)
        self.result = result = forward(*given.args, **given.kwargs)
        heads, kept = self._split(result, given)
        stored = Stored(given.world["held"], self.world.objects)

        def pull(upstreams: list[Tensor | None]) -> dict[Input, Any]:
            remaining = iter(upstreams)
            ups = [_like(head, remaining) for head in heads]
            self.returned = returned = backward(*ups, *kept)
            return self.matched(returned) | stored.found()

        return Ran([tensor for head in heads for tensor in _tensors(head)], pull)

    def outputs(self, given: Given) -> list[Tensor]:
        """The outputs alone."""
        forward = rebound(self.forward, iter(given.world["held"]))
        heads, _ = self._split(forward(*given.args, **given.kwargs), given)
        return [tensor for head in heads for tensor in _tensors(head)]

    def _split(self, result: Any, given: Given) -> tuple[list[Any], list[Any]]:
        """The outputs, and what else the backward function is given."""
        count = self.count = self._count(result)
        if count is None:
            rest = self.parameters[1:]
            at_hand = {name: at(given.world, path) for name, key, path, _ in self.world.passed if key is None}
            if isinstance(result, tuple) and len(self.parameters) > 1 and len(result) == len(self.parameters):
                self.count = len(result)
                return list(result), []
            return [result], [at_hand[name] for name in rest if name in at_hand]
        rest, kept = self.parameters[count:], list(result[count:])
        if len(kept) > len(rest) > 0:
            kept = [tuple(kept)]
        return list(result[:count]), kept if rest else []

    def _count(self, result: Any) -> int | None:
        """How many of the things returned are outputs; None where the only thing is one, or all together are one."""
        if not isinstance(result, tuple):
            return None
        if len(self.parameters) == len(result):
            later = zip(self.parameters[1:], result[1:], strict=True)
            return 1 + next((i for i, one in enumerate(later) if not self._is_upstream(*one)), len(result) - 1)
        return None if len(self.parameters) == 1 and all(map(is_differentiable, result)) else 1

    def _is_upstream(self, parameter: str, value: Any) -> bool:
        """Whether a parameter of the backward function is spelled like the gradient of an output."""
        spelled = gradient_of(parameter, self.local) or _UPSTREAM.fullmatch(parameter)
        return bool(spelled) and parameter not in self.local and is_differentiable(value)

    def matched(self, returned: Any) -> dict[Input, Any]:
        """Each input's gradient among what the backward function returned."""
        labels: list[Any] = [None]
        values = [returned]
        if isinstance(returned, dict):
            labels, values = list(returned), list(returned.values())
        elif isinstance(returned, tuple | list):
            labels, values = list(getattr(returned, "_fields", [None] * len(returned))), list(returned)
        named = {one: values[i] for one in self.inputs for i, label in enumerate(labels) if one.is_called(label)}
        for one in self.inputs:
            for label, value in zip(labels, values, strict=True):
                of_container = label is not None and one.key is not None and one not in named
                if of_container and (label == one.parameter or one.parameter in variables_of(str(label))):
                    named[one] = _entry(value, one)
        if named:
            return named
        if returned is None:
            return {}
        return self._by_position(values)

    def _by_position(self, values: list[Any]) -> dict[Input, Any]:
        count = len(values)
        if count == len(self.inputs):
            return dict(zip(self.inputs, values, strict=True))
        fixed = [one for one in self.world.objects if one.text.startswith("held")]
        if count == len(self.inputs) + len(fixed):
            return dict(zip([*self.inputs, *fixed], values, strict=True))
        parameters = list(dict.fromkeys(one.parameter for one in self.inputs))
        positions = list(dict.fromkeys(name for name, _, _, value in self.world.passed if not is_object(value)))
        for names in (parameters, positions, [name for name, *_ in self.world.passed]):
            if count == len(names) or (
                names is not parameters and count > len(names) and not any(v is not None for v in values[len(names) :])
            ):
                order = {name: i for i, name in enumerate(names)}
                known = [one for one in self.inputs if one.parameter in order]
                return {one: _entry(values[order[one.parameter]], one) for one in known}
        expected = [one.text for one in self.inputs]
        wanted = f"{len(expected)}, one for each of {', '.join(expected)}"
        raise Refused(f"the number of gradients returned is {count}; expected {wanted}.")


def _tensors(value: Any) -> Iterator[Tensor]:
    """The float tensors of an output, in order; an array is given as one."""
    if isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)
    elif is_differentiable(value):
        yield value if isinstance(value, Tensor) else torch.from_numpy(np.ascontiguousarray(value))
    elif isinstance(value, np.floating):
        yield torch.as_tensor(value)


def _like(value: Any, upstreams: Iterator[Tensor | None]) -> Any:
    """The gradients of an output in its own structure; None for what has no gradient."""

    def gradient(item: Any, _text: str) -> Any:
        if not (is_differentiable(item) or isinstance(item, np.floating)):
            return torch.zeros_like(item) if isinstance(item, Tensor) else None
        upstream = next(upstreams)
        if upstream is None:
            upstream = torch.zeros_like(item if isinstance(item, Tensor) else torch.as_tensor(item))
        return upstream if isinstance(item, Tensor) else upstream.numpy()

    return mapped(value, gradient)


def _entry(value: Any, one: Input) -> Any:
    """The gradient of an entry in what is given for its container."""
    if one.key is None or not isinstance(value, dict | list | tuple):
        return value
    named = {key: item for key, item in value.items() if one.is_called(key)} if isinstance(value, dict) else {}
    if named:
        return next(iter(named.values()))
    return value[one.key] if not isinstance(value, dict) and isinstance(one.key, int) and one.key < len(value) else None
