"""What the forward function is given: every float tensor or array in it, named, and fresh copies of it all."""

import copy
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import MethodType
from typing import Any

import torch
from torch import Tensor

from handgrad.checker.read.names import variables_of
from handgrad.checker.run.values import attribute_of, attributes, callable_module, copy_values, is_array, is_object

DEEPEST = 3


@dataclass(frozen=True, eq=False)
class Input:
    """A float tensor or array that the forward function computes with: where it lies, and what it is called.

    `key` is its key in a container; of a `held` one, an attribute of an object, the gradient is stored, not returned.
    """

    text: str
    parameter: str
    key: Any
    paths: tuple[tuple[Any, ...], ...]
    value: Tensor
    array: bool = False
    held: bool = False

    @property
    def name(self) -> str:
        """Its own name, without those of what holds it."""
        return self.parameter if self.key is None else str(self.key)

    @property
    def gradient(self) -> str:
        """What its gradient is called."""
        return f"d{self.text}" if self.text.isidentifier() else f"the gradient of {self.text}"

    def is_called(self, label: object) -> bool:
        """Whether its gradient may go by this name."""
        return label == self.name or self.name in variables_of(str(label))


@dataclass
class Given:
    """One copy of all that is passed, and the tensors in it that stand for the inputs."""

    world: dict[str, Any]
    leaves: dict[Input, Tensor]

    @property
    def args(self) -> list[Any]:
        """The positional arguments."""
        return self.world["args"]

    @property
    def kwargs(self) -> dict[str, Any]:
        """The keyword arguments."""
        return self.world["kwargs"]

    def at(self, one: Input) -> Any:
        """What is passed for an input."""
        return at(self.world, one.paths[0])


class World:
    """All that the two functions are called with, and what they are bound to."""

    def __init__(self, signature: inspect.Signature, functions: list[Callable], args: tuple, kwargs: dict[str, Any]):
        """Find the inputs; `functions` may be methods, partial or objects."""
        found = [value for function in functions for value in held(function)]
        marked = {id(value): _marked(value) for value in found}
        self.held = [marked[id(value)] for value in found]
        self.values = {"args": list(args), "kwargs": dict(kwargs), "held": self.held}
        self.passed = list(_passed(signature, args, kwargs))
        self.inputs = [one for place in self.passed for one in _found(*place)]
        self.objects = [one for one in _held_inputs(self.held) if not any(one.value is i.value for i in self.inputs)]

    def fresh(self, values: dict[Input, Tensor] | None = None, *, double: bool = True, track: bool = False) -> Given:
        """A copy, in float64 or as it is, with other values for some inputs; with `track` autograd follows them."""

        def widened(tensor: Tensor, dtype: torch.dtype | None = None) -> Tensor:
            dtype = dtype or tensor.dtype
            return tensor.detach().clone().to(_wide(dtype) if double else dtype)

        world, leaves = copy_values(self.values, widened), {}
        for one in [*self.inputs, *self.objects]:
            value = widened((values or {}).get(one, one.value), one.value.dtype)
            leaf = leaves[one] = value.requires_grad_(track and not one.array)
            passed = leaf.detach().numpy().copy() if one.array else leaf.clone()
            for path in one.paths:
                world = _with(world, path, passed)
        return Given(world, leaves)


def held(function: Any) -> list[Any]:
    """The objects and values that a callable brings along."""
    if isinstance(function, functools.partial):
        return [*held(function.func), *function.args, *function.keywords.values()]
    if isinstance(function, MethodType):
        return [] if isinstance(function.__self__, type) else [function.__self__]
    return [function] if _is_callable_object(function) else []


def rebound(function: Any, values: Iterator[Any]) -> Callable:
    """The same callable with other objects and values, in the order of `held`."""
    if isinstance(function, functools.partial):
        inner = rebound(function.func, values)
        args = [next(values) for _ in function.args]
        return functools.partial(inner, *args, **{name: next(values) for name in function.keywords})
    if isinstance(function, MethodType) and not isinstance(function.__self__, type):
        return MethodType(function.__func__, next(values))
    return next(values) if _is_callable_object(function) else function


def _is_callable_object(function: Any) -> bool:
    return (
        is_object(function) and callable(function) and not isinstance(function, type | functools.partial | MethodType)
    )


def _marked(value: Any) -> Any:
    """A copy of an object of the user's that is copied again for each run, also where it holds no floats yet."""
    if not is_object(value) or not hasattr(value, "__dict__") or isinstance(value, torch.Generator):
        return value
    marked = copy.copy(value)
    vars(marked)["handgrad_copies"] = True
    return marked


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.complex128 if dtype.is_complex else torch.float64 if dtype.is_floating_point else dtype


def is_differentiable(value: Any) -> bool:
    """Whether the value is a tensor or an array with real or complex floats."""
    if isinstance(value, Tensor):
        return value.is_floating_point() or value.is_complex()
    return is_array(value)


def _passed(
    signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[tuple[str, Any, tuple[Any, ...], Any]]:
    """The arguments, in order: each with its parameter, its key among those of a starred one, and its path."""
    position = 0
    for name, value in signature.bind(*args, **kwargs).arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            for i, item in enumerate(value):
                yield name, i, ("args", position + i), item
        elif kind is inspect.Parameter.VAR_KEYWORD:
            for key, item in value.items():
                yield name, key, ("kwargs", key), item
        elif name in kwargs:
            yield name, None, ("kwargs", name), value
        else:
            yield name, None, ("args", position), value
            position += 1


def _found(parameter: str, key: Any, path: tuple[Any, ...], value: Any, depth: int = 2) -> Iterator[Input]:
    """The inputs in one argument."""
    text = parameter if key is None else f"{parameter}[{key!r}]"
    if is_differentiable(value):
        yield _input(text, parameter, key, (path,), value)
    elif isinstance(value, list | tuple | dict) and depth:
        for inner, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _found(text if key is not None else parameter, inner, (*path, inner), item, depth - 1)


def _input(text: str, parameter: str, key: Any, paths: tuple, value: Any, in_object: bool = False) -> Input:
    array = not isinstance(value, Tensor)
    return Input(text, parameter, key, paths, torch.from_numpy(value) if array else value, array, in_object)


def _held_inputs(values: list[Any]) -> Iterator[Input]:
    """What lies in the objects and values that the functions bring along, each once."""
    found: dict[int, tuple[str, Any, list[tuple[Any, ...]]]] = {}

    def walk(text: str, path: tuple[Any, ...], value: Any, depth: int) -> None:
        if is_differentiable(value):
            found.setdefault(id(value), (text, value, []))[2].append(path)
        elif depth == 0 or callable_module(value) or isinstance(value, type | str | int | float | Tensor):
            return
        elif isinstance(value, list | tuple | dict):
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                walk(f"{text}[{key!r}]", (*path, key), item, depth - 1)
        elif is_object(value):
            for key, item in attributes(value).items():
                of_module = item.items() if key in ("_parameters", "_buffers", "_modules") else ()
                for name, part in of_module:
                    walk(f"{text}.{name}", (*path, f".{key}", name), part, depth - 1)
                if not of_module:
                    walk(f"{text}.{key}", (*path, f".{key}"), item, depth - 1)

    for i, value in enumerate(values):
        walk("self" if is_object(value) else "held", ("held", i), value, DEEPEST)
    for text, value, paths in found.values():
        yield _input(text, text, None, tuple(paths), value, True)


def mapped(value: Any, convert: Callable[[Any, str], Any], text: str = "") -> Any:
    """A structure of lists, tuples and dicts with each item converted, given it and the text that takes it out."""
    if isinstance(value, dict):
        return {key: mapped(item, convert, f"{text}[{key!r}]") for key, item in value.items()}
    if isinstance(value, tuple | list):
        items = [mapped(item, convert, f"{text}[{i}]") for i, item in enumerate(value)]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return convert(value, text)


def at(value: Any, path: Iterable[Any]) -> Any:
    """What lies at a path; a key that begins with a dot is an attribute's."""
    for key in path:
        inside = str(key).startswith(".") and not isinstance(value, dict)
        value = attribute_of(value, key[1:]) if inside else value[key]
    return value


def _with(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The value with another at a path; lists, dicts and objects are changed, tuples made anew."""
    if not path:
        return new
    key, *rest = path
    if isinstance(value, tuple):
        items = [_with(item, tuple(rest), new) if i == key else item for i, item in enumerate(value)]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(key, str) and key.startswith(".") and not isinstance(value, dict):
        object.__setattr__(value, key[1:], _with(getattr(value, key[1:]), tuple(rest), new))
    else:
        value[key] = _with(value[key], tuple(rest), new)
    return value
