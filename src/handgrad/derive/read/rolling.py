"""Find the loop in lines that were read round by round: what all rounds do, and what goes from one to the next."""

import ast
import builtins
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from handgrad.derive.read import gathering
from handgrad.derive.read.program import Carried, Line, Loop, Store
from handgrad.derive.read.reader import Reader
from handgrad.derive.read.steps import Step, names_in, names_made, parts_of, renamed, renamed_steps
from handgrad.derive.read.terms import Closure, Parts, Stale, is_marked, name_of

if TYPE_CHECKING:
    from handgrad.derive.read.loops import Rounds


class UnlikeError(Exception):
    """Two rounds do different things, or leave behind what cannot be said of a loop."""


@dataclass
class Rolled:
    """The rounds of a loop, aligned: the second round is the pattern that the others follow.

    `places` has, for each round, the position of each name that it makes. `starts` gives, for each position that the
    next round reads, what the first round reads in its place, and `entering` the name for what a round finds there;
    `out` are the names that differ in the lines written out; `aliases` what else the source calls a name.
    """

    reader: Reader
    header: "Rounds"
    rounds: list[list[Step]]
    places: list[dict[str, int]] = field(default_factory=list)
    starts: dict[int, ast.expr] = field(default_factory=dict)
    entering: dict[int, str] = field(default_factory=dict)
    out: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Leave out names for names, and number those of each round."""
        self._leave_out_aliases()
        self.plain = self.rounds
        self.rounds, self.lists = gathering.gathered(self.reader, self.rounds, self.header.places, self.header.mark)
        self.places = [{name: i for i, name in enumerate(names_made(steps))} for steps in self.rounds]
        self.names = [list(places) for places in self.places]
        self.all = set().union(*self.places)

    def align(self) -> None:
        """Find what all rounds do.

        Raises:
            UnlikeError: they do different things.
        """
        if any(line_draws(self.reader, name) for name in self.all):
            raise UnlikeError("it draws random numbers; draw them all before it")
        columns = [list(parts_of(steps)) for steps in self.rounds]
        if len({len(column) for column in columns}) > 1:
            raise UnlikeError("its rounds have different lines")
        for row in zip(*columns, strict=True):
            if any(isinstance(part, str) for part in row):
                if not all(isinstance(part, str) for part in row):
                    raise UnlikeError("its rounds have different lines")
            else:
                self._align(list(row))

    def _leave_out_aliases(self) -> None:
        """Let names that rounds give to what has one be that: `hprev = h` at the end of a round."""
        made = self.reader.made
        names: dict[str, str] = {}
        for k, steps in enumerate(self.rounds):
            steps = renamed_steps(steps, names, {})
            while (alias := _alias(steps)) is not None:
                at, target, source = alias
                names |= {name: source for name, other in names.items() if other == target} | {target: source}
                self.aliases[source] = made[target].base
                steps = renamed_steps([*steps[:at], *steps[at + 1 :]], {target: source}, {})
            self.rounds[k] = steps
        self.out.update(names)
        for holder, key, term in self.reader.held():
            if not isinstance(term, Parts | Closure) and names_in(term.node) & names.keys():
                holder[key] = replace(term, node=renamed(term.node, names, {}))
        for name in names:
            del made[name]

    def _align(self, nodes: list[Any]) -> None:
        one = nodes[1]
        if isinstance(one, ast.Name):
            self._align_names(one, nodes)
            return
        if len({type(node) for node in nodes}) > 1:
            raise UnlikeError("its rounds compute different things")
        if isinstance(one, ast.Constant):
            marked = one.kind == self.header.mark
            if any(node.kind != one.kind or (not marked and node.value != one.value) for node in nodes):
                raise UnlikeError("its rounds compute with different numbers")
            return
        for name, part in ast.iter_fields(one):
            parts = [getattr(node, name) for node in nodes]
            if isinstance(part, list):
                if len({len(p) for p in parts}) > 1:
                    raise UnlikeError("what it has made so far is used as a whole in every round")
                for row in zip(*parts, strict=True):
                    self._align_part(list(row))
            else:
                self._align_part(parts)

    def _align_part(self, parts: list[Any]) -> None:
        if all(isinstance(part, ast.AST) for part in parts):
            self._align(parts)
        elif any(part != parts[1] for part in parts):
            raise UnlikeError("its rounds compute different things")

    def _align_names(self, one: ast.Name, nodes: list[Any]) -> None:
        words = [node.id if isinstance(node, ast.Name) else None for node in nodes]
        if one.id in self.places[1]:
            place = self.places[1][one.id]
            if any(places.get(str(word)) != place for places, word in zip(self.places, words, strict=True)):
                raise UnlikeError("its rounds compute with different names")
        elif one.id in self.places[0]:
            place = self.places[0][one.id]
            later = zip(self.places[1:], words[2:], strict=False)
            start = self.starts.setdefault(place, nodes[0])
            if any(places.get(str(word)) != place for places, word in later) or names_in(nodes[0]) & self.all:
                raise UnlikeError("its rounds read what is older than one round")
            if ast.dump(start) != ast.dump(nodes[0]):
                raise UnlikeError("its first round starts from two values")
        elif any(word != one.id for word in words):
            raise UnlikeError("its rounds compute with different names")

    def loop(self, index: str) -> tuple[list[Step], Loop]:
        """The loop, and lines ahead of it that name what it starts from."""
        reader, header = self.reader, self.header
        text, number, within = reader.quoted
        ahead: list[Step] = [*self.lists]
        carried: list[Carried] = []
        for place, start in self.starts.items():
            made = reader.made[self.names[1][place]]
            value = reader.values[self.names[-2][place]]
            alias = self.aliases.get(self.names[1][place])
            entering = reader.new(alias or f"{made.base}_prev", value, own=made.own and alias is not None)
            self.entering[place] = str(entering.name)
            if not isinstance(start, ast.Name):
                code = compile(ast.fix_missing_locations(ast.Expression(start)), "<forward>", "eval")
                first = reader.new(made.base, eval(code, {"__builtins__": builtins, **reader.values}), own=made.own)
                ahead.append(Line((str(first.name),), start, f"{made.base} = {ast.unparse(start)}", number, within))
                start = name_of(str(first.name))
            original = self._original(start)
            self.out[start.id] = original.id
            start = self.starts[place] = original
            leaving = self.names[1][place]
            carried.append(Carried(start.id, self.entering[place], leaving))
            reader.starts.add(start.id)
        names = {self.names[0][place]: word for place, word in self.entering.items()}
        body = renamed_steps(self.rounds[1], names, {header.mark: index})
        carried = [c if not _is_summed(c, body) else Carried(c.start, c.entering, c.leaving, True) for c in carried]
        values = tuple(self._values(k, index) for k in range(len(self.rounds)))
        assert header.over is not None
        last = Line((index,), _last(header.over), text, number, within)
        written = (*(step for step in self._written_out() if not isinstance(step, Store)), last)
        return ahead, Loop(index, header.over, tuple(body), tuple(carried), (), values, text, number, within, written)

    def _original(self, name: ast.Name) -> ast.Name:
        """The name that another one is only an alias of."""
        for line in self.reader.lines:
            if isinstance(line, Line) and line.targets == (name.id,) and isinstance(line.value, ast.Name):
                return self._original(line.value)
        return name

    def call(self, place: int, base: str) -> None:
        """Let the names at a position of the rounds be called otherwise."""
        made = self.reader.made
        for names in self.names:
            if names[place] in made:
                made[names[place]].base = base
                made[self.out.get(names[place], names[place])].base = base
        if place in self.entering and self.names[1][place] not in self.aliases:
            made[self.entering[place]].base = f"{base}_prev"

    def _values(self, k: int, index: str) -> dict[str, Any]:
        values = self.reader.values
        found = {self.names[1][i]: values[name] for i, name in enumerate(self.names[k]) if name in values}
        for carried, (place, word) in zip(self.starts.values(), self.entering.items(), strict=True):
            start = values[carried.id] if isinstance(carried, ast.Name) else None
            found[word] = values[self.names[k - 1][place]] if k else start
        return found | {index: self.header.places[k]}

    def _written_out(self) -> list[Step]:
        """The lines of all rounds, those of the last under the names that the loop has."""
        reader, last = self.reader, len(self.rounds) - 1
        names = self.out
        for k, words in enumerate(self.names):
            for place, word in enumerate(words):
                if k == 1 and last > 1:
                    made = reader.made[word]
                    names[word] = str(reader.new(made.base, reader.values.get(word), own=made.own).name)
                if k < last:
                    reader.made[names.get(word, word)].round = k
                elif last > 1:
                    names[word] = self.names[1][place]
        found: list[Step] = []
        for steps in self.plain:
            found += renamed_steps(steps, names, {self.header.mark: None})
        return found

    def settle(self, index: str) -> None:
        """Let what is read below the loop be what its last round has left."""
        reader = self.reader
        last = self.places[-1]
        names = {word: self.names[1][place] for word, place in last.items()}
        for word, name in names.items():
            if word in reader.values:
                reader.values[name] = reader.values[word]
        for word in last if len(self.rounds) > 2 else ():
            reader.made.pop(word)
        for holder, key, term in reader.held():
            used = set() if isinstance(term, Parts | Closure) else names_in(term.node)
            if used & self.all - last.keys():
                holder[key] = Stale(term.node, term.value, "it is of an earlier round", "Keep it in a list.")
            elif not isinstance(term, Parts | Closure) and (used & last.keys() or is_marked(term.node)):
                holder[key] = replace(term, node=renamed(term.node, names, {self.header.mark: index}))


def _alias(steps: list[Step]) -> tuple[int, str, str] | None:
    """The first line that gives another name to what a line before it made: its place, that name, and the old one."""
    inside = names_made(steps)
    for at, step in enumerate(steps):
        match step:
            case Line((target,), ast.Name(source)) if source in inside:
                return at, target, source
    return None


def _last(over: ast.expr) -> ast.expr:
    """The last value of an index."""
    match over:
        case ast.Call(ast.Name("reversed"), [inner]):
            return ast.Subscript(inner, ast.Constant(0), ast.Load())
    return ast.Subscript(over, ast.UnaryOp(ast.USub(), ast.Constant(1)), ast.Load())


def line_draws(reader: Reader, name: str) -> bool:
    """Whether a name stands for random numbers."""
    return name in reader.draws.names


def _is_summed(carried: Carried, body: list[Step]) -> bool:
    """Whether rounds only add to a name."""
    uses = sum(
        name == carried.entering for part in parts_of(body) if isinstance(part, ast.expr) for name in _names(part)
    )
    for step in body:
        if isinstance(step, Line) and step.targets == (carried.leaving,):
            first = step.value
            while isinstance(first, ast.BinOp) and isinstance(first.op, ast.Add | ast.Sub):
                first = first.left
            return isinstance(first, ast.Name) and first.id == carried.entering and uses == 1
    return False


def _names(node: ast.AST) -> list[str]:
    return [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]
