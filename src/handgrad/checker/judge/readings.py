"""What a gradient's name stands for, where it is not the gradient of the latest value of its variable all the way.

As in `dh = dlogits @ W2.T`, then `dh *= 1 - h**2`, and then `dW1 = x.T @ dh`. Which reading is meant is told by the
lines that use the name: the one that leaves the fewest of them wrong.
"""

import ast
from collections.abc import Callable, Iterator

from handgrad.checker.judge.blame import Judge, Judgement, was_right
from handgrad.checker.read.spelling import DOT
from handgrad.checker.run.trace import Step
from handgrad.checker.run.values import is_float
from handgrad.checker.truth.chains import Chain
from handgrad.checker.truth.compare import agrees, as_tensor
from handgrad.checker.truth.reference import Forward, Value

DIFFERENT = 1e-2
"""Relative difference from which on a line run alone makes something else than it made in the user's own run."""
Judged = list[tuple[Chain, Judgement]]
_OF_LATER = ("wrong", "masked")


def reread(judge: Judge, judged: Judged) -> Judged:
    """The judgements, each name of a wrong gradient read in the way that leaves the fewest lines wrong."""
    for chain in [chain for chain, judgement in judged if judgement.fault in _OF_LATER]:
        affected = [chain, *(other for other, j in judged if j.fault and chain.name in j.plan.gradients)]
        if len(affected) > 1:
            judged = _best(judge, chain, judged)
    return sorted(_seeded(judge, judged), key=lambda pair: pair[0].last.index)


def _best(judge: Judge, chain: Chain, judged: Judged) -> Judged:
    """The same for one name."""
    best, chosen = judged, None
    for reading in [*_of_earlier_values(judge, chain), *_turned(chain)]:
        undo = reading()
        again = _judged_again(judge, chain, judged)
        undo()
        if again is not None and faults(again) < faults(best):
            best, chosen = again, reading
    if chosen is not None:
        chosen()
    judge.forget_small()
    return best


def _judged_again(judge: Judge, chain: Chain, judged: Judged) -> Judged | None:
    """The judgements with those of a gradient and of its readers made anew; None where one of them cannot be made."""
    judge.forget_small()
    found = []
    for other, old in judged:
        new = old
        if other is chain:
            new = judge.judge_once(chain)
        elif chain.name in old.plan.gradients:
            new = judge.judge(other)
        if new is None:
            return None
        found.append((other, new))
    return found


def faults(judged: Judged) -> int:
    """How many lines are wrong, here or in general."""
    return sum(judgement.fault in _OF_LATER for _, judgement in judged)


Reading = Callable[[], Callable[[], None]]
"""Takes a reading for the true one, and gives what takes it back."""


def _turned(chain: Chain) -> Iterator[Reading]:
    """The name's last statements turn the gradient, once finished, into that of another variable."""
    steps = chain.steps
    for finished in range(1, len(steps)):

        def take(finished=finished):
            before = [(step, step.gradients, step.tainted) for step in steps[finished:]]
            for step in steps[finished:]:
                step.gradients = {n: v for n, v in step.gradients.items() if n != chain.name}
                step.tainted = True
                step.turns.add(chain.name)
            chain.steps = steps[:finished]

            def undo():
                for step, gradients, tainted in before:
                    step.gradients, step.tainted = gradients, tainted
                    step.turns.discard(chain.name)
                chain.steps = steps

            return undo

        yield take


def _of_earlier_values(judge: Judge, chain: Chain) -> Iterator[Reading]:
    """The name stands for a value that its variable had before, as `dh` in a pass with `h = torch.tanh(h)`."""
    versions = len(judge.truth.forward.versions(chain.variable))
    for skipped in range(1, versions):

        def take(skipped=skipped):
            judge.truth.skipped[chain] = skipped

            def undo():
                judge.truth.skipped.pop(chain, None)

            return undo

        yield take


def _seeded(judge: Judge, judged: Judged) -> Judged:
    """The judgements, a wrong tensor that several wrong lines begin with taken for the gradient that it should be.

    As `d = F.softmax(logits, 1)` before `for layer in reversed(layers): d = layer.backward(d)`.
    """
    forward = judge.truth.forward
    behind = [_temporaries_behind(judge, chain) for chain, j in judged if j.fault in _OF_LATER]
    within = set().union(*(forward.ancestors(loss) for loss in judge.truth.losses(forward)))
    for step in dict.fromkeys(step for steps in behind for step in steps if not step.statement.role):
        shared = [steps for steps in behind if step in steps]
        for name in sorted(step.writes) if len(shared) > 1 else ():
            writing = [s for s in reversed(shared[0]) if name in s.writes]
            turns_it = any(isinstance(s.statement.node, ast.For | ast.While) for s in writing)
            if not is_float(made := step.after.get(name)) or step is not writing[-1] or turns_it:
                continue
            for value in forward.values:
                variable = _latest_name(forward, value)
                if variable and value in within and value.leaf.shape == made.shape:
                    again = _with_seed(judge, Chain(name, variable, judge.region, writing), judged)
                    if again is not None:
                        return again
    return judged


def _with_seed(judge: Judge, seed: Chain, judged: Judged) -> Judged | None:
    """The same with one more gradient; None, and nothing changed, where that does not make its readers right."""
    before = [(step, step.gradients, step.tainted, set(step.turns)) for step in judge.region.steps]
    follow = {seed.name}
    for step in judge.region.steps:
        if step in seed.steps:
            step.gradients = {**step.gradients, seed.name: seed.variable}
        elif step.index > seed.last.index and not step.gradients:
            step.tainted = step.tainted or bool(step.reads & follow)
            follow = follow | step.writes if step.tainted else follow - step.binds
        if step.index > seed.last.index and seed.name in step.writes - step.gradients.keys():
            step.turns.add(seed.name)
    judge.forget_small()
    first = judge.judge(seed)
    again = [(c, judge.judge(c) or j if j.fault in _OF_LATER else j) for c, j in judged]
    if first is not None and faults([(seed, first), *again]) < faults(judged):
        return [(seed, first), *again]
    for step, gradients, tainted, turns in before:
        step.gradients, step.tainted, step.turns = gradients, tainted, turns
    judge.forget_small()
    return None


def _temporaries_behind(judge: Judge, chain: Chain) -> list[Step]:
    """The statements after the loss that a gradient is made with and that make none themselves, the latest first."""
    loss, _ = judge.truth.located(chain)
    wanted = set().union(*(step.reads for step in chain.steps))
    found = []
    for step in reversed(judge.region.steps):
        if step.index < chain.steps[0].index and (loss.step is None or step.index > loss.step.index):
            if step.writes & wanted and not step.gradients:
                found.append(step)
                wanted = wanted - (step.binds - step.reads) | step.reads
            wanted -= set(step.gradients)
    return found


def _latest_name(forward: Forward, value: Value) -> str:
    """A name that stands for the value to the end, best one outside of functions, or an empty one."""
    names = sorted(value.names, key=lambda name: DOT in name)
    return next((name for name in names if forward.versions(name)[0] is value), "")


def believe_the_run(judged: Judged) -> None:
    """Acquit a line that made the right value of right ones in the user's own run, where running it alone fails.

    As a line that asks autograd, which has no graph when it is run alone.
    """
    right = {chain.name for chain, judgement in judged if was_right(chain, judgement)}
    right -= {chain.name for chain, judgement in judged if not was_right(chain, judgement)}
    for chain, judgement in judged:
        outcome = judgement.outcome
        if judgement.fault == "wrong" and outcome is not None and {chain.name, *judgement.plan.gradients} <= right:
            alone = as_tensor(outcome.got, judgement.want)
            made = as_tensor(chain.actual, judgement.want)
            fails = outcome.error is not None and not any(step.error for step in chain.steps)
            if fails or (made is not None and not agrees(alone, made, 0.0, DIFFERENT)):
                judgement.fault = None
