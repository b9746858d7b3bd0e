"""The registers of tapes, by number, and what is between them."""

from handgrad.engine.tape import Extent

ZERO, STEP, N_LEVELS, N_NODES, N_ROWS, N_TARGETS, START, STOP, START_ON, STOP_ON = range(10)
NODES = Extent(ZERO, N_NODES)
"""What is computed once, however often a minibatch has it: distinct beginnings of lines, or distinct contexts."""
TARGETS = Extent(ZERO, N_TARGETS)
LEVEL = Extent(START, STOP)
"""The nodes of a level of a tree, or those that are read."""
