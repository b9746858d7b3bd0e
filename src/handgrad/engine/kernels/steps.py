"""The loop over the steps, itself a kernel."""

from handgrad.engine.compiling import compiled
from handgrad.engine.registers import N_LEVELS, N_ROWS, START, START_ON, STEP, STOP, STOP_ON
from handgrad.engine.tape import Integer, Registers, Vector, Words, kernel, run


@kernel
def take_steps(
    before: Words,
    level: Words,
    between: Words,
    back: Words,
    after: Words,
    registers: Registers,
    levels: Registers,
    rates: Vector,
    rate: Vector,
    loss: Vector,
    losses: Vector,
    start: Integer,
    stop: Integer,
):
    """Take some steps: run five tapes in turn, two of them for each level of the prefix tree.

    Args:
        before: the tape that is run first.
        level: that is run for each level, from the root on.
        between: that is run between.
        back: that is run for each level, from the leaves on.
        after: that is run last.
        registers: of the tapes.
        levels: the first node of each level, and how many nodes there are.
        rates: (steps,)
        rate: (1,), receives that of each step.
        loss: (1,), has that of each step when its tapes have been run.
        losses: (steps,), receives it.
        start: the first step.
        stop: behind the last.
    """
    for step in range(start, stop):
        registers[STEP], rate[0] = step, rates[step]
        run(before)
        n_levels = registers[N_LEVELS]
        for n in range(n_levels):
            _go_to(registers, levels, n)
            run(level)
        run(between)
        for n in range(n_levels - 1, -1, -1):
            _go_to(registers, levels, n)
            run(back)
        run(after)
        losses[step] = loss[0]


@compiled
def _go_to(registers, levels, n):
    registers[START], registers[STOP] = levels[n], levels[n + 1]
    registers[START_ON], registers[STOP_ON] = levels[n] + 1, min(levels[n + 1] + 1, registers[N_ROWS])
