"""The prefix tree of a minibatch of lines.

What a causal model makes of the beginning of a line depends on that beginning alone. So each distinct beginning among
the lines of a batch is a node, computed once, whose targets are all letters that follow it. That is exact.
"""

from typing import NamedTuple

import numpy as np

from handgrad.engine.compiling import compiled
from handgrad.engine.tape import IndexRows, Indices, Integer, Registers, Vector, Words, kernel

TOKENS, PARENTS, CHILDREN, SIBLINGS, DEPTHS, FIRSTS = range(6)


class Tree(NamedTuple):
    """Nodes in order of their depth; the root has read the boundary alone. Leaves, which none follows, come last.

    Args:
        levels: (depths + 1,) the first node of each depth, then the first leaf, and how many nodes there are.
        nodes: (6, nodes), of which the properties below are rows.
        counts: (nodes,) how many targets each has.
        places: (targets,) the node of each, in the order of the text.
    """

    levels: np.ndarray
    nodes: np.ndarray
    counts: np.ndarray
    places: np.ndarray

    @property
    def tokens(self) -> np.ndarray:
        """The token that each has read last."""
        return self.nodes[TOKENS]

    @property
    def parents(self) -> np.ndarray:
        """The row of the state before each: 0 for what lines begin with, the root's, else its parent's number and 1."""
        return self.nodes[PARENTS]

    @property
    def depths(self) -> np.ndarray:
        """How many letters each has read after the boundary."""
        return self.nodes[DEPTHS]

    @property
    def firsts(self) -> np.ndarray:
        """The first target of each, in the order of the text."""
        return self.nodes[FIRSTS]


def tree_for(n_targets: int) -> Tree:
    """Room for lines that have so many targets in all."""
    return Tree(
        levels=np.zeros(n_targets + 2, np.int64),
        nodes=np.zeros((FIRSTS + 1, n_targets), np.int32),
        counts=np.zeros(n_targets, np.float32),
        places=np.zeros(n_targets, np.int32),
    )


@kernel
def grow(
    sizes: Registers,
    levels: Registers,
    nodes: IndexRows,
    counts: Vector,
    places: Indices,
    text: Indices,
    starts: Words,
    n: Integer,
):
    """Grow the tree of the lines of a minibatch. The root counts as no leaf, even if all lines are empty.

    Args:
        sizes: (4,), receives how many levels there are, the leaves being the last; how many nodes; how many rows for
            what is before the root and all nodes that are no leaves; and how many targets.
        levels: of a `Tree`, as all that follow, with room for it.
        nodes: likewise.
        counts: likewise.
        places: likewise.
        text: tokens, flat.
        starts: (steps, N + 1) where each line starts in the text, and where the last one ends; each ends in 0.
        n: which of the steps.
    """
    begins, n_lines = starts[n], starts.shape[1] - 1
    levels[0], levels[1] = 0, 1
    first, n_nodes, depth, any_goes_on = begins[0], levels[1], 1, True
    for attribute in range(nodes.shape[0]):
        nodes[attribute, 0] = 0
    counts[0] = n_lines
    for line in range(n_lines):
        places[begins[line] - first] = 0
    while any_goes_on:
        any_goes_on = False
        for line in range(n_lines):
            now = begins[line] + depth
            if now + 1 < begins[line + 1]:
                any_goes_on = True
                n_nodes = _add(nodes, counts, places, n_nodes, now - first, text[now - 1])
        if any_goes_on:
            depth += 1
            levels[depth] = n_nodes
    sizes[0], sizes[2] = depth + 1, n_nodes + 1
    for line in range(n_lines):
        last = begins[line + 1] - 1
        if last > begins[line]:
            n_nodes = _add(nodes, counts, places, n_nodes, last - first, text[last - 1])
    levels[depth + 1] = sizes[1] = n_nodes
    sizes[3] = begins[n_lines] - first


@compiled
def _add(nodes, counts, places, n_nodes, place, token):
    """Find the node of a place, whose line has read that token last, or make it; return how many there are then.

    CHILDREN has the child of each node that was added last, SIBLINGS that of the same parent before; 0 is none.
    """
    parent = places[place - 1]
    node = nodes[CHILDREN, parent]
    while node and nodes[TOKENS, node] != token:
        node = nodes[SIBLINGS, node]
    if node == 0:
        node = np.int32(n_nodes)
        n_nodes += 1
        nodes[TOKENS, node], nodes[PARENTS, node], nodes[DEPTHS, node] = token, parent + 1, nodes[DEPTHS, parent] + 1
        nodes[CHILDREN, node], nodes[SIBLINGS, node], nodes[FIRSTS, node] = 0, nodes[CHILDREN, parent], place
        nodes[CHILDREN, parent], counts[node] = node, 0
    counts[node] += np.float32(1)
    nodes[FIRSTS, node] = min(nodes[FIRSTS, node], place)
    places[place] = node
    return n_nodes


@kernel
def read_targets(targets: Indices, text: Indices, starts: Words, n: Integer):
    """The tokens of the lines of a minibatch; the arguments as in `grow`."""
    first = starts[n, 0]
    for i in range(starts[n, -1] - first):
        targets[i] = text[first + i]
