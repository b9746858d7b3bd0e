"""Build a derivation: the order of the steps, their forms, their reasons and their checks."""

import ast
from collections.abc import Iterator, Sequence
from functools import cached_property

from handgrad.derive.derivative import form_of
from handgrad.derive.emit.formula import Beside, Formula, Symbol, equal
from handgrad.derive.emit.layout import UnsayableError
from handgrad.derive.emit.letters import Letters
from handgrad.derive.emit.matrices import in_matrices
from handgrad.derive.emit.notation import Notation
from handgrad.derive.emit.places import Places
from handgrad.derive.emit.torch import assign
from handgrad.derive.explain.closing import written
from handgrad.derive.explain.equations import Equation, equations
from handgrad.derive.explain.explanation import Explanation, Prose, Quote, Stage, Step, Use
from handgrad.derive.explain.moves import Move, Moves, moves
from handgrad.derive.explain.notes import Notes
from handgrad.derive.explain.reasons import Reasons, listed
from handgrad.derive.explain.truth import Truths
from handgrad.derive.expr import Expr
from handgrad.derive.lower.graph import Graph
from handgrad.derive.read.program import Line
from handgrad.derive.shortest import eliminate
from handgrad.derive.simplify.normal import normal
from handgrad.derive.sweep import gradient_name
from handgrad.derive.wording.tree import Tree
from handgrad.derive.wording.words import Words


class Building:
    """One derivation while it is made."""

    def __init__(self, graph: Graph, end: str, targets: Sequence[str], given: Sequence[str], insides: Sequence[Line]):
        """Know the program, what is wanted, what is known; `insides` are lines that were made of parts of others."""
        self.graph, self.end, self.targets = graph, end, tuple(targets)
        self.given, self.insides = tuple(given), tuple(insides)
        self.words, self.literal = Words(graph), Words(graph, phrases={})
        self.equations = equations(graph, end, targets, given)
        places = Places(graph, Letters(graph, end))
        self.notation, self.plain = Notation(self.words, places), Notation(self.literal, places)
        gradients = {gradient_name(graph, name) for name in (*self.equations, *given, end)}
        self.notation.gradients = self.plain.gradients = gradients
        self.truths = Truths(graph, end)
        self.reasons, self.notes = Reasons(self.notation), Notes(self.notation)
        self.made: dict[str, Moves] = {}

    def explanation(self) -> Explanation:
        """All of it."""
        steps = tuple(self.step(equation) for equation in self.equations.values())
        judge = "the slopes that were measured" if self.truths.measured else "autograd"
        return Explanation(self.end, self.targets, tuple(self.opening()), steps, self.source(), judge)

    @cached_property
    def kept(self) -> set[str]:
        """The variables whose gradients keep their names in what follows; the targets are among them."""
        known = {name: normal(self.graph, equation.total) for name, equation in self.equations.items()}
        return set(eliminate(self.words, list(known), known, self.targets))

    def step(self, equation: Equation) -> Step:
        """The derivation of one gradient."""
        name, form = equation.name, form_of(self.graph, equation.name)
        names = self.notation.letters.of(name)
        known = {n: made for n, made in self.made.items() if n not in self.kept}
        made = moves(self.words, self.literal, equation, known)
        self.made[name] = made
        difference = self.truths.check(name, form, *(move.tree for move in made.forms))
        left = self.notation.variable(gradient_name(self.graph, name), form, names)
        stages = tuple(self._stages(made.forms, equation, names))
        uses = tuple(self.uses(equation))
        notes = tuple(self.notes.of(name, left, *(stage.formula for stage in stages)))
        gradient = gradient_name(self.graph, name)
        return Step(name, gradient, left, uses, stages, self._matrix(equation), notes, difference)

    def _stages(self, forms: Sequence[Move], equation: Equation, names) -> Iterator[Stage]:
        """The forms that differ, each with the reasons why it is equal to the one before."""
        shown: Formula | None = None
        seen: Tree | None = None
        reasons: list[Prose] = list(self.notes.slopes(equation))
        for k, (tree, put, facts) in enumerate(forms):
            formula = (self.plain if k == 0 else self.notation).tree(tree, names)
            reasons += self.reasons.facts(facts, names)
            if put:
                reasons.append(self.reasons.put(put))
            elif seen is not None:
                reasons += self.reasons.picked(seen, tree, names)
                reasons += self.reasons.definitions(seen, tree, [r.name for r in facts])
            if formula == shown:
                continue
            yield Stage(formula, tuple(dict.fromkeys(reasons)))
            shown, seen, reasons = formula, tree, []

    def uses(self, equation: Equation) -> Iterator[Use]:
        """The lines that use a variable on the way to the end, in their order."""
        lines = self.graph.program.lines
        users = {share.user for share in equation.shares} | set(equation.through)
        found = [line for line in lines if isinstance(line, Line) and users & set(line.targets)]
        yield from dict.fromkeys(Use(line.number, line.text) for line in found)

    def _matrix(self, equation: Equation) -> Formula | None:
        """The chain rule without indices, where it has such a form."""
        if pieces := equation.laid_beside():
            parts = tuple(Symbol(gradient_name(self.graph, name)) for name in pieces)
            return equal(Symbol(gradient_name(self.graph, equation.name)), Beside(parts))
        try:
            lines = self._source(equation.name, normal(self.graph, equation.total))
        except UnsayableError:
            return None
        values = self.graph.program.values
        numbers = {n for n, v in values.items() if isinstance(v, int | float) or getattr(v, "shape", None) == ()}
        return in_matrices(lines[0], numbers) if len(lines) == 1 else None

    def _source(self, name: str, expr: Expr) -> list[str]:
        return assign(self.words, gradient_name(self.graph, name), name, form_of(self.graph, name), expr)

    def source(self) -> str:
        """The result as PyTorch source."""
        order = [name for name in self.equations if name in self.kept]
        return written(self.words, order, {name: self.made[name].result for name in order})

    def opening(self) -> Iterator[Prose]:
        """The plan."""
        graph, end = self.graph, self.end
        known = [end] if graph.definitions[end].axes else list(self.given)
        if known:
            names = [Quote(gradient_name(graph, name)) for name in known]
            yield (*listed(names), " is given." if len(names) == 1 else " are given.")
        for line in self.insides:
            (name,) = line.targets
            if name in self.equations:
                yield (Quote(name), " stands for ", Quote(ast.unparse(line.value)), f" in line {line.number}.")
        if len(self.equations) > 1:
            order = [Quote(gradient_name(graph, name)) for name in self.equations]
            yield ("From ", Quote(end), " back through the lines: ", *listed(order), ".")
            yield ("Each is a sum, with a term for each line that uses the variable.",)
        named_ones = [Quote(gradient_name(graph, n)) for n in self.equations if n in self.kept - set(self.targets)]
        if named_ones:
            one = len(named_ones) == 1
            yield (*listed(named_ones), " keeps its name" if one else " keep their names", " in what follows.")
