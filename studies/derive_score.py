"""How far derivations get: right, refused and wrong, by form and by kind of case, how long they are, and how fast.

    python studies/derive_score.py [--form lines|closed|shortest] [--kind KIND] [NAME ...] [-v] [--refused FILE]

With names, only cases whose name contains one of them; `-v` shows the source of each; `--refused` writes which cases
are refused, as the tests read it.
"""

import argparse
import contextlib
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "derive"))

from cases import KINDS, Case, Exercise, tokens

from handgrad.derive.backward import Backward
from handgrad.derive.read.program import Program
from handgrad.derive.styling import styled
from handgrad.derive.verify import Verification, references, verify
from handgrad.errors import DeriveError

LIMIT = 30
"""Seconds after which a derivation is given up."""


@dataclass(frozen=True)
class Outcome:
    """What came of deriving one form of one case: right, refused, wrong, or an error that is none of ours."""

    kind: str
    form: str
    name: str
    state: str
    why: str
    seconds: float
    source: str
    tokens: int = 0
    by_a_person: int = 0


def main() -> None:
    """Print the scoreboard."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--form", action="append", choices=("lines", "closed", "shortest"))
    parser.add_argument("--kind", action="append")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--refused", type=Path)
    options = parser.parse_args()
    outcomes: list[Outcome] = []
    for kind, cases in KINDS.items():
        if options.kind and kind not in options.kind:
            continue
        for case in cases:
            if options.names and not any(name in case.name for name in options.names):
                continue
            for outcome in tried(kind, case, options.form or ("lines", "closed", "shortest")):
                outcomes.append(outcome)
                show(outcome, options.verbose)
    summary(outcomes)
    if options.refused:
        options.refused.write_text(refused(outcomes))


def refused(outcomes: list[Outcome]) -> str:
    """The refused cases as a table of TOML, by form, each with its reason."""
    lines = ["# Cases that a form refuses, and why: written by 'python studies/derive_score.py --refused FILE'.", ""]
    for form in dict.fromkeys(o.form for o in outcomes):
        lines += [f"[{form}]"]
        here = [o for o in outcomes if o.form == form and o.state == "refused"]
        lines += [f"{json.dumps(o.name)} = {json.dumps(o.why)}" for o in here]
        lines += [""]
    return "\n".join(lines)


def tried(kind: str, case: Case | Exercise, forms: tuple[str, ...]) -> Iterator[Outcome]:
    """What comes of each form of a case."""
    try:
        program = case.program()
    except DeriveError as error:
        yield from (Outcome(kind, form, case.name, "refused", f"read: {error}", 0, "") for form in forms)
        return
    except Exception as error:  # a fault of ours is a line of the scoreboard
        yield from (Outcome(kind, form, case.name, "error", f"read: {error!r}", 0, "") for form in forms)
        return
    known = {program.output: (program, references(program))}
    if "lines" in forms:
        from handgrad.derive.lines import lines_backward

        yield _outcome(kind, "lines", case.name, lambda: lines_backward(program), *known[program.output])
    if "closed" in forms:
        from handgrad.derive.closed import closed

        for target, person in dict(case.closed).items():
            name, _, end = target.partition(" from ")
            end = end or program.output
            if end not in known:
                part = case.program(output=end)
                known[end] = part, references(part)
            found = _outcome(
                kind, "closed", f"{case.name}: {target}", lambda n=name, e=end: closed(program, n, e), *known[end]
            )
            length = min(tokens(line) for line in [found.source]) - 2 if found.source else 0
            yield Outcome(**{**vars(found), "tokens": length, "by_a_person": tokens(person)})
    if "shortest" in forms:
        from handgrad.derive.shortest import shortest

        yield _outcome(kind, "shortest", case.name, lambda: shortest(program), *known[program.output])


def _outcome(
    kind: str, form: str, name: str, derive: Callable[[], Backward], program: Program, known: tuple
) -> Outcome:
    begin = time.process_time()
    try:
        with limited(LIMIT):
            backward = styled(program, derive())
    except TimeoutError:
        return Outcome(kind, form, name, "error", f"not within {LIMIT} s", time.process_time() - begin, "")
    except DeriveError as error:
        return Outcome(kind, form, name, "refused", str(error), time.process_time() - begin, "")
    except Exception as error:  # a fault of ours is a line of the scoreboard
        return Outcome(kind, form, name, "error", f"{type(error).__name__}: {error}", time.process_time() - begin, "")
    seconds = time.process_time() - begin
    against = references(program, kinds=True) if backward.facts else known if backward.below is None else None
    found = verify(program, backward, against=against)
    right = found.right if form == "closed" else found.complete
    why = "" if right else reason(found) or f"no gradient of {', '.join(found.missing)}"
    return Outcome(kind, form, name, "right" if right else "wrong", why, seconds, backward.source)


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise a TimeoutError when the processor has worked for so long."""

    def ring(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def reason(found: Verification) -> str:
    """Why a derivation is not right."""
    wrong = [f"{c.gradient}: {c.problem or f'off by {c.error:.1e}'}" for c in found.wrong]
    changed = [f"changes {name}" for name in found.changed]
    return "; ".join([*([found.failure] if found.failure else []), *wrong[:3], *changed])


def show(outcome: Outcome, verbose: bool) -> None:
    """One line of the scoreboard."""
    length = (
        f"  {outcome.tokens} tokens, a person's {outcome.by_a_person}" if outcome.by_a_person and outcome.source else ""
    )
    print(
        f"{outcome.state:8s} {outcome.form:9s} {outcome.name:44s} {outcome.seconds:6.2f}s{length}  {outcome.why[:200]}"
    )
    if verbose and outcome.source:
        print(*(f"    {line}" for line in outcome.source.split("\n")), sep="\n")


def summary(outcomes: list[Outcome]) -> None:
    """How many of each, by form and kind."""
    print()
    for form in dict.fromkeys(o.form for o in outcomes):
        for kind in dict.fromkeys(o.kind for o in outcomes):
            here = [o for o in outcomes if o.form == form and o.kind == kind]
            if here:
                print(f"{form:9s} {kind:12s} {_counted(here)}")
        everything = [o for o in outcomes if o.form == form]
        print(f"{form:9s} {'all':12s} {_counted(everything)}")
    lengths = [o.tokens - o.by_a_person for o in outcomes if o.state == "right" and o.by_a_person]
    if lengths:
        print(f"closed forms: {sum(d <= 0 for d in lengths)} of {len(lengths)} as short as a person's, "
              f"{sum(d <= 2 for d in lengths)} within two tokens")  # fmt: skip


def _counted(outcomes: list[Outcome]) -> str:
    states = Counter(o.state for o in outcomes)
    slowest = max(outcomes, key=lambda o: o.seconds)
    parts = [f"{states[state]:3d} {state}" for state in ("right", "refused", "wrong", "error")]
    return (
        f"{'  '.join(parts)}   {sum(o.seconds for o in outcomes):6.1f}s, slowest {slowest.seconds:.2f}s {slowest.name}"
    )


if __name__ == "__main__":
    main()
