"""Names for what a backward pass makes: `d` and the variable's for a gradient, short ones for temporaries."""

import copy
import itertools

from handgrad.derive.read.calls import Call, is_array
from handgrad.derive.read.program import Program
from handgrad.derive.read.steps import names_made, names_used

HINTS: dict[str, str] = {
    **dict.fromkeys(("add", "matmul", "linear", "addmm", "einsum"), "a"),
    **dict.fromkeys(("sub",), "diff"),
    **dict.fromkeys(("sum", "cumsum"), "s"),
    **dict.fromkeys(("mean",), "m"),
    **dict.fromkeys(("tanh",), "t"),
    **dict.fromkeys(("softmax", "sigmoid"), "p"),
    **dict.fromkeys(("exp",), "e"),
    **dict.fromkeys(("relu",), "r"),
    "log_softmax": "logp",
    "logsumexp": "lse",
    "norm": "norm",
    "var": "var",
    "std": "std",
}


def hint(call: Call | None) -> str:
    """A name for the value of a call that has none."""
    return HINTS.get(call.name, "u") if call else "u"


class Gradients:
    """The names of gradients, `names` by variable, and of temporaries; no two are the same.

    The gradient of a variable of the program may have a name that stands before the program but not in it, as the
    program's author will have called it so; a temporary may not.
    """

    def __init__(self, program: Program):
        """See the class."""
        inside = names_used(program.lines) | set(names_made(program.lines))
        self.names: dict[str, str] = {}
        self._taken = set(inside)
        floats = (name for name in sorted(inside) if is_array(program.values.get(name)))
        self._reserved = {name: self.fresh(f"d{name}") for name in floats}
        self._taken |= set(program.values)

    def copy(self) -> "Gradients":
        """The same names, to try something out."""
        return copy.deepcopy(self)

    def share(self, variable: str, other: str) -> None:
        """Let a variable's gradient have the name that another one's has."""
        self.names[variable] = self.of(other)

    def of(self, variable: str) -> str:
        """The name of a variable's gradient."""
        if variable not in self.names:
            self.names[variable] = self._reserved.get(variable) or self.fresh(f"d{variable}")
        return self.names[variable]

    def fresh(self, wanted: str) -> str:
        """A name like this one which is not taken yet."""
        name = wanted
        for count in itertools.count(2):
            if name not in self._taken:
                break
            name = f"{wanted}{count}"
        self._taken.add(name)
        return name
