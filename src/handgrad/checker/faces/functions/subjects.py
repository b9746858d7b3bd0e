"""The user's own code, called as training calls it: a pair of functions, an autograd.Function, a custom operator."""

import ast
import functools
import inspect
import linecache
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from handgrad.checker.faces.functions.definitions import definition_of, files_of, returned_by, signature_of
from handgrad.checker.faces.functions.inputs import Given, Input, World, is_differentiable
from handgrad.checker.guard import CheckError
from handgrad.checker.run.values import is_float

_COUNTS = re.compile(r"returned an incorrect number of gradients \(expected (\d+), got (\d+)\)")


class Refused(Exception):  # noqa: N818 - no failure of the checker's own
    """What is told as a fault: Python and PyTorch would take it, and training could not go on from it."""


@dataclass
class Ran:
    """A forward pass that was run, its float outputs in order, and its backward pass as a function of their gradients.

    An upstream gradient that is None belongs to an output that nothing uses.
    """

    outputs: list[Tensor]
    pull: Callable[[list[Tensor | None]], dict[Input, Any]]


class Subject:
    """A forward and a backward pass with what they are called with.

    `whole` calls both as training does, `plain` the forward pass alone, under autograd where that is on.
    """

    name: str
    world: World
    backward: Any
    files: tuple[str, ...]
    engine = False
    """Whether PyTorch's own engine calls the backward pass."""

    def run(self, given: Given, wanted: set[Input] | None = None) -> Ran:
        """Run the user's code; only the inputs `wanted` need a gradient."""
        raise NotImplementedError

    def matched(self, returned: Any) -> dict[Input, Any]:
        """Each input's gradient among what the backward pass returned."""
        raise NotImplementedError

    def outputs(self, given: Given) -> list[Tensor]:
        """The float outputs of the forward pass alone."""
        raise NotImplementedError

    @functools.cached_property
    def definition(self) -> tuple[ast.FunctionDef | None, str]:
        """The syntax tree of the backward function, at its own line numbers, and its file."""
        return definition_of(self.backward)

    @property
    def returns(self) -> int | None:
        """The line on which the backward function returns, or begins where it returns on several."""
        node, _ = self.definition
        ends = returned_by(node)
        return ends[0].lineno if len(ends) == 1 else getattr(node, "lineno", None)

    @property
    def upstream_names(self) -> list[str]:
        """What the backward function calls the gradients that it is given, and what follows them."""
        return required(signature_of(self.backward))[int(self.engine) :]

    def names_what_it_returns(self, one: Input) -> bool:
        """Whether a variable, and no literal None, is returned in the place of an input's gradient."""
        place = [i for i, (_, _, path, _) in enumerate(self.world.passed) if path == one.paths[0]]
        parts = [end.value.elts for end in returned_by(self.definition[0]) if isinstance(end.value, ast.Tuple)]
        return bool(place) and any(isinstance(part[i], ast.Name) for part in parts for i in place if i < len(part))

    def line_in(self, error: BaseException) -> int | None:
        """The last line of the two functions' files that an exception came from, or the one line it is about."""
        frames = [(f.f_code.co_filename, n) for f, n in traceback.walk_tb(error.__traceback__)]
        line = next((n for file, n in reversed(frames) if file in self.files), None)
        return line or self._line_of(str(error).split(" ")[0]) or (self.returns if self.engine else None)

    def _line_of(self, word: str) -> int | None:
        lines = [
            n
            for file in self.files
            for n, text in enumerate(linecache.getlines(file), 1)
            if "_" in word and word in text
        ]
        return lines[0] if len(lines) == 1 else None

    @property
    def inputs(self) -> list[Input]:
        """The inputs among the arguments."""
        return self.world.inputs

    def needs_something(self) -> None:
        """Refuse to check what has no float among its inputs."""
        if not self.inputs and not self.world.objects:
            values = [value for *_, value in self.world.passed]
            kinds = {str(v.dtype) if isinstance(v, Tensor) else type(v).__name__ for v in values}
            raise CheckError(
                "there is nothing to differentiate",
                got=", ".join(sorted(kinds)) or "no arguments",
                expected="at least one torch tensor of real floats, or a NumPy array of them",
                where=self.name,
            )


class AutogradFunction(Subject):
    """A `torch.autograd.Function`, with PyTorch's own context and engine."""

    engine = True

    def __init__(self, function: type[torch.autograd.Function], args: tuple, kwargs: dict[str, Any]):
        """Find the inputs."""
        base = torch.autograd.Function
        own = {name: getattr(function, name) for name in ("backward", "vjp")}
        written = [name for name, value in own.items() if value is not getattr(base, name)]
        if not written:
            raise CheckError("there is no backward to check", where=function.__name__)
        self.name, self.function, self.kind = function.__name__, function, written[0]
        self.separate = function.setup_context is not base.setup_context
        signature = signature_of(function.forward)
        if not self.separate:
            named = list(signature.parameters.values())
            starred = bool(named) and named[0].kind is inspect.Parameter.VAR_POSITIONAL
            signature = signature.replace(parameters=named if starred else named[1:])
        fits(signature, args, kwargs, self.name)
        if kwargs:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            args = bound.args
        self.world = World(signature, [], args, {})
        self.world.inputs = [one for one in self.world.inputs if len(one.paths[0]) == 2 and not one.array]
        self.backward = own[self.kind]
        self.files = files_of(function.forward, self.backward)
        self.returned: Any = None
        self.result: Any = None
        self.needs_something()

    def run(self, given: Given, wanted: set[Input] | None = None) -> Ran:
        """Call `apply`; its backward pass is called by the engine."""
        leaves = {one: given.leaves[one] for one in self.inputs}
        for one, leaf in leaves.items():
            leaf.requires_grad_(wanted is None or one in wanted)
            given.args[one.paths[0][1]] = leaf.clone()
        followed = [one for one in self.inputs if leaves[one].requires_grad]
        self.result = result = self._recording().apply(*given.args)
        made = self._made(result)

        def pull(upstreams: list[Tensor | None]) -> dict[Input, Any]:
            pairs = [(o, u) for o, u in zip(made, upstreams, strict=True) if u is not None and o.requires_grad]
            if not pairs:
                return dict.fromkeys(followed)
            outs, ups = zip(*pairs, strict=True)
            twice = any(u.requires_grad for u in ups)
            inputs = [leaves[one] for one in followed]
            try:
                found = torch.autograd.grad(outs, inputs, ups, allow_unused=True, create_graph=twice)
            except RuntimeError as error:
                if counts := _COUNTS.search(str(error)):  # of an operator, whose metadata counts as an argument
                    self._refuse_count(int(counts[2]) - 1)
                if "returned an invalid gradient" not in str(error):
                    raise
                return self.matched(self.returned)  # whose shapes tell what the engine refuses
            return dict(zip(followed, found, strict=True))

        return Ran(made, pull)

    def matched(self, returned: Any) -> dict[Input, Any]:
        """Each input's gradient among what the backward half returned."""
        values = returned if isinstance(returned, tuple | list) else [returned]
        return {one: values[i] for one in self.inputs if (i := one.paths[0][1]) < len(values)}

    def outputs(self, given: Given) -> list[Tensor]:
        """The outputs of the forward half, outside of `apply`, so that autograd follows what it does."""
        context = FunctionCtx()
        needed = tuple(is_float(value) for value in given.args)
        vars(context)["needs_input_grad"] = needed
        halves = () if self.separate else (context,)
        return self._made(self.function.forward(*halves, *given.args))

    def _made(self, result: Any) -> list[Tensor]:
        if isinstance(result, list | dict):
            raise CheckError(
                "forward returns what autograd does not look into",
                got=type(result).__name__,
                expected="a tensor or a tuple of tensors",
                where=self.name,
            )
        return [t for t in (result if isinstance(result, tuple) else (result,)) if is_differentiable(t)]

    def _refuse_count(self, count: int) -> None:
        raise Refused(
            f"the number of gradients returned is {count}; expected {len(self.world.passed)}, "
            "one for each argument of forward, None where there is none."
        )

    def _recording(self) -> Any:
        """The same function, which keeps what its backward half returns before the engine sums or refuses it."""
        half = getattr(self.function, self.kind)

        def recorded(ctx: Any, *upstreams: Any) -> Any:
            found = half(ctx, *upstreams)
            self.returned, returned = found, found if isinstance(found, tuple) else (found,)
            wanted, extra = len(self.world.passed), returned[len(self.world.passed) :]
            if len(returned) < wanted or any(value is not None for value in extra):
                self._refuse_count(len(returned))
            return found

        return type(self.name, (self.function,), {self.kind: staticmethod(recorded)})


class Operator(AutogradFunction):
    """An operator made by `torch.library.custom_op`, with what `register_autograd` was given."""

    def __init__(self, operator: Any, args: tuple, kwargs: dict[str, Any]):
        """Find the inputs."""
        backward, setup = operator._backward_fn, operator._setup_context_fn
        self.name, self.operator = operator._name, operator
        if backward is None:
            raise CheckError("there is no backward to check", where=self.name, next_step="Call register_autograd.")
        members = {"forward": staticmethod(operator._init_fn), "backward": staticmethod(backward)}
        members["setup_context"] = staticmethod(setup or (lambda ctx, inputs, output: None))  # noqa: ARG005
        super().__init__(type("Operator", (torch.autograd.Function,), members), args, kwargs)
        self.name = operator._name
        ends = returned_by(self.definition[0])
        single = len(self.world.passed) == 1 and not any(isinstance(end.value, ast.Tuple) for end in ends)
        self.returned = ... if single else (...,) * len(self.world.passed)

    def _recording(self) -> Any:
        """The operator, called as a Function is."""
        return type("Called", (), {"apply": self.operator})


def fits(signature: inspect.Signature, args: tuple, kwargs: dict[str, Any], where: str) -> None:
    """Whether a function can be called with these arguments.

    Raises:
        CheckError: it cannot.
    """
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        try:
            known = signature.bind_partial(*args, **kwargs).arguments
        except TypeError:
            raise CheckError(f"it cannot be called like this: {error}", where=where) from None
        missing = ", ".join(name for name in required(signature) if name not in known)
        raise CheckError(f"it also needs {missing}", where=where) from None


def required(signature: inspect.Signature) -> list[str]:
    """The parameters that have to be given."""
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in signature.parameters.values() if p.default is p.empty and p.kind not in optional]
