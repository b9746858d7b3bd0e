"""Gradients that a backward pass does not return but stores in its object: `self.dW`, `self.grads`, `W.grad`."""

import ast
import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from handgrad.checker.faces.functions.inputs import Input, at, is_differentiable
from handgrad.checker.read.names import gradient_of
from handgrad.checker.read.spelling import is_dict_of_gradients
from handgrad.checker.run.values import attributes, is_object


class Stored:
    """The gradients in the objects of one run, emptied before it, so that adding to them and replacing them is one."""

    def __init__(self, objects: list[Any], inputs: list[Input]):
        """Empty what the objects hold; `inputs` are the tensors in them that the forward pass may use."""
        self.objects, self.inputs = objects, inputs
        for _, value in self._gradients():
            value.zero_()

    def found(self) -> dict[Input, Tensor]:
        """The gradient of each input that one was stored for."""
        return {one: value for one, value in self._gradients() if bool(value.any())}

    def _gradients(self) -> Iterator[tuple[Input, Tensor]]:
        for one in self.inputs:
            for path in one.paths:
                *holder, last = path
                value = at({"held": self.objects}, holder)
                if (found := self._beside(value, last, holder)) is not None:
                    yield one, found if isinstance(found, Tensor) else torch.from_numpy(found)
                    break
            else:
                own = at({"held": self.objects}, one.paths[0])
                if isinstance(own, Tensor) and own.grad is not None:
                    yield one, own.grad

    def _beside(self, holder: Any, key: Any, path: list[Any]) -> Any:
        """What is stored beside a tensor under the name of its gradient, or in a container of gradients."""
        if isinstance(holder, dict) and path[-1:] == ["._parameters"]:
            return None
        if is_object(holder) and not isinstance(holder, dict | list | tuple):
            held, name = attributes(holder), str(key)[1:]
            named = [n for n in held if n != name and is_differentiable(held[n]) and gradient_of(n, {name}) == name]
            inside = [c for n, c in held.items() if is_dict_of_gradients(n) and isinstance(c, dict)]
            kept = [c[k] for c in inside for k in c if k == name or gradient_of(str(k), {name}) == name]
            return next((held[n] for n in named), next(filter(is_differentiable, kept), None))
        if len(path) < 2 or not str(path[-1]).startswith("."):
            return None
        owner, mine = attributes(at({"held": self.objects}, path[:-1])), path[-1][1:]
        for name, other in owner.items():
            partner = name != mine and (is_dict_of_gradients(name) or gradient_of(name, {mine}) == mine)
            if not partner or type(other) is not type(holder):
                continue
            if isinstance(other, list | tuple) and len(other) == len(holder) and is_differentiable(other[key]):
                return other[key]
            if isinstance(other, dict):
                keys = [k for k in other if k == key or gradient_of(str(k), {str(key)}) == str(key)]
                if keys and is_differentiable(other[keys[0]]):
                    return other[keys[0]]
        return None


def stored_at(node: ast.AST | None, one: Input) -> int | None:
    """The one line of a backward function that stores the gradient of a tensor in its object, as it is spelled."""
    stores = (part for part in ast.walk(node) if isinstance(part, ast.Assign | ast.AugAssign)) if node else ()
    names = re.findall(r"[a-zA-Z_]\w*", one.text)[1:]
    lines = []
    for store in stores:
        for target in store.targets if isinstance(store, ast.Assign) else [store.target]:
            words = re.findall(r"[a-zA-Z_]\w*", ast.unparse(target))[1:]
            if any(is_dict_of_gradients(word) or gradient_of(word, names) for word in words):
                lines.append(store.lineno)
    return lines[0] if len(lines) == 1 else None
