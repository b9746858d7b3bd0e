"""What a gradient's name stands for, where it is not the gradient of the latest value of its variable all the way.

As in `dh = dlogits @ W2.T`, then `dh *= 1 - h**2`, and then `dW1 = x.T @ dh`. Which reading is meant is told by the
lines that use the name: the one that leaves the fewest of them wrong.
"""

import ast
from collections.abc import Iterator
from dataclasses import replace

from handgrad.checker.judge.blame import Judge, Judgement, was_right
from handgrad.checker.judge.interpretation import Interpretation
from handgrad.checker.read.spelling import DOT
from handgrad.checker.run.trace import Step
from handgrad.checker.run.values import is_float
from handgrad.checker.truth.chains import Chain
from handgrad.checker.truth.compare import agrees, as_tensor
from handgrad.checker.truth.passes import Forward, Value

DIFFERENT = 1e-2
"""Relative difference from which on a line run alone makes something else than it made in the user's own run."""


def reread(found: Interpretation) -> Interpretation:
    """The interpretation, each name of a wrong gradient read in the way that leaves the fewest lines wrong."""
    for name, first in [(judgement.chain.name, judgement.chain.steps[0]) for judgement in found.wrong]:
        judgement = next(j for j in found.judgements if (j.chain.name, j.chain.steps[0]) == (name, first))
        if any(other.fault and name in other.plan.gradients for other in found.judgements):
            readings = [*_of_earlier_values(found.judge, judgement.chain), *_turned(found.judge, judgement.chain)]
            others = [_read_as(found, judgement, judge, chain) for judge, chain in readings]
            found = min([found, *filter(None, others)], key=lambda one: len(one.wrong))
    found = _seeded(found)
    return replace(found, judgements=tuple(sorted(found.judgements, key=lambda j: j.chain.last.index)))


def _read_as(found: Interpretation, which: Judgement, judge: Judge, chain: Chain) -> Interpretation | None:
    """The interpretation with a gradient and its readers judged anew; None where one of them cannot be judged."""
    again = []
    for old in found.judgements:
        new = old.within(judge.region)
        if old is which:
            new = judge.judge_once(chain)
        elif chain.name in old.plan.gradients:
            new = judge.judge(new.chain)
        if new is None:
            return None
        judge = judge.knowing(new.chain)
        again.append(new)
    return found.under(judge, again)


def _turned(judge: Judge, chain: Chain) -> Iterator[tuple[Judge, Chain]]:
    """The name's last statements turn the gradient, once finished, into that of another variable."""
    for finished in range(1, len(chain.steps)):
        late = chain.steps[finished:]
        region = judge.region.without({chain.name}, late)
        region = region.taking(replace(s, turns=s.turns | {chain.name}) for s in region.steps if s in late)
        yield judge.under(region), replace(chain, steps=chain.steps[:finished]).within(region)


def _of_earlier_values(judge: Judge, chain: Chain) -> Iterator[tuple[Judge, Chain]]:
    """The name stands for a value that its variable had before, as `dh` in a pass with `h = torch.tanh(h)`."""
    for skipped in range(1, len(judge.truth.forward.versions(chain.variable))):
        other = replace(chain, skipped=skipped)
        yield judge.knowing(other), other


def _seeded(found: Interpretation) -> Interpretation:
    """The interpretation, a wrong tensor that several wrong lines begin with taken for the gradient it should be.

    As `d = F.softmax(logits, 1)` before `for layer in reversed(layers): d = layer.backward(d)`.
    """
    judge, forward = found.judge, found.judge.truth.forward
    behind = [_temporaries_behind(judge, judgement.chain) for judgement in found.wrong]
    within = set().union(*(forward.ancestors(loss) for loss in judge.truth.losses(forward)))
    for step in dict.fromkeys(step for steps in behind for step in steps if not step.statement.role):
        shared = [steps for steps in behind if step in steps]
        for name in sorted(step.writes) if len(shared) > 1 else ():
            writing = [s for s in reversed(shared[0]) if name in s.writes]
            loops = any(isinstance(s.statement.node, ast.For | ast.While) for s in writing)
            turns_it = name in writing[0].reads or loops
            if not is_float(made := step.after.get(name)) or step != writing[-1] or turns_it:
                continue
            for value in forward.values:
                variable = _latest_name(forward, value)
                if variable and value in within and value.leaf.shape == made.shape:
                    again = _with_seed(found, Chain(name, variable, judge.region, tuple(writing)))
                    if len(again.wrong) < len(found.wrong):
                        return again
    return found


def _with_seed(found: Interpretation, seed: Chain) -> Interpretation:
    """The interpretation with one more gradient, where that can be judged."""
    follow, changed = {seed.name}, []
    for step in found.region.steps:
        late = step.index > seed.last.index
        if step in seed.steps:
            step = replace(step, gradients={**step.gradients, seed.name: seed.variable})
        elif late and not step.gradients:
            step = replace(step, tainted=step.tainted or bool(step.reads & follow))
            follow = follow | step.writes if step.tainted else follow - step.binds
        if late and seed.name in step.writes - step.gradients.keys():
            step = replace(step, turns=step.turns | {seed.name})
        changed.append(step)
    judge = found.judge.under(found.region.taking(changed))
    first = judge.judge(seed.within(judge.region))
    if first is None:
        return found
    judge = judge.knowing(first.chain)
    again = [first]
    for old in found.judgements:
        kept = old.within(judge.region)
        again.append((judge.judge(kept.chain) if old in found.wrong else None) or kept)
        judge = judge.knowing(again[-1].chain)
    return found.under(judge, again)


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


def believing_the_run(found: Interpretation) -> Interpretation:
    """Acquit a line that made the right value of right ones in the user's own run, where running it alone fails.

    As a line that asks autograd, which has no graph when it is run alone.
    """
    right = found.right_in_the_run - {j.chain.name for j in found.judgements if not was_right(j)}
    return replace(found, judgements=tuple(_acquitted_by_the_run(j, right) for j in found.judgements))


def _acquitted_by_the_run(judgement: Judgement, right: set[str]) -> Judgement:
    chain, outcome = judgement.chain, judgement.outcome
    if judgement.fault != "wrong" or outcome is None or not {chain.name, *judgement.plan.gradients} <= right:
        return judgement
    alone, made = as_tensor(outcome.got, judgement.want), as_tensor(chain.actual, judgement.want)
    fails = outcome.error is not None and not any(step.error for step in chain.steps)
    differs = made is not None and not agrees(alone, made, 0.0, DIFFERENT)
    return replace(judgement, fault=None) if fails or differs else judgement
