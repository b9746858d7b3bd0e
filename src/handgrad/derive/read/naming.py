"""Give every value a name to print: the user's own, and a readable one where the user assigned a name again."""

from collections import Counter
from collections.abc import Collection

from handgrad.derive.read.reader import Reader


def final_names(reader: Reader, active: Collection[str], outside: Collection[str]) -> dict[str, str]:
    """A name to print for each name with a serial number.

    The first value of a name keeps the user's name for it, and later ones are numbered from 2: `x`, `x2`. A constant
    ahead of values that depend on the inputs is numbered 0 and leaves them the name, `loss0 = 0`, and so does what a
    loop starts from. Names in functions come after the program's own, and those of lines that are written out are
    numbered by their rounds.

    Args:
        reader: what was read.
        active: the names with serial numbers that depend on an input.
        outside: those that are read outside the loop that makes them.
    """
    found: dict[str, str] = {}
    made = reader.made
    taken = set(reader.taken) | {m.base for m in made.values() if m.own and m.round is None}
    bases: dict[str, list[str]] = {}
    for name, one in made.items():
        if one.own and one.round is None and not (one.index and name not in outside):
            bases.setdefault(one.base, []).append(name)
    plain: dict[str, str] = {}
    first: dict[str, int] = {}
    for base, names in bases.items():
        later = [name for name in names if name not in reader.starts] or names
        chosen = next((name for name in later if name in active), later[0])
        first.update(dict.fromkeys(names[: names.index(chosen)], 0))
        if base not in reader.values:
            plain[chosen] = base
    counts = Counter(m.base for m in made.values() if not m.index and m.round is None)
    for name, one in made.items():
        if one.round is not None:
            continue
        shared = one.index and name not in outside and not counts[one.base]
        later = name in reader.starts and not one.own
        if name in plain or shared or (one.base not in taken and not later):
            found[name] = one.base
        else:
            start = 0 if name in reader.starts else first.get(name, 2)
            found[name] = _numbered(one.base, taken, start)
        taken.add(found[name])
    for name, one in made.items():
        if name not in found:
            found[name] = _numbered(f"{one.base}_", taken, one.round or 0)
    return found


def _numbered(base: str, taken: set[str], count: int) -> str:
    joint = "_" if base[-1].isdigit() else ""
    while f"{base}{joint}{count}" in taken:
        count += 1
    taken.add(f"{base}{joint}{count}")
    return f"{base}{joint}{count}"
