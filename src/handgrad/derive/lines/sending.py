"""Send the gradient of one forward line's value back to the variables in it."""

import ast
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from handgrad.derive.lines.broadcast import full, spread, summed
from handgrad.derive.lines.naming import hint
from handgrad.derive.lines.running import example_like, run, shape_of
from handgrad.derive.lines.scope import Scope
from handgrad.derive.lines.sizes import Sizes
from handgrad.derive.lines.steps import GRADIENT, VALUE, Step, Term, named
from handgrad.derive.lines.terms import filled, is_number, parsed, rebuilt, variable
from handgrad.derive.read.calls import Call
from handgrad.derive.rules import Adjoint, Into, Site, UncoveredError, rule_of
from handgrad.derive.rules.pointwise import POINTWISE


class Sending:
    """What one forward line sends back, as steps in their order."""

    def __init__(self, scope: Scope, sizes: Sizes):  # noqa: D107
        self.scope, self.sizes = scope, sizes
        self.steps: list[Step] = []
        self._known: dict[str, ast.expr] = {}

    def send(self, node: ast.expr, term: Term, name: str | None = None) -> None:
        """Send a gradient back through an expression, whose value has a name or none."""
        if name is not None:
            self._known[ast.dump(node)] = variable(name)
        if isinstance(node, ast.Name):
            self.steps.append(self._arrival(node, term))
            return
        inner, output = self.scope.projected(node)
        call = self.scope.call(inner)
        rule = rule_of(call.name) if call else None
        if call is None or rule is None:
            raise UncoveredError("no rule covers this")
        if not rule.lazy:
            term = self._full(node, term)
        arguments = {argument: self.scope.value(part) for argument, part in call.arguments.items()}
        site = Site(call.name, arguments, self.scope.value(node), term.example, output, name is not None)
        self._apply(rule, call, site, node, term)

    def _apply(self, rule: Adjoint, call: Call, site: Site, node: ast.expr, term: Term) -> None:
        back = rule.rule(site)
        parts = dict(elements(call.arguments))
        examples = {**dict(elements(site.arguments)), "dy": term.example, "y": site.result}
        known = {"dy": term.source}

        def swap(piece: ast.expr) -> ast.expr | None:
            match piece:
                case ast.Subscript(ast.Attribute(ast.Name(name), "shape"), ast.Constant(int(dim))) if name in parts:
                    return self.sizes.of(parts[name], dim)
                case ast.Call(ast.Attribute(ast.Name(name), "numel")) if name in parts:
                    return self.sizes.count(parts[name])
                case ast.Name(name) if name in known:
                    return known[name]
                case ast.Name(name) if name == "y" or name in parts:
                    return self.reference(node if name == "y" else parts[name])
            return None

        def fill(template: str) -> ast.expr:
            return rebuilt(parsed(template), swap)

        for temporary, template in back.where.items():
            known[temporary], examples[temporary] = self._bind(fill(template), temporary), run(template, examples)
        for argument, template in back.terms.items():
            part = parts.get(argument)
            if part is None or not self.scope.active(part):
                continue
            if isinstance(template, Into):
                self._add_into(part, argument, template, fill)
                continue
            sent = Term(fill(template), run(template, examples))
            if call.name in POINTWISE:
                whole, wanted = shape_of(site.result), shape_of(site.arguments[argument])
                sent = summed(sent, whole, wanted, lambda d: self.sizes.of(node, d))
            self._go_on(part, sent)

    def _go_on(self, part: ast.expr, term: Term) -> None:
        if not isinstance(part, ast.Name) and not term.constant:
            term = Term(self._bind(term.source, "d" + hint(self.scope.call(part))), term.example)
        self.send(part, term)

    def _arrival(self, node: ast.Name, term: Term) -> Step:
        whole = None
        if term.constant or shape_of(term.example) != shape_of(self.scope.value(node)):
            whole = spread(Term(variable(VALUE), term.example), node)
            whole = filled("torch.ones_like(x)", {"x": node}) if is_number(term.source, 1) else whole
        elif not term.example.is_floating_point():
            whole = filled("c.to(x.dtype)", {"x": node, "c": variable(VALUE)})
        return Step(node.id, term.source, whole=whole)

    def _add_into(self, part: ast.expr, argument: str, into: Into, fill: Callable[[str], ast.expr]) -> None:
        value = fill(into.value) if into.value else None
        swap = named({f"d{argument}": variable(GRADIENT)}.get)
        place, call = (rebuilt(fill(t), swap) if t else None for t in (into.place, into.call))
        if isinstance(part, ast.Name):
            self.steps.append(Step(part.id, value, place=place, call=call, like=part))
            return
        name = f"temporary {len(self.steps)}"
        hinted, like = "d" + hint(self.scope.call(part)), self.reference(self.sizes.like(part))
        self.steps.append(Step(name, value, hinted, place=place, call=call, like=like))
        self.send(part, Term(variable(name), example_like(self.scope.value(part))))

    def _bind(self, source: ast.expr, hinted: str) -> ast.expr:
        name = f"temporary {len(self.steps)}"
        self.steps.append(Step(name, source, hinted))
        return variable(name)

    def _full(self, node: ast.expr, term: Term) -> Term:
        value = self.scope.value(node)
        if term.constant or shape_of(term.example) != shape_of(value):
            return full(term, self.reference(self.sizes.like(node)), value)
        return term

    def reference(self, node: ast.expr) -> ast.expr:
        """An expression for the value of a part of the line: a temporary, in which other such parts are temporaries."""
        if isinstance(node, ast.Name | ast.Constant) or isinstance(self.scope.value(node), int | float | None):
            return node
        key = ast.dump(node)
        if key not in self._known:
            call = self.scope.call(self.scope.projected(node)[0])
            inner = [part for _, part in elements(call.arguments) if self.scope.active(part)] if call else []

            def refer(part: ast.expr) -> ast.expr | None:
                return self.reference(part) if any(part is other for other in inner) else None

            self._known[key] = self._bind(rebuilt(node, refer), hint(call))
        return self._known[key]


def elements(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The arguments of a call by name, and the elements of those that are lists, as `x_0`, `x_1`, ..."""
    for name, value in arguments.items():
        yield name, value
        inside = value.elts if isinstance(value, ast.Tuple | ast.List) else value
        if isinstance(inside, list | tuple):
            yield from ((f"{name}_{i}", element) for i, element in enumerate(inside))
