"""What of a notebook cell is not Python: magics and shell lines."""

import re

_CELL_MAGIC_RUNS_PYTHON = re.compile(r"^%%(time|timeit|capture|prun|forward|backward|derive)\b")


RUNS_A_STATEMENT = re.compile(r"(\s*)%(?:time|prun)\s+([^-\s].*)", re.DOTALL)


RUNS_WITHOUT_PERCENT = re.compile(r"(?:cd|ls|ll|pwd|pip|conda|cat|cp|mv|rm|mkdir|rmdir|who|whos)(?:\s+-?[\w/~.].*)?\s*")
"""What a notebook takes for a magic or a shell line although nothing says so."""


_SHELL_ASSIGNMENT = re.compile(r"^\s*[\w, ]+=\s*[!%]")


def without_magics(code: str) -> str:
    """The code with shell lines and magics emptied, but for a statement they run, every line at its own number.

    >>> without_magics("!wget names.txt\\nx = 1\\n%time y = 2")
    '\\nx = 1\\ny = 2'
    """
    lines = code.split("\n")
    first = next((i for i, line in enumerate(lines) if line.strip()), 0)
    if lines[first].startswith("%%"):
        if not _CELL_MAGIC_RUNS_PYTHON.match(lines[first]):
            return "\n" * (len(lines) - 1)
        lines[first] = ""
    return "\n".join(_blank(line) for line in lines)


def _blank(line: str) -> str:
    bare = line.lstrip()
    if timed := RUNS_A_STATEMENT.match(line):
        return timed[1] + timed[2]
    if RUNS_WITHOUT_PERCENT.fullmatch(line):
        return ""
    if bare.startswith(("!", "%", "?")) or (bare.endswith("?") and "#" not in bare) or _SHELL_ASSIGNMENT.match(line):
        indent = line[: len(line) - len(bare)]
        return f"{indent}pass" if indent else ""
    return line
