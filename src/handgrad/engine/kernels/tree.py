"""The prefix tree of a minibatch of lines.

What a causal model makes of the beginning of a line depends on that beginning alone. So each distinct beginning among
the lines of a batch is a node, computed once, whose targets are all letters that follow it. That is exact.
"""

from typing import NamedTuple

import numpy as np

from handgrad.engine.compiling import compiled


class Tree(NamedTuple):
    """Nodes in order of their depth; the root has read the boundary alone. Leaves, which none follows, come last.

    Args:
        levels: (depths + 1,) the first node of each depth, then the first leaf, and how many nodes there are.
        tokens: (nodes, 1) the token that each has read last.
        parents: (nodes,) the row in which the state before each stands: 0 for what lines begin with, the root's, and
            else the number of its parent, and one more.
        children: (nodes,) the child added last; 0 for none, which is the root.
        siblings: (nodes,) the child of the same parent that was added before each; 0 for none.
        depths: (nodes,) how many letters each has read after the boundary.
        counts: (nodes,) how many targets each has.
        firsts: (nodes,) the first of them, in the order of the text.
        places: (targets,) the node of each, in the order of the text.
    """

    levels: np.ndarray
    tokens: np.ndarray
    parents: np.ndarray
    children: np.ndarray
    siblings: np.ndarray
    depths: np.ndarray
    counts: np.ndarray
    firsts: np.ndarray
    places: np.ndarray


def tree_for(n_targets: int) -> Tree:
    """Room for lines that have so many targets in all."""
    parents, children, siblings, depths, firsts, places = (np.zeros(n_targets, np.int32) for _ in range(6))
    levels, counts = np.zeros(n_targets + 2, np.int64), np.zeros(n_targets, np.float32)
    tokens = np.zeros((n_targets, 1), np.int32)
    return Tree(levels, tokens, parents, children, siblings, depths, counts, firsts, places)


@compiled
def grow(tree, text, starts):
    """Grow the tree of some lines.

    Args:
        tree: with room for it.
        text: tokens, flat.
        starts: where each line starts in the text, and where the last one ends; each ends in 0.

    Returns:
        How many levels there are, the leaves being the last. The root counts as no leaf, even if all lines are empty.
    """
    first, n_lines = starts[0], starts.size - 1
    tree.tokens[0, 0], tree.parents[0], tree.children[0], tree.counts[0] = 0, 0, 0, n_lines
    tree.depths[0], tree.firsts[0] = 0, 0
    for line in range(n_lines):
        tree.places[starts[line] - first] = 0
    tree.levels[0], tree.levels[1] = 0, 1
    n_nodes, depth, any_goes_on = 1, 1, True
    while any_goes_on:
        any_goes_on = False
        for line in range(n_lines):
            now = starts[line] + depth
            if now + 1 < starts[line + 1]:
                any_goes_on = True
                n_nodes = _add(tree, n_nodes, now - first, text[now - 1])
        if any_goes_on:
            depth += 1
            tree.levels[depth] = n_nodes
    for line in range(n_lines):
        last = starts[line + 1] - 1
        if last > starts[line]:
            n_nodes = _add(tree, n_nodes, last - first, text[last - 1])
    tree.levels[depth + 1] = n_nodes
    return depth + 1


@compiled
def _add(tree, n_nodes, place, token):
    """Find the node of a place, whose line has read that token last, or make it; return how many there are then."""
    parent = tree.places[place - 1]
    node = tree.children[parent]
    while node and tree.tokens[node, 0] != token:
        node = tree.siblings[node]
    if node == 0:
        node = np.int32(n_nodes)
        n_nodes += 1
        tree.tokens[node, 0], tree.parents[node] = token, parent + 1
        tree.children[node], tree.siblings[node] = 0, tree.children[parent]
        tree.counts[node], tree.children[parent] = 0, node
        tree.depths[node], tree.firsts[node] = tree.depths[parent] + 1, place
    tree.firsts[node] = min(tree.firsts[node], place)
    tree.counts[node] += np.float32(1)
    tree.places[place] = node
    return n_nodes
