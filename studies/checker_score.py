"""How far the checker gets: mistakes found, put on their own line, explained, said in what is left over; false alarms.

    python studies/checker_score.py [--set first|second|third] [--right] [--json FILE] [NAME ...] [-v]

The mistakes are those of the tests' tables, or with `--right` the right programs, of which none may be blamed. Each
sentence about what is left over is tried: the program is run in float64 with what the sentence says taken off the line.
With names, only cases whose id contains one of them; `-v` shows what was said of each.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "checker"))

import cases
from cases.third import PLANTED_LINES, PROVEN_PROGRAMS
from left_over import holds, mends

from handgrad.checker import Report, check
from handgrad.checker.report import VariableReport
from handgrad.errors import HandgradError

MISTAKES = {"first": cases.MISTAKES, "second": cases.SECOND.mistakes, "third": PLANTED_LINES}
RIGHT = {
    "first": (*cases.PROGRAMS, *cases.SPELLINGS),
    "second": (*cases.SECOND.programs, *cases.SECOND.spellings),
    "third": PROVEN_PROGRAMS,
}


@dataclass
class Outcome:
    """What the checker says of one case; `said` is each sentence about what is left over, and whether it holds."""

    id: str
    seconds: float = 0.0
    error: str = ""
    found: bool = False
    on_its_line: bool = False
    explained: bool = False
    said: list[tuple[str, bool | None]] = field(default_factory=list)
    right: int = 0
    proven: int = 0


def main() -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--set", action="append", choices=tuple(MISTAKES))
    parser.add_argument("--right", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    everything = {}
    for name, table in (RIGHT if options.right else MISTAKES).items():
        if options.set and name not in options.set:
            continue
        chosen = [case for case in table if not options.names or any(part in case.id for part in options.names)]
        outcomes = everything[name] = list(map(_tried, chosen))
        if options.verbose:
            for outcome in outcomes:
                print(json.dumps(asdict(outcome)))
        print(name, _alarms(outcomes) if options.right else _rates(outcomes), flush=True)
    if options.json:
        options.json.write_text(json.dumps({name: list(map(asdict, rows)) for name, rows in everything.items()}))


def _tried(case: Any) -> Outcome:
    outcome = Outcome(case.id)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "program.py"
        file.write_text(case.source)
        begin = time.perf_counter()
        try:
            report = check(file)
        except HandgradError as error:
            outcome.error = str(error)
            return outcome
        outcome.seconds = time.perf_counter() - begin
    outcome.found = not report.right or any(row.verdict == "shape" for row in report.variables)
    if hasattr(case, "kinds"):
        outcome.on_its_line = {row.line for row in report.blamed} == case.lines and not report.hazards
        outcome.explained = bool(_kinds(report) & case.kinds)
    elif hasattr(case, "kind"):
        names = {h.variable for h in report.hazards} if case.hazard else {row.name for row in report.blamed}
        outcome.on_its_line = names == {case.variable}
        outcome.explained = bool(_kinds(report) & {case.kind, *case.also})
    for row in report.blamed:
        sentences = [said for d in row.diagnosis if (said := getattr(d, "left_over", None))]
        outcome.said += [(said, _is_true(said, case.source, row)) for said in sentences]
    right = [row for row in report.variables if row.verdict in ("exact", "close")]
    outcome.right, outcome.proven = len(right), sum(getattr(row, "proven", False) for row in right)
    return outcome


def _is_true(sentence: str, source: str, row: VariableReport) -> bool | None:
    """Whether a sentence holds: told without the checker, or else by it, of the line that is mended by the sentence."""
    told = holds(sentence, source, row)
    return mends(sentence, source, row, _checked) if told is None else told


def _checked(source: str) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "program.py").write_text(source)
        return check(Path(folder) / "program.py")


def _kinds(report: Report) -> set[str]:
    return {d.kind for row in report.blamed for d in row.diagnosis} | {h.kind for h in report.hazards}


def _rates(outcomes: list[Outcome]) -> str:
    """The rates over the mistakes."""
    said = [one for outcome in outcomes for one in outcome.said]
    parts = [f"{len(outcomes)} mistakes"]
    parts += [_counted(outcomes, name) for name in ("found", "on_its_line", "explained")]
    parts += [f"{sum(bool(o.said) for o in outcomes)} with what is left over"]
    counts = Counter(held for _, held in said)
    parts += [f"of these {counts[True]} hold, {counts[None]} untried, {counts[False]} wrong"]
    return f"{', '.join(parts)}; {_proven(outcomes)}; {_time(outcomes)}"


def _alarms(outcomes: list[Outcome]) -> str:
    """The rates over right programs."""
    alarms = [o.id for o in outcomes if o.found or o.error]
    return f"{len(outcomes)} right programs, {len(alarms)} alarms {alarms}; {_proven(outcomes)}; {_time(outcomes)}"


def _proven(outcomes: list[Outcome]) -> str:
    return f"{sum(o.proven for o in outcomes)} of {sum(o.right for o in outcomes)} right lines proven"


def _time(outcomes: list[Outcome]) -> str:
    seconds = [o.seconds for o in outcomes] or [0.0]
    return f"{statistics.median(seconds):.2f} s each, {max(seconds):.1f} s at most"


def _counted(outcomes: list[Outcome], name: str) -> str:
    return f"{sum(getattr(o, name) for o in outcomes)} {name.replace('_', ' ')}"


if __name__ == "__main__":
    main()
