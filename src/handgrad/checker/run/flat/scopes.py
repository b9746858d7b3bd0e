"""The calls that were laid out, and which variable a name in one of them is the gradient of."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from handgrad.checker.read.names import gradient_of, variables_of
from handgrad.checker.read.spelling import DOT, are_halves, bare, is_dict_of_gradients, number_of
from handgrad.checker.run.flat.elements import Elements
from handgrad.checker.run.flat.entries import Entries
from handgrad.checker.run.flat.parameters import Parameters

_BACKWARD = re.compile(r"back|bwd|bprop|grad|loss|cost|step|train|main|fit|run", re.IGNORECASE)


@dataclass(frozen=True)
class Scope:
    """One call that was laid out: its function, the object it is a method of, and the names it reads from outside."""

    function: str
    owner: str | None
    parameters: list[str]
    outside: set[str]
    backward: bool


class Scopes:
    """The calls so far, known by their numbers.

    Args:
        entries: of dicts, lists and objects, that have names.
        elements: of lists, that have names.
        parameters: of modules.
        compared: the variable that a name was compared with, by `cmp` or the like.
    """

    def __init__(self, entries: Entries, elements: Elements, parameters: Parameters, compared: Mapping[str, str]):
        """See the class."""
        self.entries, self.elements, self.parameters, self._compared = entries, elements, parameters, compared
        self._scopes: list[Scope] = []
        self._first = 0

    def __len__(self) -> int:
        """How many there are."""
        return len(self._scopes)

    def __getitem__(self, number: int) -> Scope:
        """The call of that number."""
        return self._scopes[number]

    def open(self, scope: Scope) -> int:
        """The number of one more call."""
        self._scopes.append(scope)
        return len(self._scopes) - 1

    def open_nameless(self, *parameters: str) -> int:
        """The number of what is no call, and needs a name that nothing else has."""
        return self.open(Scope("", None, [*parameters], set(), False))

    def begin(self) -> None:
        """Another pass begins: its backward functions belong to its own forward functions."""
        self._first = len(self._scopes)

    def computes_gradients(self, name: str) -> bool:
        """Whether a local name is one of a function that is called like one for gradients."""
        number = number_of(name)
        return number is None or bool(_BACKWARD.search(self._scopes[number].function))

    def variable_of(self, name: str, known: set[str]) -> str | None:
        """The variable among `known` that `name` is the gradient of."""
        if (found := next((v for v in self.elements.variables(name) if v in known), None)) is not None:
            return found
        if name in self.entries.found:
            places = self._places_of_entry(name, known)
        elif (number := number_of(name)) is not None:
            places = self._places_of_local(bare(name), number, known)
        elif (found := gradient_of(name, {n for n in known if DOT not in n})) is not None:
            return found
        elif self._compared.get(name) in known:
            return self._compared[name]
        else:
            places = (self._only_entry(key, known) for key in variables_of(name))
        found = next((place for place in places if place in known), None)
        return found or next(self.parameters.variables(name, known), None)

    def _places_of_local(self, name: str, number: int, known: set[str]) -> Iterator[str]:
        """Its own call, its object, outside where it looks there, the forward half; what a parameter is, others say."""
        scope = self._scopes[number]
        for variable in variables_of(name) if name not in scope.parameters else ():
            yield f"{variable}{DOT}{number}"
            if scope.owner:
                yield f"{scope.owner}{DOT}{variable}"
            if variable in scope.outside:
                yield variable
            if (half := self.forward_half(scope)) is not None:
                yield f"{variable}{DOT}{half}"
            if scope.backward and (entry := self._only_entry(variable, known)) is not None:
                yield entry

    def forward_half(self, scope: Scope) -> int | None:
        """The call of the forward function that a backward one belongs to, where there is one call alone of either."""
        calls = [i for i in range(self._first, len(self._scopes)) if self._scopes[i].owner == scope.owner]
        calls = [i for i in calls if are_halves(self._scopes[i].function, scope.function) and self._scopes[i].function]
        forward = [i for i in calls if not self._scopes[i].backward]
        return forward[0] if len(forward) == 1 and len(calls) == 2 and scope.backward else None

    def _places_of_entry(self, name: str, known: set[str]) -> Iterator[str | None]:
        entry = self.entries.found[name]
        keys = variables_of(entry.key)
        if entry.is_attribute and entry.key == "grad":
            yield entry.path
        yield from (f"{entry.path}{DOT}{key}" for key in keys)
        holder, _, within = entry.path.partition(DOT)
        if within and is_dict_of_gradients(holder):
            ends = [f"{DOT}{within}{DOT}{key}" for key in (entry.key, *keys)]
            yield from sorted(n for n in known if n.endswith(tuple(ends)) and not n.startswith(holder + DOT))
        if entry.is_attribute and not is_dict_of_gradients(entry.path):
            calls = [i for i in range(self._first, len(self._scopes)) if self._scopes[i].owner == entry.path]
            forward = [i for i in calls if not self._scopes[i].backward]
            yield from (f"{key}{DOT}{forward[0]}" for key in keys if len(forward) == 1)
            return
        made_in = number_of(entry.path)
        for key in [entry.key, *keys] if is_dict_of_gradients(entry.path) else keys:
            yield key
            yield self._only_entry(key, known, entry.path.rpartition(DOT)[0]) or self._only_entry(key, known)
            if made_in is not None:
                yield f"{key}{DOT}{made_in}"

    def _only_entry(self, key: str, known: set[str], holder: str = "") -> str | None:
        """The entry of this key, where there is one alone; with `holder`, the one in a dict of that object."""
        found = [
            name
            for name, entry in self.entries.found.items()
            if entry.key == key and name in known and not is_dict_of_gradients(entry.path)
            if not holder or entry.path.rpartition(DOT)[0] == holder
        ]
        return found[0] if len(found) == 1 else None
