"""Send the gradient of one forward line's value back to the variables in it."""

import ast
import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from handgrad.derive.lines.arithmetic import Mask, is_number
from handgrad.derive.lines.broadcast import spread, summed
from handgrad.derive.lines.naming import hint
from handgrad.derive.lines.parts import added, elements, function_of, is_rounded, item
from handgrad.derive.lines.running import alike, example_like, run, shape_of
from handgrad.derive.lines.scope import OUTPUTS, Scope, has_truths
from handgrad.derive.lines.sizes import Sizes
from handgrad.derive.lines.steps import GRADIENT, VALUE, Step, Term, named, zeros
from handgrad.derive.lines.terms import filled, parsed, rebuilt, variable
from handgrad.derive.read.calls import Call
from handgrad.derive.rules import Adjoint, Into, Site, UncoveredError, definition_of, rule_of


class Sending:
    """What one forward line sends back, as steps in their order."""

    def __init__(self, scope: Scope, sizes: Sizes, seen: Collection[str] = ()):
        """See the class."""
        self.scope, self.sizes, self.seen = scope, sizes, seen
        self.steps: list[Step] = []
        self.examples: dict[str, Any] = {}
        self._known: dict[str, ast.Name] = {}
        self._arrived: dict[str, list[Term]] = {}

    def send_each(self, node: ast.expr, targets: Sequence[str], terms: Mapping[str, Term]) -> None:
        """Send back the gradients that there are, `terms`, of the values of an expression by the names they have."""
        values = node.elts if isinstance(node, ast.Tuple | ast.List) else [item(node, i) for i in range(len(targets))]
        for part, target in zip(values, targets, strict=True):
            self._known[ast.dump(part)] = variable(target)
        if len(terms) > 1 and (self._is_several(node) or hasattr(self.scope.value(node), "shape")):
            gradients = [terms[t].source if t in terms else zeros(variable(t), None) for t in targets]
            self.send_list(node, ast.List(gradients, ast.Load()))
            return
        for part, target in zip(values, targets, strict=True):
            if target in terms:
                self.send(part, terms[target], target)

    def send_list(self, node: ast.expr, gradients: ast.expr) -> None:
        """Send back a list of gradients, one for each value of an expression."""
        value = self.scope.value(node)
        if isinstance(node, ast.Tuple | ast.List):
            for i, part in enumerate(node.elts):
                if self.scope.active(part):
                    self.send(part, Term(item(gradients, i), example_like(value[i])))
        elif self._is_several(node):
            call = self.scope.call(node)
            assert call is not None
            rule = rule_of(call.name)
            assert rule is not None
            self._apply(rule, call, node, {"dys": Term(gradients, [example_like(part) for part in value])})
        elif hasattr(value, "shape"):
            self.send(node, Term(filled("torch.stack(dys)", {"dys": gradients}), example_like(value)))
        else:
            raise UncoveredError(f"no rule covers `{function_of(node)}`")

    def _is_several(self, node: ast.expr) -> bool:
        """Whether an expression is the call of a function that takes a tensor apart."""
        call = self.scope.call(node)
        rule = rule_of(call.name) if call else None
        return rule is not None and rule.several

    def send(self, node: ast.expr, term: Term, name: str | None = None) -> None:
        """Send a gradient back through an expression, whose value has a name or none."""
        if isinstance(node, ast.Name):
            self._arrive(node, term)
            return
        if name is not None:
            self._known[ast.dump(node)] = variable(name)
        inner, output = self.scope.projected(node)
        match node:
            case ast.Subscript(ast.Name() as whole, index) if inner is node or self._is_several(inner):
                if isinstance(self.scope.value(whole), list | tuple | dict):
                    self._add_to_list(whole, index, term)
                    return
        call = self.scope.call(inner)
        if call is None or not hasattr(self.scope.value(node), "shape"):
            raise UncoveredError(f"no rule covers `{function_of(node)}`")
        if call.name == "getitem" and isinstance(self.scope.value(call["x"]), list | tuple):
            raise UncoveredError(f"no rule covers `{function_of(call['x'])}`")
        site, rule = self._site(call, node, term, output), rule_of(call.name)
        if rule is not None:
            self._apply(rule, call, node, {"dy": term if rule.takes_narrow(site) else self._full(node, term)}, output)
        elif definition := definition_of(site):
            self._expand(definition, call, node, term)
        else:
            raise UncoveredError(f"no rule covers `{function_of(node)}`")

    def _site(self, call: Call, node: ast.expr, term: Term | None, output: int | None = None) -> Site:
        outputs = {f"y_{i}": part for i, part in enumerate(self._outputs(node))}
        return Site(
            call.name,
            {argument: self.scope.value(part) for argument, part in call.arguments.items()},
            dict(elements(call.arguments)),
            self.scope.made,
            self.scope.value(node),
            term.example if term else None,
            output,
            len(outputs),
            frozenset(y for y, part in {"y": node, **outputs}.items() if ast.dump(part) in self._known),
        )

    def _outputs(self, node: ast.expr) -> list[ast.expr]:
        """The outputs of the call of which an expression takes one."""
        match node:
            case ast.Attribute(whole, attr) if self.scope.projected(node)[1] is not None:
                names = next(names for names in OUTPUTS if attr in names)
                return [ast.Attribute(whole, name, ast.Load()) for name in names]
            case ast.Subscript(whole) if self.scope.projected(node)[1] is not None:
                return [item(whole, i) for i in range(len(self.scope.value(whole)))]
        return []

    def _apply(
        self, rule: Adjoint, call: Call, node: ast.expr, terms: Mapping[str, Term], output: int | None = None
    ) -> None:
        site = self._site(call, node, terms.get("dy"), output)
        back = rule.rule(site)
        parts = dict(elements(call.arguments))
        sources = {"y": node, **parts, **{f"y_{i}": part for i, part in enumerate(self._outputs(node))}}
        examples = {name: self.scope.value(part) for name, part in sources.items()}
        examples |= {name: term.example for name, term in terms.items()}
        known = {name: term.source for name, term in terms.items()}

        def swap(piece: ast.expr) -> ast.expr | None:
            match piece:
                case ast.Subscript(ast.Attribute(ast.Name(name), "shape"), ast.Constant(int(dim))) if name in sources:
                    return self._sized(self.sizes.of(sources[name], dim))
                case ast.Attribute(ast.Name(name), "shape") if name in sources:
                    return self._sized(self.sizes.shape(sources[name]))
                case ast.Call(ast.Attribute(ast.Name(name), "numel")) if name in sources:
                    return self._sized(self.sizes.count(sources[name]))
                case ast.Name("F") if self.scope.hides_functional:
                    return parsed("torch.nn.functional")
                case ast.Name(name) if name in known:
                    return known[name]
                case ast.Name(name) if name in sources:
                    return self.reference(sources[name])
            return None

        def fill(template: str, gradient: str = "") -> ast.expr:
            own = named({gradient: variable(GRADIENT)}.get)
            return rebuilt(parsed(template), lambda piece: own(piece) or swap(piece))

        for temporary, template in back.where.items():
            examples[temporary] = run(template, examples)
            name = self._bind(fill(template), temporary)
            known[temporary] = Mask(name.id, name.ctx) if has_truths(examples[temporary]) else name
        for argument, template in back.terms.items():
            if (part := parts.get(argument)) is None or not self.scope.active(part):
                continue
            if isinstance(template, Into):
                self._add_into(part, argument, template, fill)
                continue
            sent = Term(fill(template), run(template, examples))
            if "dy" in terms and terms["dy"].constant and is_rounded(sent, site.result):
                self._apply(rule, call, node, {"dy": self._full(node, terms["dy"])}, output)
                return
            if rule.broadcasts:
                whole, wanted = shape_of(site.result), shape_of(site.arguments[argument])
                sent = summed(sent, whole, wanted, lambda d: self._sized(self.sizes.of(node, d)))
            self._go_on(part, sent)

    def _expand(self, definition: str, call: Call, node: ast.expr, term: Term) -> None:
        """Send a gradient back through the definition of a call, to each argument once."""
        standing = {name: self.scope.stand_in(part) for name, part in elements(call.arguments)}
        expression = filled(definition, standing)
        if not alike(self.scope.value(expression), self.scope.value(node)):
            raise UncoveredError(f"no rule covers `{function_of(node)}` with these arguments")
        self._arrived.update({stand_in.id: [] for stand_in in standing.values()})
        self.send(expression, term)
        for stand_in in standing.values():
            if terms := self._arrived.pop(stand_in.id):
                self._go_on(self.scope.stands_for(stand_in), functools.reduce(added, terms))

    def _go_on(self, part: ast.expr, term: Term) -> None:
        if not isinstance(part, ast.Name) and not term.constant:
            term = Term(self._bind(term.source, "d" + hint(self.scope.call(part))), term.example)
        self.send(part, term)

    def _arrive(self, node: ast.Name, term: Term) -> None:
        if node.id in self._arrived:
            self._arrived[node.id].append(term)
            return
        whole, value = None, self.scope.value(node)
        if isinstance(term.example, list | tuple):
            gradient = variable(GRADIENT)
            self.steps.append(Step(node.id, self._with_list(node.id, gradient, term.source), sets=True))
            self.examples.setdefault(node.id, term.example)
            return
        narrow = term.constant or shape_of(term.example) != shape_of(value)
        self.examples.setdefault(node.id, example_like(value) if narrow else term.example)
        if narrow:
            whole = spread(Term(variable(VALUE), term.example), node)
            whole = filled("torch.ones_like(x)", {"x": node}) if is_number(term.source, 1) else whole
        self.steps.append(Step(node.id, term.source, whole=whole))

    def _add_to_list(self, name: ast.Name, index: ast.expr, term: Term) -> None:
        place = ast.Subscript(variable(GRADIENT), index, ast.Load())
        values = self.scope.value(name)
        source, several = term.source, isinstance(term.example, list | tuple)
        if several:
            source = self._with_list(name.id, place, source)
        self.steps.append(Step(name.id, source, place=place, zeros=zeros(name, values), adds=True, sets=several))
        self.examples.setdefault(name.id, values)

    def _with_list(self, name: str, there: ast.expr, more: ast.expr) -> ast.expr:
        """The gradients of several values, added to those that are there where a list has some."""
        if name not in (*self.seen, *self.examples):
            return more
        return filled("[a + b for a, b in zip(there, more)]", {"there": there, "more": more})

    def _add_into(self, part: ast.expr, argument: str, into: Into, fill: Callable[..., ast.expr]) -> None:
        place, call = (fill(t, f"d{argument}") if t else None for t in (into.place, into.call))
        value, start = (fill(t) if t else None for t in (into.value, into.start))
        example = example_like(self.scope.value(part))
        name = part.id if isinstance(part, ast.Name) and part.id not in self._arrived else None
        if name is not None and (start is None or name not in (*self.seen, *self.examples)):
            self.steps.append(Step(name, value, place=place, call=call, zeros=start or zeros(part, None)))
            self.examples.setdefault(name, example)
            return
        hinted = f"d{name or hint(self.scope.call(part))}"
        whole = start or self._sized(self.sizes.filled(part, Term(parsed("0"), 0)))
        name = f"temporary {len(self.steps)}"
        self.steps.append(Step(name, value, hinted, place=place, call=call, zeros=whole))
        self.send(part, Term(variable(name), example))

    def _bind(self, source: ast.expr, hinted: str) -> ast.Name:
        name = f"temporary {len(self.steps)}"
        self.steps.append(Step(name, source, hinted))
        return variable(name)

    def _full(self, node: ast.expr, term: Term) -> Term:
        value = self.scope.value(node)
        if term.constant or shape_of(term.example) != shape_of(value):
            example = example_like(value) if term.constant else term.example.expand(value.shape)
            known = self._known.get(ast.dump(self.scope.resolved(node)))
            name = known if isinstance(known, ast.Name) and known.id in self.scope.names else None
            return Term(self._sized(self.sizes.filled(node, term, name)), example)
        return term

    def _sized(self, node: ast.expr) -> ast.expr:
        """An expression of sizes, in which what they are the sizes of is a temporary where it has no name."""

        def refer(part: ast.expr) -> ast.expr | None:
            match part:
                case ast.Attribute(tensor, "shape" | "numel" as what) if not isinstance(tensor, ast.Name):
                    return ast.Attribute(self.reference(tensor), what, ast.Load())
            return None

        return rebuilt(node, refer)

    def reference(self, node: ast.expr) -> ast.expr:
        """An expression for the value of a part of the line: a temporary, in which other such parts are temporaries."""
        node, value = self.scope.resolved(node), self.scope.value(node)
        if isinstance(node, ast.Name) and has_truths(value):
            return Mask(node.id, node.ctx)
        if isinstance(node, ast.List | ast.Tuple):
            parts = [self.reference(part) if self.scope.active(part) else part for part in node.elts]
            return type(node)(parts, node.ctx)
        if isinstance(node, ast.Name | ast.Constant) or isinstance(value, int | float | tuple | None):
            return node
        key = ast.dump(node)
        if key not in self._known:
            call = self.scope.call(self.scope.projected(node)[0])
            inner = [part for _, part in elements(call.arguments) if self.scope.active(part)] if call else []

            def refer(part: ast.expr) -> ast.expr | None:
                return self.reference(part) if any(part is other for other in inner) else None

            temporary = self._bind(rebuilt(node, refer), hint(call))
            self._known[key] = Mask(temporary.id, temporary.ctx) if has_truths(value) else temporary
        return self._known[key]
