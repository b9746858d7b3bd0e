"""The statements that together make one gradient, and what has to run to make it alone."""

import ast
import re
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from handgrad.checker.read.names import uses
from handgrad.checker.run.machine import UserError
from handgrad.checker.run.trace import Region, Step
from handgrad.checker.run.values import holds_float, is_float

_CLIPS = re.compile(r"\b(clip|clamp)")


@dataclass(frozen=True)
class Chain:
    """The statements that together make one gradient: its first assignment and what is added to it later.

    `skipped` says how many losses, and values that its variable had, it passes over before its own.
    """

    name: str
    variable: str
    region: Region = field(compare=False, repr=False)
    steps: tuple[Step, ...]
    skipped: int = 0

    def within(self, region: Region) -> "Chain":
        """The same statements as they are read in `region`."""
        steps = {step.index: step for step in region.steps}
        return replace(self, region=region, steps=tuple(steps[step.index] for step in self.steps))

    @property
    def last(self) -> Step:
        """The statement that finishes the gradient."""
        return self.steps[-1]

    @property
    def actual(self) -> Any:
        """What the user's own run made, less what was there of passes before."""
        made = self.last.after.get(self.name)
        before = self.region.start.get(self.name) if self.goes_on else None
        return made if made is None or before is None else made - before

    @property
    def goes_on(self) -> bool:
        """Whether it adds to what was made in passes before."""
        return self.name in self.region.begun & self.steps[0].reads

    @property
    def refused(self) -> UserError | None:
        """What PyTorch refuses because a tensor requires a gradient, whatever the line computes."""
        return next((s.error for s in self.steps if s.error and "requires grad" in s.error.message), None)


@dataclass
class Plan:
    """What has to run to make a gradient alone: its own statements and the temporaries they use."""

    chain: Chain
    steps: list[Step]
    gradients: set[str]
    shadowed: dict[str, Step]
    clean: bool = False


def chains_of(region: Region) -> list[Chain]:
    """The region's gradients, one chain a definition, in the order in which they were finished.

    A second definition starts a new chain where the first was read by another gradient, or where it answers a later
    forward statement or stands in a later cell; otherwise it overwrites the first, and both are one chain.
    """
    finished: list[Chain] = []
    latest: dict[str, Chain] = {}
    for step in region.steps:
        for name, variable in step.gradients.items():
            chain = latest.get(name)
            fresh = name in step.binds and name not in step.reads
            if chain is not None and fresh and _is_answered(chain, step):
                finished.append(chain)
                chain = None
            if chain is None:
                latest[name] = Chain(name, variable, region, (step,))
            else:
                begun = () if fresh and _only_begun(chain) else chain.steps
                latest[name] = replace(chain, steps=(*begun, step))
    return sorted([*finished, *latest.values()], key=lambda c: (c.last.index, c.steps[0].index))


def before_the_update(chain: Chain, decays: bool) -> Chain | None:
    """The chain without the clipping of the finished gradient, and with `decays` its weight decay; None without any."""
    steps = list(chain.steps)
    while len(steps) > 1 and (_clips(steps[-1], chain) or (decays and _decays(steps[-1], chain))):
        steps.pop()
    before = steps[-1].after.get(chain.name)
    unbegun = isinstance(before, Tensor) and not bool(before.any())
    return replace(chain, steps=tuple(steps)) if len(steps) < len(chain.steps) and not unbegun else None


def _clips(step: Step, chain: Chain) -> bool:
    """Whether a statement clips by its name, or uses a number that was computed from gradients, such as their norm."""
    norms: set[str] = set()
    for earlier in chain.region.steps[: chain.region.steps.index(step)]:
        norms = norms - earlier.writes | {n for n, v in earlier.after.items() if earlier.tainted and _is_number(v)}
    calls = [node for node in ast.walk(step.statement.node) if isinstance(node, ast.Call)]
    clipping = [call for call in calls if _CLIPS.search(ast.unparse(call.func).rpartition(".")[2])]
    whole = hasattr(step.statement.node, "body")
    return any(whole or chain.name in uses(call).reads for call in clipping) or bool(step.reads & norms)


def _decays(step: Step, chain: Chain) -> bool:
    """Whether a statement adds the variable, or a number times it, to its gradient."""
    node = step.statement.node
    added = node if isinstance(node, ast.AugAssign) else getattr(node, "value", None)
    if not (isinstance(added, ast.AugAssign | ast.BinOp) and isinstance(added.op, ast.Add)):
        return False
    term = added.value if isinstance(added, ast.AugAssign) else added.right
    factors = (term.left, term.right) if isinstance(term, ast.BinOp) and isinstance(term.op, ast.Mult) else (term,)
    known = dict(chain.region.start)
    for earlier in chain.region.steps[: chain.region.steps.index(step)]:
        known.update(earlier.after)
    others = [factor for factor in factors if getattr(factor, "id", None) != chain.variable]
    return len(others) < len(factors) and not any(holds_float(known.get(n)) for f in others for n in uses(f).reads)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, Tensor) and value.numel() == 1)


def _is_answered(chain: Chain, again: Step) -> bool:
    if _only_begun(chain):
        return False
    steps = chain.region.steps
    between = steps[steps.index(chain.last) + 1 : steps.index(again)]
    return chain.last.statement.place.cell != again.statement.place.cell or any(
        (chain.name in s.reads and s.gradients)
        or (not s.backward and not s.plain and any(is_float(v) for v in s.after.values()))
        for s in between
    )


def _only_begun(chain: Chain) -> bool:
    """Whether the chain is so far a stub, which a later assignment may replace."""
    return chain.actual is None or chain.actual is ...


def plan_for(chain: Chain, loss_index: int = -1, clean: bool = False) -> Plan:
    """The statements to run for a gradient alone.

    With `clean`, a name of the forward pass that was used for something else after the loss is given its forward
    value again.
    """
    steps = chain.region.steps
    before_loss = set(chain.region.start) | {n for s in steps if s.index <= loss_index for n in s.writes}
    gradient_names = {n for s in steps for n in s.gradients}
    wanted: set[str] = set()
    kept: list[Step] = []
    shadowed: dict[str, Step] = {}
    for step in reversed(steps[: steps.index(chain.last) + 1]):
        if step in chain.steps:
            for name in (step.binds - set(step.gradients)) & wanted & before_loss:
                shadowed.setdefault(name, step)
            kept.append(step)
            wanted |= needed_by(step)
            continue
        temporary = (step.writes - gradient_names | step.turns) & wanted
        if step.index > loss_index:
            for name in temporary & before_loss:
                shadowed.setdefault(name, step)
        if not step.backward:
            continue
        if clean:
            temporary -= before_loss
        if temporary and (step.error is None or step.error.lacks(gradient_names)):
            kept.append(step)
            wanted -= step.binds - step.reads
            wanted |= needed_by(step)
    reads = set().union(*(s.reads for s in kept))
    return Plan(chain, kept[::-1], (reads & gradient_names) - {chain.name}, shadowed, clean)


def needed_by(step: Step) -> set[str]:
    """What a statement reads of what stands before it; a loop gives its counters their values itself."""
    return step.reads - step.statement.gives
