"""Run the statements of a block one by one, in the scope of the function or the program that they stand in."""

import ast

from handgrad.derive.read.expressions import Expressions
from handgrad.derive.read.loops import is_about_sizes, rounds_of
from handgrad.derive.read.names import Scope
from handgrad.derive.read.reader import Reader, Returned
from handgrad.derive.read.targets import Targets, word_for

_WITHOUT_EFFECT = (ast.Pass, ast.Assert, ast.Global, ast.Delete, ast.Raise)
_OF_AUTOGRAD = ("backward", "retain_grad", "requires_grad_", "zero_grad")


class _LeaveLoop(Exception):  # noqa: N818 - it is no error
    """Stands for `break`, and with `on` for `continue`."""

    def __init__(self, on: bool):
        self.on = on


class Blocks:
    """Reads statements; what they compute becomes lines."""

    def __init__(self, reader: Reader):  # noqa: D107
        self.reader = reader
        self.expressions = Expressions(reader, self)
        self.targets = Targets(reader, self.expressions)

    def run(self, body: list[ast.stmt], scope: Scope, text: str | None = None) -> Returned | None:
        """Read a block up to its end, or to the `return` that ends it; `text` is the source that it stands in."""
        for node in body:
            segment = ast.get_source_segment(text, node) if text else None
            self.reader.written.append((segment or ast.unparse(node), node.lineno))
            try:
                ended = self._statement(node, scope, text)
            finally:
                self.reader.written.pop()
            if ended is not None:
                return ended
        return None

    def called(self, node: ast.Call) -> Returned:
        """What a call of the user's function comes to."""
        return self.expressions.gone_into(node)

    def _statement(self, node: ast.stmt, scope: Scope, text: str | None) -> Returned | None:
        read, assign = self.expressions.read, self.targets.assign
        match node:
            case ast.Assign(targets=targets, value=value):
                made = read(value, scope)
                for target in targets:
                    made = assign(target, made, scope)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                assign(target, read(value, scope), scope)
            case ast.AugAssign(target=target, op=op, value=value):
                self.targets.augment(target, op, value, scope)
            case ast.Expr(value=value):
                self._effect(value, scope)
            case ast.Return(value=value):
                return Returned(read(value, scope) if value else None, *self.reader.written[-1])
            case ast.If(test=test, body=body, orelse=orelse):
                return self._branch(test, body, orelse, scope, text)
            case ast.With(body=body):
                return self._with(node, body, scope, text)
            case ast.For():
                return self._loop(node, scope, text)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                if scope.outer is not None or name not in self.reader.values:
                    self._execute(node, scope)
            case ast.Import() | ast.ImportFrom():
                self._execute(node, scope)
            case ast.Break() | ast.Continue():
                raise _LeaveLoop(on=isinstance(node, ast.Continue))
            case _ if not isinstance(node, _WITHOUT_EFFECT):
                kind = type(node).__name__.lower()
                raise self.reader.refusal(f"a statement of this kind ({kind}) cannot be followed", "Write plain lines.")
        return None

    def _effect(self, value: ast.expr, scope: Scope) -> None:
        """An expression that stands for itself: `hs.append(h)`, or one without effect on the pass."""
        called = value.func if isinstance(value, ast.Call) else None
        if isinstance(value, ast.Constant | ast.Name) or getattr(called, "id", "") in ("print", "display"):
            return
        if isinstance(called, ast.Attribute):
            if called.attr in _OF_AUTOGRAD:
                return
            container = self.expressions.read(called.value, scope) if called.attr == "append" else None
            if isinstance(container, ast.List) and isinstance(value, ast.Call):
                word = f"{word_for(called.value)}_{len(container.elts)}"
                container.elts.append(self.reader.named(self.expressions.read(value.args[0], scope), word))
                return
        made = self.expressions.read(value, scope)
        if isinstance(called, ast.Attribute) and called.attr.endswith("_") and self.reader.reached(made):
            raise self.reader.refusal(f"{called.attr}() works in place", f"Write x = x.{called.attr.strip('_')}(...).")
        if not self.reader.reached(made):
            self.reader.evaluate(made)

    def _branch(
        self, test: ast.expr, body: list[ast.stmt], orelse: list[ast.stmt], scope: Scope, text: str | None
    ) -> Returned | None:
        read = self.expressions.read(test, scope)
        taken = bool(self.reader.evaluate(read))
        if self.reader.reached(read) and not _asks_for_none(read):
            self.reader.notes.append(f"{self.reader.where} is taken as {taken}, as it was when it ran.")
        return self.run(body if taken else orelse, scope, text)

    def _with(self, node: ast.With, body: list[ast.stmt], scope: Scope, text: str | None) -> Returned | None:
        entered = [ast.unparse(item.context_expr) for item in node.items]
        if not any("no_grad" in one or "inference" in one for one in entered):
            return self.run(body, scope, text)
        active, self.reader.active = self.reader.active, set()
        try:
            return self.run(body, scope, text)
        finally:
            self.reader.active = active

    def _execute(self, node: ast.stmt, scope: Scope) -> None:
        """A definition or an import, run as it is."""
        made: dict[str, object] = {}
        code = compile(ast.fix_missing_locations(ast.Module([node], [])), "<forward>", "exec")
        exec(code, self.reader.values, made)
        self.reader.values.pop("__builtins__", None)
        for name, value in made.items():
            scope.meanings[name] = ast.Name(self.reader.bound(name, value), ast.Load())

    def _loop(self, node: ast.For, scope: Scope, text: str | None) -> Returned | None:
        rounds = rounds_of(self.reader, self.expressions.read(node.iter, scope))
        if any(self.reader.reached(r) for r in rounds) or is_about_sizes(node.iter):
            self.reader.notes.append(f"{self.reader.where} is written out for its {len(rounds)} rounds.")
        for item in rounds:
            self._bind(node.target, item, scope)
            try:
                ended = self.run(node.body, scope, text)
            except _LeaveLoop as leave:
                if leave.on:
                    continue
                break
            if ended is not None:
                return ended
        return None

    def _bind(self, target: ast.expr, item: ast.expr, scope: Scope) -> None:
        """Let the target of a loop stand for what it runs over in a round."""
        if isinstance(target, ast.Tuple) and isinstance(item, ast.Tuple | ast.List):
            for part, element in zip(target.elts, item.elts, strict=True):
                self._bind(part, element, scope)
        elif isinstance(target, ast.Name):
            scope.meanings[target.id] = self.reader.named(item, target.id)
        else:
            self.targets.assign(target, item, scope)

    def comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> ast.expr:
        """A list of what a comprehension in names of values makes, one expression an element."""
        clause = node.generators[0]
        if len(node.generators) > 1 or clause.ifs:
            raise self.reader.refusal("this comprehension cannot be followed", "Write it as a loop.")
        made: list[ast.expr] = []
        for item in rounds_of(self.reader, self.expressions.plain(clause.iter)):
            inner = Scope(self.reader.values, self.reader.names)
            self._bind(clause.target, item, inner)
            made.append(self.expressions.read(node.elt, inner))
        return ast.List(made, ast.Load())


def _asks_for_none(node: ast.expr) -> bool:
    compared = node.comparators if isinstance(node, ast.Compare) else []
    return any(isinstance(c, ast.Constant) and c.value is None for c in compared)
