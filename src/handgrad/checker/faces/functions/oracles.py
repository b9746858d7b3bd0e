"""What is right: the vector-Jacobian products of a forward pass, by autograd, by a reference, or by differences."""

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from handgrad.checker.faces.functions.inputs import Given, Input
from handgrad.checker.faces.functions.subjects import Ran, Subject
from handgrad.checker.inspection import CheckError
from handgrad.checker.run.modes import InDouble
from handgrad.checker.run.randomness import Randomness
from handgrad.checker.truth.assumptions import differentiated
from handgrad.checker.truth.compare import DOUBLE_TOLERANCE, distance, same, size_of

MOST_ELEMENTS = 2048
"""Each element takes two calls of the forward pass."""
Values = dict[Input, Tensor]


class Laboratory:
    """Runs the subject under one set of conditions: the same random numbers, and one precision."""

    def __init__(self, subject: Subject, double: bool = True, wanted: set[Input] | None = None):
        """Remember the random generators; only the inputs `wanted` may need a gradient.

        `changed` is what the last backward pass changed in place although others own it, `lines` on which line.
        """
        self.subject, self.double, self.wanted = subject, double, wanted
        self.changed: str | None = None
        self.lines: list[int] = []
        self.generators = {str(i): v for i, v in enumerate(_generators(subject.world.values))}
        self.randomness = Randomness.now(self.generators)

    def in_own_precision(self) -> "Laboratory":
        """The same in the dtypes that are given."""
        return Laboratory(self.subject, double=False, wanted=self.wanted)

    @contextlib.contextmanager
    def conditions(self, track: bool) -> Iterator[None]:
        """Everything in float64 where that is asked for, and the random generators where they were."""
        self.randomness.restore(self.generators)
        default = torch.get_default_dtype()
        with torch.set_grad_enabled(track), contextlib.ExitStack() as stack:
            if self.double:
                torch.set_default_dtype(torch.float64)
                stack.enter_context(InDouble())
            try:
                yield
            finally:
                torch.set_default_dtype(default)

    def outputs(self, values: Values, function: Callable | None = None) -> list[Tensor]:
        """The float outputs for these values of the inputs, by the forward pass or another function."""
        with self.conditions(track=False):
            return [t.detach() for t in self._made(values, False, function)[0]]

    def traced(self, values: Values, function: Callable | None = None) -> tuple[list[Tensor], Values]:
        """The same under autograd, and the leaves that it can be differentiated by."""
        module = getattr(getattr(self.subject, "function", None), "__module__", "")
        with self.conditions(track=True), differentiated(module, set()):
            return self._made(values, True, function)

    def _made(self, values: Values, track: bool, function: Callable | None) -> tuple[list[Tensor], Values]:
        given = self.subject.world.fresh(values, double=self.double, track=track)
        if function is None:
            return self.subject.outputs(given), given.leaves
        made = function(*given.args, **given.kwargs)
        return [t for t in (made if isinstance(made, tuple) else (made,)) if isinstance(t, Tensor)], given.leaves

    def forward(self, values: Values, follow: bool = False) -> list[Input]:
        """Call the forward pass as training does; the inputs that it changes in place and does not return."""
        given = self.subject.world.fresh(values, double=self.double)

        def changed() -> list[Input]:
            inputs = [one for one in self.subject.inputs if not one.array]
            return [one for one in inputs if not same([given.at(one)], [given.leaves[one]])]

        following = _first_line(self.subject.files, changed) if follow else contextlib.nullcontext(self.lines)
        with self.conditions(track=True), following as self.lines:
            outputs = self.subject.run(given, self.wanted).outputs
        return [one for one in changed() if not any(given.at(one) is output for output in outputs)]

    def gradients(
        self,
        values: Values,
        upstream: Callable[[list[Tensor]], list[Tensor | None]],
        wanted: set[Input] | None = None,
        follow: bool = False,
    ) -> Values:
        """What the user's backward pass makes of the upstream gradients chosen for its outputs.

        To `follow` it line by line, for what it changes in place, takes time.
        """
        with self.conditions(track=True):
            given = self.subject.world.fresh(values, double=self.double)
            ran = self.subject.run(given, wanted or self.wanted)
            ups = upstream([t.detach() for t in ran.outputs])
            before = [(words, tensor, _copy(tensor)) for words, tensor in self._others(given, ran, ups)]

            def changed() -> str | None:
                return next((words for words, tensor, copy in before if not same([tensor], [copy])), None)

            with _first_line(self.subject.files, changed) if follow else contextlib.nullcontext(self.lines) as lines:
                found = ran.pull(ups)
            self.changed, self.lines = changed(), lines
            return found

    def _others(self, given: Given, ran: Ran, ups: list[Tensor | None]) -> Iterator[tuple[str, Tensor]]:
        """What a backward pass reads and others own; the gradient that a pair is given is its own."""
        for one in self.subject.inputs:
            value = given.at(one)
            yield one.text, value if isinstance(value, Tensor) else torch.from_numpy(value)
        yield from (("the output", output) for output in ran.outputs)
        yield from (("the upstream gradient", up) for up in ups if up is not None and self.subject.engine)


@contextlib.contextmanager
def _first_line(files: tuple[str, ...], holds: Callable[[], Any]) -> Iterator[list[int]]:
    """The first line of these files after which something holds."""
    found: list[int] = []
    before: list[int] = []

    def followed(frame: FrameType, _event: str, _argument: Any) -> Any:
        if frame.f_code.co_filename not in files or found:
            return None
        if before and holds():
            found.append(before[-1])
        before.append(frame.f_lineno)
        return followed

    tracing = sys.gettrace()
    sys.settrace(followed)
    try:
        yield found
    finally:
        sys.settrace(tracing)


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().clone()


class ByAutograd:
    """Through the forward pass, or through a reference function."""

    note: str | None = None

    def __init__(self, laboratory: Laboratory, values: Values, reference: Callable | None = None):
        """Run it once.

        Raises:
            NotFollowedError: autograd does not see through it.
        """
        self.tolerance, self.noise = (DOUBLE_TOLERANCE, 1e-11) if laboratory.double else (1e-4, 1e-6)
        with _modes_ignored():
            self.outputs, self.leaves = laboratory.traced(values, reference)
        if not any(t.requires_grad for t in self.outputs):
            raise NotFollowedError

    def gradients(self, upstreams: list[Tensor | None], create_graph: bool = False) -> Values:
        """The gradient of every input."""
        pairs = [(o, u) for o, u in zip(self.outputs, upstreams, strict=False) if u is not None and o.requires_grad]
        leaves = {one: leaf for one, leaf in self.leaves.items() if leaf.requires_grad}
        if not pairs:
            return {one: torch.zeros_like(leaf) for one, leaf in self.leaves.items()}
        outs, ups = zip(*((o, u.to(o.dtype)) for o, u in pairs), strict=True)
        try:
            found = torch.autograd.grad(
                outs, list(leaves.values()), ups, retain_graph=True, allow_unused=True, create_graph=create_graph
            )
        except RuntimeError as error:
            raise NotFollowedError from error
        made = dict(zip(leaves, found, strict=True))
        if all(gradient is None for gradient in found) and len(pairs) == len(self.outputs):
            raise NotFollowedError
        return {o: torch.zeros_like(leaf) if (g := made.get(o)) is None else g for o, leaf in self.leaves.items()}


class NotFollowedError(Exception):
    """Autograd does not see through a forward pass."""


class ByDifferences:
    """f'(x) v = (f(x + h v) - f(x - h v)) / 2h, an element of the inputs at a time; its error is of the order of h**2.

    Of a forward pass that computes in float32 inside, the step is longer, and the answer coarser.
    """

    def __init__(self, laboratory: Laboratory, values: Values, reference: Callable | None = None):
        """Find a step whose slopes agree with those of another.

        Raises:
            CheckError: none does, or there are too many elements.
        """
        self.laboratory, self.function = laboratory, reference
        inputs = [*laboratory.subject.inputs, *laboratory.subject.world.objects]
        self.values = {one: values.get(one, one.value).detach() for one in inputs}
        subject, size = laboratory.subject, sum(v.numel() for v in self.values.values())
        complex_ = any(v.is_complex() for v in self.values.values())
        kept = next((pair for pair in ((1e-5, 1e-6), (5e-3, 2e-2)) if self._is_smooth(*pair)), None)
        if size > MOST_ELEMENTS or complex_ or kept is None:
            got = f"{size} elements" if size > MOST_ELEMENTS else "complex numbers" if complex_ else None
            raise CheckError(
                "autograd cannot follow the forward function, nor can differences of its values",
                got=got,
                expected=f"torch operations, or a smooth function of at most {MOST_ELEMENTS} elements",
                where=subject.name,
                next_step="Give reference=fn, a function in PyTorch that computes the same.",
            )
        self.step, self.tolerance = kept
        self.noise = self.tolerance / 10
        self.note = (
            "autograd cannot follow the forward function, so that its derivative is taken by central differences."
        )
        if self.step > 1e-4:
            self.note += (
                f" It computes in float32, so that a difference below {self.tolerance:.0%} is not seen;"
                " reference=fn names a function in PyTorch that computes the same."
            )

    def gradients(self, upstreams: list[Tensor | None], create_graph: bool = False) -> Values:  # noqa: ARG002
        """The gradient of every input."""

        def pulled(column: list[Tensor]) -> float:
            return sum(float((c * u).sum()) for c, u in zip(column, upstreams, strict=False) if u is not None)

        made = {
            one: torch.tensor([*map(pulled, columns)], dtype=torch.float64) for one, columns in self._columns.items()
        }
        return {one: gradient.reshape(self.values[one].shape) for one, gradient in made.items()}

    @functools.cached_property
    def _columns(self) -> dict[Input, list[list[Tensor]]]:
        """Of each element of each input, how the outputs change with it."""
        found: dict[Input, list[list[Tensor]]] = {}
        for one, value in self.values.items():
            found[one] = []
            for i in range(value.numel()):
                direction = torch.zeros(value.numel(), dtype=torch.float64)
                direction[i] = max(1.0, abs(float(value.reshape(-1)[i])))
                slopes = self._slopes({one: direction.reshape(value.shape)}, self.step)
                found[one].append([s / direction[i] for s in slopes])
        return found

    def _slopes(self, directions: Values, step: float) -> list[Tensor]:
        ends = []
        for sign in (step, -step):
            moved = {one: self.values[one].double() + sign * d for one, d in directions.items()}
            ends.append(self.laboratory.outputs({**self.values, **moved}, self.function))
        return [(up.double() - down.double()) / (2 * step) for up, down in zip(*ends, strict=True)]

    def _is_smooth(self, step: float, tolerance: float) -> bool:
        """Whether steps of different lengths give the same slopes, which rounding in the function prevents."""
        generator = torch.Generator().manual_seed(5)
        directions = {
            one: torch.randn(v.shape, generator=generator, dtype=torch.float64) for one, v in self.values.items()
        }
        try:
            short, long = self._slopes(directions, step), self._slopes(directions, 4 * step)
        except Exception:
            return False
        largest = max([1.0, *map(size_of, short)])
        return all(distance(a, b)[0] <= tolerance * largest for a, b in zip(short, long, strict=True))


@contextlib.contextmanager
def _modes_ignored() -> Iterator[None]:
    """`torch.no_grad` inside of a forward pass does not keep autograd from following it."""
    kind = torch.no_grad
    enter = kind.__enter__
    kind.__enter__ = lambda self: setattr(self, "prev", torch.is_grad_enabled())
    try:
        yield
    finally:
        kind.__enter__ = enter


def _generators(value: Any, depth: int = 3) -> list[torch.Generator]:
    if isinstance(value, torch.Generator):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [g for item in items for g in (_generators(item, depth - 1) if depth else ())]
