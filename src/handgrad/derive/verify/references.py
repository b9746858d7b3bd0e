"""What the gradients of a program are, at its own values and at fresh ones, by means that derive nothing.

A PyTorch program is differentiated by autograd, a NumPy program by central differences along random directions.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from handgrad.derive.read.calls import is_array
from handgrad.derive.read.program import Program
from handgrad.derive.verify.layout import Layout, as_numpy, like
from handgrad.derive.verify.running import Forward, copied, quietly, reseed
from handgrad.derive.verify.search import other_sizes
from handgrad.derive.verify.sizes import Sizes
from handgrad.derive.verify.truths import Elements, Slopes, Truth
from handgrad.errors import DeriveError

DIRECTIONS = 2
STEP = 2e-4
USUAL = 1e3
"""Elements larger than so many times what most are, such as the -1e9 of a mask, are moved no farther than these."""


@dataclass(frozen=True)
class Reference:
    """The right gradients at some values.

    `own` says that these are the program's; `sizes` gives the shape of each array and each number that is a size;
    `fixed` are sizes that the program's lines keep from being others; `kept` are names whose values keep a sign, a
    range or a sum; `before` and `values` are those above and below the forward pass; `unchecked` are the variables that
    have no reference.
    """

    own: bool
    sizes: Mapping[str, tuple[int, ...]]
    fixed: tuple[int, ...]
    kept: tuple[str, ...]
    before: Mapping[str, Any]
    values: Mapping[str, Any]
    cotangent: Any
    gradients: Mapping[str, Truth]
    unchecked: Mapping[str, str]


def references(program: Program, *, kinds: bool = False) -> tuple[Reference, ...]:
    """The right gradients at the program's own values, and at fresh ones of two assignments of other sizes.

    Args:
        program: the forward pass.
        kinds: whether fresh values keep what could be seen in the program's: that all are positive, that rows sum to
            one. Where it is left out they do so only where the lines have no finite values otherwise.
    """
    return tuple(_references(program, kinds))


def _references(program: Program, kinds: bool) -> Iterator[Reference]:
    with quietly():
        forward = Forward(program)
        layout = Layout(forward)
        found = other_sizes(forward, layout)
        yield _reference(forward, forward.start(), Sizes({}, ()), (), 0, own=True)
        sizes = found or [Sizes({}, tuple(dict.fromkeys(s.size for n in forward.given for s in layout.slots[n])))]
        kept = tuple(layout.constrained()) if kinds else _needed(forward, layout, sizes[0])
        for seed, some in enumerate((sizes[0], sizes[0], sizes[-1]), start=1):
            values = _finite(forward, layout, some, seed, kept)
            if values is not None:
                yield _reference(forward, values, some, kept, seed, own=False)


def reference_at(program: Program, values: Mapping[str, Any]) -> Reference:
    """The right gradients at given values.

    Args:
        program: the forward pass.
        values: what some names are before it; the others are as in the program.
    """
    with quietly():
        return _reference(Forward(program), {**program.before, **values}, Sizes({}, ()), (), 0, own=False)


def _fresh(forward: Forward, layout: Layout, sizes: Sizes, seed: int, kept: tuple[str, ...]) -> dict[str, Any]:
    values = dict(forward.program.before)
    for i, name in enumerate(forward.given):
        values[name] = layout.value(name, sizes.placed, np.random.default_rng([seed, i]), kept)
    return values


def _finite(
    forward: Forward, layout: Layout, sizes: Sizes, seed: int, kept: tuple[str, ...], tries: int = 8
) -> dict[str, Any] | None:
    """Fresh values for which the lines have finite results; None where none are found."""
    for attempt in range(tries):
        values = _fresh(forward, layout, sizes, seed + 100 * attempt, kept)
        run = {name: copied(value) if name in layout.slots else value for name, value in values.items()}
        reseed(seed)
        if forward.run(run) is None and _is_finite(forward, run):
            return values
    return None


def _is_finite(forward: Forward, values: Mapping[str, Any]) -> bool:
    made = {name for step in forward.steps for name in step.makes}
    arrays = [as_numpy(values[name]) for name in made if is_array(values.get(name))]
    output = values.get(forward.program.output)
    return bool(np.isfinite(as_numpy(output)).all()) and not any(
        np.isnan(a).any() for a in arrays if a.dtype.kind == "f"
    )


def _needed(forward: Forward, layout: Layout, sizes: Sizes) -> tuple[str, ...]:
    """The names whose values have to keep their sign, range or sum, for the lines to have finite results."""
    kept = layout.constrained()
    if not kept or _finite(forward, layout, sizes, 0, (), tries=1) is not None:
        return ()
    for name in list(kept):
        fewer = tuple(k for k in kept if k != name)
        if _finite(forward, layout, sizes, 0, fewer, tries=2) is not None:
            kept.remove(name)
    return tuple(kept)


def _reference(
    forward: Forward, values: dict[str, Any], sizes: Sizes, kept: tuple[str, ...], seed: int, *, own: bool
) -> Reference:
    program = forward.program
    start = {name: copied(values[name]) for name in forward.given}
    shapes = {name: tuple(value.shape) for name, value in start.items() if is_array(value)}
    shapes |= {name: (value,) for name, value in start.items() if type(value) is int}
    below = {**values, **{name: copied(value) for name, value in start.items()}}
    reseed(seed)
    failure = forward.run(below)
    if failure is not None:
        step = program.lines[failure.step]
        raise DeriveError(f"the line does not run again: {failure.error}", where=f"line {step.number}: {step.text}")
    output = below[program.output]
    random = np.random.default_rng([seed, 1 << 20])
    cotangent = like(np.asarray(random.normal(size=np.shape(output)) if np.ndim(output) else 1.0), output)
    differentiate = by_differences if program.library == "numpy" else by_autograd
    gradients, unchecked = differentiate(forward, {**values, **start}, cotangent, seed)
    return Reference(own, shapes, sizes.fixed, kept, values, below, cotangent, gradients, unchecked)


def rounding(program: Program, reference: Reference) -> Mapping[str, np.ndarray]:
    """How much the gradients change where the inputs change by what rounding comes to.

    Args:
        program: the forward pass, in PyTorch.
        reference: the gradients.
    """
    forward, random = Forward(program), np.random.default_rng(0)
    values = dict(reference.before)
    for name in forward.given:
        values[name] = copied(values[name])
        if name in program.inputs:
            array = as_numpy(values[name])
            values[name] = like(array * (1 + 4e-16 * random.choice([-1.0, 1.0], array.shape)), values[name])
    moved, _ = by_autograd(forward, values, reference.cotangent, 0)
    both = [(name, moved[name], truth) for name, truth in reference.gradients.items() if name in moved]
    return {n: np.abs(a.values - b.values) for n, a, b in both if isinstance(a, Elements) and isinstance(b, Elements)}


def by_autograd(
    forward: Forward, values: dict[str, Any], cotangent: Any, seed: int
) -> tuple[dict[str, Truth], dict[str, str]]:
    """The gradients of all inputs and of all that the lines make, by PyTorch's autograd.

    Args:
        forward: the lines.
        values: what each name is before them; changed.
        cotangent: the gradient of the output.
        seed: for what the lines draw.
    """
    import torch

    found: dict[str, torch.Tensor] = {}
    named: set[int] = set()
    with torch.enable_grad():
        for name in forward.program.inputs:
            found[name] = values[name].detach().clone().requires_grad_()
            values[name] = found[name].clone()
            named.add(id(values[name]))

    def between(k: int) -> None:
        for name in forward.steps[k - 1].makes if k else ():
            value = values.get(name)
            if isinstance(value, torch.Tensor) and value.requires_grad and value.is_floating_point():
                if id(value) in named:
                    value = values[name] = value.clone()
                named.add(id(value))
                found[name] = value

    reseed(seed)
    with torch.enable_grad():
        failure = forward.run(values, before=between)
        if failure is not None:
            raise failure.error
        between(len(forward.steps))
        output = values[forward.program.output]
        if not (isinstance(output, torch.Tensor) and output.requires_grad):
            return {name: Elements(np.zeros(value.shape)) for name, value in found.items()}, {}
        # A cotangent given to grad() would import sympy.
        gradients = torch.autograd.grad((output * cotangent).sum(), list(found.values()), allow_unused=True)
    arrays = (
        np.zeros(value.shape) if g is None else g.detach().numpy()
        for value, g in zip(found.values(), gradients, strict=True)
    )
    return {name: Elements(array) for name, array in zip(found, arrays, strict=True)}, {}


def by_differences(
    forward: Forward, values: dict[str, Any], cotangent: Any, seed: int
) -> tuple[dict[str, Truth], dict[str, str]]:
    """The slopes of the output along random directions of all inputs and of all that the lines make.

    Args:
        forward: the lines.
        values: what each name is before them.
        cotangent: the gradient of the output.
        seed: for what the lines draw, and the directions.
    """
    places = [(name, 0) for name in forward.program.inputs]
    snapshots: list[dict[str, Any]] = []

    def keep(_: int) -> None:
        snapshots.append({name: copied(value) if name in changing else value for name, value in values.items()})

    changing = {name for step in forward.steps for name in step.makes} | {*forward.given}
    reseed(seed)
    forward.run(values, before=keep)
    keep(0)
    for k, step in enumerate(forward.steps, start=1):
        places += [(name, k) for name in step.makes]
    found: dict[str, Truth] = {}
    unchecked: dict[str, str] = {}
    for i, (name, k) in enumerate(places):
        value = snapshots[k].get(name)
        if is_array(value) and np.asarray(value).dtype.kind == "f":
            slopes = _slopes(forward, snapshots[k], name, k, cotangent, np.random.default_rng([seed, i]))
            if slopes is None:
                unchecked[name] = "the output is not smooth here"
            else:
                found[name] = slopes
    return found, unchecked


def _slopes(
    forward: Forward, start: Mapping[str, Any], name: str, k: int, cotangent: Any, random: np.random.Generator
) -> Slopes | None:
    """Slopes along directions; None where two step lengths never agree."""
    given = np.asarray(start[name])
    output = forward.program.output

    def at(distance: float) -> float:
        values = {n: copied(v) if is_array(v) or isinstance(v, list | dict) else v for n, v in start.items()}
        values[name] = like(given + distance * direction, start[name])
        reseed(k)
        failure = forward.run(values, begin=k)
        return np.nan if failure else float((np.asarray(values[output]) * cotangent).sum())

    scale = np.abs(given)
    scale = np.where(scale == 0, scale.mean() or 1.0, scale)
    scale = np.minimum(scale, USUAL * np.quantile(scale, 0.25) if scale.size else 0)
    scale = scale / (np.sqrt(np.square(scale).sum()) or 1.0)
    found: list[tuple[np.ndarray, float, float]] = []
    for attempt in range(4 * DIRECTIONS):
        step = STEP * 10.0 ** -(attempt // DIRECTIONS)
        direction = random.normal(size=given.shape) * scale
        near, middle, far = ((at(d) - at(-d)) / (2 * d) for d in (step, 2 * step, 4 * step))
        one, other = (4 * near - middle) / 3, (4 * middle - far) / 3
        if abs(near - middle) <= 1e-4 * max(abs(near), abs(middle), 1e-9):
            found.append((direction, one, 4 * abs(one - other)))
        if len(found) == DIRECTIONS:
            directions, slopes, unsure = zip(*found, strict=True)
            return Slopes(given.shape, directions, slopes, unsure)
    return None
