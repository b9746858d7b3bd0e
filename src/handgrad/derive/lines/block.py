"""Undo lines one after the other, from the last to the first."""

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from handgrad.derive.lines.broadcast import summed
from handgrad.derive.lines.naming import Gradients
from handgrad.derive.lines.running import example_like, shape_of
from handgrad.derive.lines.scope import Scope
from handgrad.derive.lines.sending import Sending
from handgrad.derive.lines.sizes import Sizes
from handgrad.derive.lines.steps import GRADIENT, Round, Step, Term, gradient_of, named
from handgrad.derive.lines.temporaries import settled
from handgrad.derive.lines.terms import parsed, variable
from handgrad.derive.read.keeping import place_of
from handgrad.derive.read.program import Line, Loop, Store, Stored
from handgrad.derive.read.steps import names_in, names_made
from handgrad.derive.rules import UncoveredError
from handgrad.errors import DeriveError

NEXT = "Write it with other functions, or take a part of the program without this line (--from, --to)."

Done = tuple[Line | Loop | Store, Step | Round]
"""A step, or a loop, of a backward pass, and what it undoes."""


class Block:
    """Lines that are undone, in the program or in a round of a loop.

    Attributes:
        scope: what their names are.
        sizes: the sizes of these.
        gradients: the names of gradients and temporaries.
        examples: an example of each gradient that there is.
        loops: the loops in whose rounds the lines are, the innermost last.
        below: the program, its loops keeping what undoing them reads.
        steps: what was done so far.
    """

    def __init__(
        self, scope: Scope, sizes: Sizes, gradients: Gradients, examples: dict[str, Any], loops: tuple[Loop, ...] = ()
    ):
        """See the class."""
        self.scope, self.sizes, self.gradients, self.examples, self.loops = scope, sizes, gradients, examples, loops
        self.below = scope.program
        self.steps: list[Done] = []
        self._own = {
            name for loop in loops[-1:] for name in (*names_made(loop.body), *(c.entering for c in loop.carried))
        }

    def undo(self, parts: Sequence[Line | Loop | Store]) -> None:
        """Undo the lines, loops and writes of a block."""
        from handgrad.derive.lines.loops import undo_loop

        for part in reversed(parts):
            match part:
                case Line():
                    self._undo_line(part)
                case Store():
                    self._undo_store(part)
                case Loop():
                    undo_loop(self, part)

    def _undo_line(self, line: Line) -> None:
        terms = {target: self.upstream(target) for target in line.targets if target in self.examples}
        if not terms:
            return
        sending = self.sending()
        try:
            if len(line.targets) == 1 and isinstance(self.scope.names[line.targets[0]], list | tuple | dict):
                sending.send_list(line.value, *(term.source for term in terms.values()))
            elif len(line.targets) == 1:
                (target,) = line.targets
                sending.send(line.value, terms[target], target)
            else:
                sending.send_each(line.value, line.targets, terms)
        except UncoveredError as error:
            raise DeriveError(str(error), where=line.where, next_step=NEXT) from error
        self.take(line, sending)

    def _undo_store(self, store: Store) -> None:
        """What a round writes into a list, a dict or a tensor gets the gradient of that element."""
        if store.container not in self.examples:
            return
        place = place_of(self.loops[-1], store)
        sending = self.sending()
        if self.scope.active(store.value):
            element = ast.Subscript(variable(self.gradients.of(store.container)), place.slice, ast.Load())
            whole, wanted = self.scope.value(place), self.scope.value(store.value)
            term = summed(Term(element, example_like(whole)), shape_of(whole), shape_of(wanted), _no_size)
            try:
                sending.send(store.value, term)
            except UncoveredError as error:
                raise DeriveError(str(error), where=f"line {store.number}: {store.text}", next_step=NEXT) from error
        if self._is_lost(store):
            target = ast.Subscript(variable(GRADIENT), place.slice, ast.Load())
            sending.steps.append(Step(store.container, parsed("0"), place=target, sets=True))
        self.take(store, sending)

    def _is_lost(self, store: Store) -> bool:
        """Whether elements of a tensor are overwritten that were of use before."""
        if store.added or not hasattr(self.scope.names[store.container], "shape"):
            return False
        for loop in reversed(self.loops):
            start = next((stored.start for stored in loop.stored if stored.name == store.container), None)
            if start is not None and not (isinstance(start, ast.Name) and start.id == store.container):
                return self.scope.active(start) or _reads(loop.body, store.container)
        return True

    def sending(self) -> Sending:
        """A way to send gradients back through one line."""
        return Sending(self.scope, self.sizes, self.examples)

    def take(self, part: Line | Loop | Store, sending: Sending) -> None:
        """Take what one line sends back as the next steps."""
        seen = {*self.examples, *(name for name in sending.examples if self.loops and name not in self._own)}
        steps = settled(sending.steps, self.gradients.fresh, seen)
        names = {gradient_of(name).id: variable(self.gradients.of(name)) for name in sending.examples}
        self.steps += [(part, step.rebuilt(named(names.get)).rebuilt(self._known)) for step in steps]
        for name, example in sending.examples.items():
            self.examples.setdefault(name, example)

    def _known(self, node: ast.expr) -> ast.expr | None:
        """The variable that a forward line has given the value of a call."""
        name = self.scope.name_of(node)
        return variable(name) if name is not None else None

    def upstream(self, name: str) -> Term:
        """The gradient of a name."""
        if name == self.scope.program.output and shape_of(self.scope.names[name]) == ():
            return Term(parsed("1.0"), 1)
        return Term(variable(self.gradients.of(name)), self.examples[name])


def made_in(loop: Loop) -> set[str]:
    """The names that a round of a loop makes anew: not what it writes elements of."""
    kept_on = {stored.name for stored in _all_stored(loop)}
    return {*names_made(loop.body), *(carried.entering for carried in loop.carried)} - kept_on


def _all_stored(loop: Loop) -> Iterator[Stored]:
    """What a loop writes elements of, in loops inside it too."""
    yield from loop.stored
    for part in loop.body:
        if isinstance(part, Loop):
            yield from _all_stored(part)


def _reads(parts: Sequence[Line | Loop | Store], name: str) -> bool:
    """Whether elements of a tensor are read in a loop that writes some."""
    for part in parts:
        match part:
            case Line():
                used = names_in(part.value)
            case Store():
                used = names_in(part.value) | (names_in(part.index) if part.index is not None else set())
            case Loop():
                if _reads(part.body, name):
                    return True
                used = {carried.start for carried in part.carried}
        if name in used:
            return True
    return False


def _no_size(_: int) -> ast.expr:
    raise UncoveredError("what is written there is wider than the gradient of it")
