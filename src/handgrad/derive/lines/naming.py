"""Names for what a backward pass makes: `d` and the variable's for a gradient, short ones for temporaries."""

import ast
import itertools

from handgrad.derive.read.calls import Call, is_array
from handgrad.derive.read.program import Line, Program

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

    def __init__(self, program: Program):  # noqa: D107
        lines = [line for line in program.lines if isinstance(line, Line)]
        inside = {n.id for line in lines for n in ast.walk(line.value) if isinstance(n, ast.Name)}
        inside |= {target for line in lines for target in line.targets}
        self.names: dict[str, str] = {}
        self._taken = set(inside)
        self._reserved = {name: self.fresh(f"d{name}") for name in sorted(inside) if is_array(program.values.get(name))}
        self._taken |= set(program.values)

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
