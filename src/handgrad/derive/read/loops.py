"""Read `for` loops."""

import ast

from handgrad.derive.read import blocks, containers, expressions, targets
from handgrad.derive.read.reader import Reader
from handgrad.derive.read.terms import Term


def read_for(reader: Reader, node: ast.For) -> Term | None:
    """Read a loop; the value where it returns one."""
    return unrolled(reader, node)


def unrolled(reader: Reader, node: ast.For) -> Term | None:
    """A loop as the lines of all its rounds, one after the other."""
    for item in containers.items(reader, expressions.expression(reader, node.iter)):
        targets.bind(reader, node.target, item)
        try:
            found = blocks.block(reader, node.body)
        except blocks.LoopEnd as end:
            if end.stops:
                return None
            continue
        if found is not None:
            return found
        reader.frame.statement = node
    return blocks.block(reader, node.orelse)
