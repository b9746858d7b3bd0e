"""The backward pass line by line, each line with the chain rule that it follows."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from handgrad.derive.backward import GradientLine
from handgrad.derive.derivative import form_of
from handgrad.derive.emit.formula import Formula
from handgrad.derive.emit.letters import Letters
from handgrad.derive.emit.notation import Notation
from handgrad.derive.emit.places import Places
from handgrad.derive.explain.equations import Share, shares
from handgrad.derive.explain.explanation import Use
from handgrad.derive.explain.truth import Truths
from handgrad.derive.expr import Expr
from handgrad.derive.lines import lines_backward
from handgrad.derive.lower import lower
from handgrad.derive.lower.graph import Graph
from handgrad.derive.read.program import Line, Program
from handgrad.derive.sweep import gradient_name
from handgrad.derive.wording.search import tree
from handgrad.derive.wording.words import Words


@dataclass(frozen=True)
class Rule:
    """What one forward line gives to the gradient of a variable; `first` where nothing was given before."""

    left: Formula
    formula: Formula
    first: bool


@dataclass(frozen=True)
class LineRules:
    """A forward line, the chain rule through it, and the source that undoes it; no rules where it has no formula."""

    line: Use
    rules: tuple[Rule, ...]
    source: str


@dataclass(frozen=True)
class LineByLine:
    """The backward pass of a program, line by line; `difference` is how far a gradient is from autograd's at most."""

    lines: tuple[LineRules, ...]
    judge: str
    difference: float

    def markdown(self) -> str:
        """The lines as Markdown, their formulas as GitHub shows them."""
        from handgrad.derive.explain.markdown import GITHUB, line_by_line

        return line_by_line(self, GITHUB)

    def text(self) -> str:
        """The lines as plain text, for a terminal."""
        from handgrad.derive.explain.text import line_by_line

        return line_by_line(self)

    def __str__(self) -> str:
        """The lines as plain text."""
        return self.text()

    def _repr_markdown_(self) -> str:
        from handgrad.derive.explain.markdown import NOTEBOOK, line_by_line

        return line_by_line(self, NOTEBOOK)


def explain_lines(program: Program) -> LineByLine:
    """The backward pass line by line: each forward line, the chain rule through it, and the source that undoes it.

    Args:
        program: the forward pass.

    Raises:
        DeriveError: no rule covers a call in a line, or a gradient is not autograd's.

    Example:
        >>> import torch
        >>> from handgrad.derive.read.statements import read_program
        >>> program = read_program("y = a * b\\nz = y.exp()", {"a": torch.ones(3), "b": torch.ones(3) * 2})
        >>> print(explain_lines(program))
        line 2: z = y.exp()
            dyᵢ = zᵢ · dzᵢ
            dy = z * dz
        <BLANKLINE>
        line 1: y = a * b
            daᵢ = bᵢ · dyᵢ
            dbᵢ = aᵢ · dyᵢ
            da = b * dy
            db = a * dy
        <BLANKLINE>
        ✓ as autograd, exactly
        <BLANKLINE>
    """
    written = lines_backward(program)
    graph = lower(program)
    known = {} if program.output in graph.errors else shares(graph, program.output)
    known = {name: given for name, given in known.items() if graph.definitions[name].function != "unknown"}
    truths = Truths(graph, program.output)
    off = max((_checked(graph, truths, name, given) for name, given in known.items()), default=0.0)
    lines = tuple(_lines(graph, written.lines, known))
    return LineByLine(lines, "the slopes that were measured" if truths.measured else "autograd", off)


def _checked(graph: Graph, truths: Truths, name: str, given: list[Share]) -> float:
    total = Expr()
    for share in given:
        total = total + share.expr
    return truths.check(name, form_of(graph, name), tree(Words(graph, phrases={}), total))


def _lines(graph: Graph, source: tuple[GradientLine, ...], known: dict[str, list[Share]]) -> Iterator[LineRules]:
    """The lines from the last to the first, those that undo one forward line together."""
    notation = Notation(Words(graph, phrases={}), Places(graph, Letters(graph, graph.program.output)))
    notation.gradients = {gradient_name(graph, name) for name in (*known, graph.program.output)}
    begun: set[str] = set()
    for line in dict.fromkeys(made.undoes for made in source):
        if line is None:
            continue
        users = line.targets if isinstance(line, Line) else ()
        mine = [made for made in source if made.undoes is line]
        order = {made.gradient: k for k, made in reversed(list(enumerate(mine)))}
        names = sorted(known, key=lambda name: order.get(gradient_name(graph, name), len(order)))
        rules = tuple(_rules(notation, users, {name: known[name] for name in names}, begun))
        yield LineRules(Use(line.number, line.text), rules, "\n".join(made.source for made in mine))


def _rules(
    notation: Notation, users: Collection[str], known: Mapping[str, list[Share]], begun: set[str]
) -> Iterator[Rule]:
    """What the makers of some variables give to each of the others."""
    graph = notation.graph
    for name, given in known.items():
        for share in given:
            if share.user not in users:
                continue
            letters = notation.letters.of(name)
            left = notation.variable(gradient_name(graph, name), form_of(graph, name), letters)
            yield Rule(left, notation.tree(tree(notation.words, share.expr), letters), name not in begun)
            begun.add(name)
