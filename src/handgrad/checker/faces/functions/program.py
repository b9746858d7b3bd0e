"""Both halves as one program, judged like any other."""

import ast
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor

from handgrad.checker.faces.functions.forward import LOSS, OUT, ForwardLayout
from handgrad.checker.faces.functions.given import Context, Input
from handgrad.checker.faces.functions.halves import Half, plain
from handgrad.checker.faces.functions.wording import Wording
from handgrad.checker.inspection import check_source
from handgrad.checker.place import Place
from handgrad.checker.read.names import gradient_of, uses
from handgrad.checker.read.source import Source, Statement
from handgrad.checker.read.spelling import DOT
from handgrad.checker.report import Report, VariableReport
from handgrad.checker.run.flat.calls import Scope
from handgrad.checker.run.values import is_object

BACKWARD = f"{DOT}0"
_NOTHING = object()


class Program(ForwardLayout):
    """Statements that run forward, a weighted sum of its outputs, and backward, in one namespace."""

    def run_backward(self, function: Callable, arguments: list[tuple[str, Any]]) -> None:
        """Run the backward function, and lay it out; what it returns becomes the gradients of the inputs."""
        _, before, named = plain(function)
        objects = {id(self.originals[n]): n for n in self.originals}
        shared = [(objects[id(v)], self.trial[objects[id(v)]]) if id(v) in objects else (None, v) for v in before]
        half = self.backward = Half(function, [value for _, value in arguments])
        half.given.update(zip(half.given, [value for _, value in shared], strict=False))
        half.whole = half.whole or _differentiates_itself(half.node)
        self.ran = half.run({})
        texts = [*((text or self._constant(value)) for text, value in shared), *(text for text, _ in arguments)]
        given = half.signature.bind(*texts, **{n: self._constant(v) for n, v in named.items()}).arguments
        names = {n: n + BACKWARD for n in half.local} | self._free_names(half)
        self.owner = next((text for text, _ in shared if text), None)
        self._read_returned()
        self._rename_returned(names)
        names |= {n: text for n, text in given.items() if n in half.given and isinstance(half.given[n], Context)}
        names |= {n: text for n, text in given.items() if text in self.originals and is_object(half.given[n])}
        for name, value in half.given.items():
            text = given.get(name) or self._constant(value)
            if text == names[name]:
                continue
            if isinstance(text, tuple):
                text = f"({''.join(f'{part}, ' for part in text)})"
            copied = ".clone()" if text.startswith(f"d{OUT}") and half.changes(name) else ""
            self._say(f"{names.get(name, name)} = {text}{copied}")
        self._body(self.ran, names)
        self._take_gradients(names)

    def _free_names(self, half: Half) -> dict[str, str]:
        """Other names for what the backward function finds in its module, where the forward one calls another so."""
        names = {}
        for name, value in half.free.items():
            mine = self.originals.get(name, self.half.free.get(name, _NOTHING))
            if name in self.taken and mine is not value:
                names[name] = name + BACKWARD
            elif name not in self.taken:
                self.taken.add(name)
            if mine is not value:
                self.namespace[names.get(name, name)] = value
        return names

    def _read_returned(self) -> None:
        """What the backward function returns: `values` of the run, `parts` of the text, where there are, and labels."""
        value, returned = self.ran.result, self.ran.returned
        self.returned: list[ast.expr] | None = None
        self.values = [value]
        self.labels: list[Any] = [None]
        if isinstance(value, dict):
            self.labels, self.values = list(value), list(value.values())
        elif isinstance(value, tuple | list):
            self.labels, self.values = list(getattr(value, "_fields", [None] * len(value))), list(value)
        parts = _parts(returned, self.backward.free)
        if parts is not None and (len(parts) == len(self.values) or self.ran.error is not None):
            self.returned = parts
            if len(parts) != len(self.values):
                self.labels, self.values = [None] * len(parts), [_NOTHING] * len(parts)
        elif isinstance(value, Tensor) and returned is not None:
            self.returned = [returned]
        self.found = self._matched()

    def _matched(self) -> dict[Input, tuple[int, Any]]:
        """Where each input's gradient is: the position of what is returned, and the key in it."""
        by_name: dict[Input, tuple[int, Any]] = {}
        for one in self.inputs:
            for i, label in enumerate(self.labels):
                if label is not None and one.is_called(label):
                    by_name[one] = i, None
                elif label is not None and one.key is not None and replace(one, key=None).is_called(label):
                    by_name[one] = i, one.key
        if by_name:
            return by_name
        count = len(self.values)
        extra = [i for i, v in enumerate(self.values) if i >= len(self.positions) and v is not None]
        if count >= len(self.positions) and not extra and (self.context is not None or count != len(self.inputs)):
            at = {place: i for i, place in enumerate(self.positions)}
            found = {one: at.get((one.parameter, one.key)) for one in self.inputs}
            return {one: (i, None) for one, i in found.items() if i is not None}
        parameters = list(dict.fromkeys(one.parameter for one in self.inputs))
        if self.context is None and count == len(self.inputs):
            return {one: (i, None) for i, one in enumerate(self.inputs)}
        everything = [n for n, v in self.half.given.items() if not is_object(v)]
        for names in (parameters, everything) if self.context is None else ():
            if count == len(names):
                return {one: (names.index(one.parameter), one.key) for one in self.inputs}
        if not self._nothing:
            expected = [one.text for one in self.inputs]
            wanted = f"{len(expected)}, one for each of {', '.join(expected)}"
            if self.context is not None:
                wanted = f"{len(self.positions)}, one for each argument of forward, None where there is none"
            self.faults.append(f"{self._where()}: the number of gradients returned is {count}; expected {wanted}.")
        return {}

    @property
    def _nothing(self) -> bool:
        """Whether nothing is returned."""
        literal = self.returned == [self.ran.returned] and isinstance(self.ran.returned, ast.Constant)
        return self.ran.result is None and (literal or not self.returned)

    def _where(self) -> str:
        place = self.ran.place
        return str(place) if place.line else self.backward.called

    def _rename_returned(self, names: dict[str, str]) -> None:
        """Call a local variable that is returned as a gradient by that gradient's name."""
        self.gradients = {one: self._gradient_name(one) for one in self.inputs}
        parts = self.returned or []
        written = [part.id for part in parts if isinstance(part, ast.Name)]
        forward = self.half.local | self.half.free.keys()
        for one, (i, key) in self.found.items():
            part, target = parts[i] if i < len(parts) else None, self.gradients[one]
            if not isinstance(part, ast.Name) or key is not None or written.count(part.id) > 1:
                continue
            local = part.id in self.backward.local and part.id not in self.backward.given
            named = gradient_of(part.id, forward)
            if local and (named == one.name or (named is None and not self._is_used_besides(part))):
                if target != part.id and target in names:
                    names[target] = f"{target}_{BACKWARD}"
                    self.words[names[target]] = target
                names[part.id] = target + BACKWARD
                self.words[names[part.id]] = part.id

    def _is_used_besides(self, returned: ast.Name) -> bool:
        """Whether a local name that is returned is one that other values are computed from, too."""
        others = [part for part in self.returned or [] if part is not returned]
        body = self.backward.node.body if self.backward.node else []
        others += [node for node in body if uses(node).binds | uses(node).changes]
        return any(returned.id in uses(n).reads and returned.id not in uses(n).binds | uses(n).changes for n in others)

    def _gradient_name(self, one: Input) -> str:
        spellings = (f"d{one.name}", f"d_{one.name}", f"grad_{one.name}", f"{one.name}_grad")
        known = self.taken | {one.name}
        fitting = (n for n in spellings if n not in known and gradient_of(n, known) == one.name)
        return next(fitting, spellings[0])

    def _take_gradients(self, names: dict[str, str]) -> None:
        """Give each input what is returned for it."""
        ran = self.ran
        if ran.whole:
            self.namespace["handgrad_backward"] = self.backward.function
            self._say(f"handgrad_gradients = {self.backward.call('handgrad_backward', names)}")
        elif self.returned is None and ran.returned is not None:
            self._assign("handgrad_gradients", ran.returned, ran, names)
        self.namespace["handgrad_take"] = _take
        nothing = self._nothing
        for one, (i, key) in self.found.items():
            target = self.gradients[one]
            part = self.returned[i] if self.returned else None
            if self._is_excused(one, i, part):
                self.notes.append(f"backward returns None for {one.text}, whose gradient is not checked.")
            elif nothing:
                continue
            elif part is not None and key is None:
                self._assign(target, part, ran, names)
            else:
                self._say(f"{target} = handgrad_take(handgrad_gradients, {i}, {key!r})")
        if nothing and ran.error is not None and not ran.error.message.startswith("NotImplementedError"):
            self.faults.append(f"{ran.error.place}: {ran.error.message}")
        elif nothing:
            for target in self.gradients.values():
                self._leave_unwritten(target)

    def _leave_unwritten(self, target: str) -> None:
        node = ast.parse(f"{target} = None").body[0]
        half = self.backward
        text = self.ran.text or f"def {half.called}"
        place = self.ran.place if self.ran.text else Place(half.file, half.node.lineno if half.node else 0)
        self.statements.append(Statement(node, text, place, text, role="argument"))

    def _is_excused(self, one: Input, i: int, part: ast.expr | None) -> bool:
        """Whether None is returned for an input that needs no gradient, while another gets one."""
        if self.values[i] is not None or self.strict or one.tensor.requires_grad:
            return False
        if all(self.values[j] is None for j, _ in self.found.values()):
            return False
        meant = part is None or isinstance(part, ast.Constant)
        return meant or any(other.tensor.requires_grad for other in self.inputs)

    def check(self) -> Report:
        """Run the checker on the statements, and speak of what it finds in the user's words."""
        words = tuple(self.words.items())
        statements = [replace(s, spelling=(*s.spelling, *words)) for s in self.statements]
        report = Report(None, strict=self.strict)
        if any(_bound(s.node) in self.gradients.values() for s in statements):
            scopes = [self._scope(), Scope("forward", None, [], set(), False)]
            source = Source(None, statements, scopes=scopes, closed=frozenset(self.half.local))
            report = check_source(source, self.machine, loss=LOSS, strict=self.strict)
        upstreams = {f"d{OUT}{i}" for i in self.outputs}
        report = Wording(self.words, self.gradients, upstreams, self.ran)(report)
        report.notes, report.faults = self.notes + report.notes, self.faults + report.faults
        shown = {row.name for row in report.variables}
        for one, gradient in self.gradients.items():
            if one.text not in shown and one not in self.found:
                report.variables.append(VariableReport(one.text, gradient, list(one.tensor.shape), None, "missing"))
        return report

    def _scope(self) -> Scope:
        """The names of the backward function, as the checker lays functions out."""
        outside = {n.id for s in self.statements for n in ast.walk(s.node) if isinstance(n, ast.Name)}
        handed_over = [n for n in self.backward.given if not self.backward.binds(n)]
        return Scope("backward", self.owner, handed_over, {n for n in outside if DOT not in n}, True)


def _parts(returned: ast.expr | None, known: dict[str, Any]) -> list[ast.expr] | None:
    """The gradients in what follows `return`, where each is written there."""
    if isinstance(returned, ast.Tuple | ast.List):
        return None if any(isinstance(part, ast.Starred) for part in returned.elts) else list(returned.elts)
    if isinstance(returned, ast.Dict):
        return None if None in returned.keys else list(returned.values)
    if isinstance(returned, ast.Call) and isinstance(returned.func, ast.Name):
        kind = known.get(returned.func.id)
        if isinstance(kind, type) and issubclass(kind, tuple) and not any(k.arg is None for k in returned.keywords):
            return [*returned.args, *(k.value for k in returned.keywords)]
    return None


def _bound(node: ast.stmt) -> str | None:
    """The name that an assignment gives a value."""
    return getattr(node.targets[0], "id", None) if isinstance(node, ast.Assign) else None


def _differentiates_itself(node: ast.AST | None) -> bool:
    """Whether a function calls autograd, as one that computes its forward pass again does."""
    named = {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)} if node is not None else set()
    return bool(named & {"enable_grad", "set_grad_enabled", "requires_grad_", "vjp"}) or any(
        isinstance(n, ast.Attribute) and n.attr == "grad" and "autograd" in ast.unparse(n.value)
        for n in (ast.walk(node) if node is not None else ())
    )


def _take(gradients: Any, position: int, key: Any) -> Any:
    """One of the gradients that a backward function returned."""
    items = gradients.values() if isinstance(gradients, dict) else gradients
    found = list(items)[position] if isinstance(gradients, tuple | list | dict) else gradients
    return found if key is None else found[key]
