"""Which whole numbers of a program are sizes of tensors, and which are only as large as one."""

from torch import Tensor

from handgrad.checker.run.trace import Trace


def is_size(trace: Trace, name: str) -> bool:
    """Whether a number is read off a tensor, or tensors are made with it, under this name or another that it has."""
    steps = [step for region in trace.regions for step in region.steps if not step.backward]
    related, known = {name}, set()
    while related != known:
        known = set(related)
        for step in steps:
            numbers = {n for n in step.binds if type(step.after.get(n)) is int}
            related |= step.reads if numbers & related else numbers if step.reads & related else set()
    made = [step.after.get(n) for step in steps if step.reads & related for n in step.writes]
    held = [region.start.get(n) for region in trace.regions for n in related]
    last = [step.after.get(n) for step in steps for n in step.writes & related]
    return any(isinstance(value, Tensor) for value in [*made, *held, *last])
