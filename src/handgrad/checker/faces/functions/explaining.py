"""Which line is wrong: what the checker of programs finds in the two functions, as far as the verdict agrees."""

from dataclasses import replace

from handgrad.checker.faces.functions.findings import Finding, Verdict
from handgrad.checker.faces.functions.layout import OURS, SYNTHETIC, Layout
from handgrad.checker.read.source import exchanged
from handgrad.checker.report import Diagnosis, Report, VariableReport


def explained(report: Report, verdict: Verdict) -> Report:
    """The report with the lines at fault, where laying the functions out finds some that account for what is wrong."""
    if not any(_by_values(found) for found in verdict.wrong):
        return report
    try:
        layout = Layout(verdict)
        laid_out = layout.report()
    except Exception:  # the verdict stands
        return report
    words = {layout.names[one]: one.text for one in layout.names if layout.names[one] != one.text} | layout.words
    _speak(laid_out, words)
    return _reconciled(report, laid_out, verdict)


def _by_values(found: Finding) -> bool:
    """Whether it is wrong for any upstream gradient: a program laid out shows no other."""
    return found.upstream is None or found.upstream.kind in ("random", "sizes")


def _reconciled(report: Report, laid_out: Report, verdict: Verdict) -> Report:
    """One row for each input as the verdict has it, explained by the program laid out, and what lies between them."""
    faults = {one.text: found.fault for one, found in verdict.findings.items()}
    flat = {one.text for one, found in verdict.findings.items() if not bool(found.want.any())}
    between = [row for row in laid_out.variables if row.name not in faults and _is_worth_a_row(row, laid_out)]
    own = {row.name: row for row in reversed(laid_out.variables) if row.cause == "own" and laid_out.is_fault(row)}
    last = {row.name: row for row in laid_out.variables}
    hazards = [hazard for hazard in laid_out.hazards if OURS not in hazard.variable]
    elsewhere = any(row.cause == "own" for row in between) or hazards
    rows: list[VariableReport] = []
    for row in report.variables:
        mine, other = own.get(row.name), last.get(row.name)
        if row.cause == "inherited" or "exchanged" in [one.fact for one in row.diagnosis]:
            rows.append(row)
        elif faults.get(row.name) in ("wrong", "missing") and mine is not None and row.name not in flat:
            rows.append(_at_home(mine, row))
        elif faults.get(row.name) == "wrong" and (elsewhere or (own and getattr(other, "cause", None) == "inherited")):
            rows.append(replace(row, cause="inherited", diagnosis=[]))
        elif not faults.get(row.name) and other is not None and other.place is not None and other.place.line:
            rows.append(replace(row, place=other.place, text=other.text, proof=other.proof))
        else:
            rows.append(row)
    order = {row.name: i for i, row in enumerate(laid_out.variables)}
    report.variables = sorted([*between, *rows], key=lambda row: order.get(row.name, len(order)))
    report.hazards, report.loss = hazards, laid_out.loss
    known = {*report.notes, *map(str, laid_out.unjudged)}
    report.notes += [note for note in laid_out.notes if OURS not in note and note not in known]
    return report


def _speak(laid_out: Report, words: dict[str, str]) -> None:
    """Turn the names of the program into the user's words."""

    def spelled(text: str) -> str:
        for ours, theirs in words.items():
            text = exchanged(text, ours, theirs)
        return text

    def respelled(found: Diagnosis) -> Diagnosis:
        """A value that the forward function has may go by the name of another in the backward one."""
        more = found.left_over
        if more is not None:
            at_home = more.place is not None and more.place.file != SYNTHETIC
            more = replace(more, formula=spelled(more.formula), path=spelled(more.path), times=spelled(more.times))
            more = more if at_home else replace(more, place=None)
        said = replace(found.spelled(spelled), fix=found.fix and spelled(found.fix), left_over=more)
        if said.old and said.old == said.new:
            return replace(said, fact="not kept", about=(said.old,), fix=None)
        if said.old and said.old.strip("()") == said.new.strip("()"):  # names of two calls, which the user has as one
            return Diagnosis("unknown", found.place)
        return said

    laid_out.notes = [spelled(note) for note in laid_out.notes]
    for row in laid_out.variables:
        row.name, row.gradient = words.get(row.name, row.name), spelled(row.gradient)
        row.diagnosis = list(map(respelled, row.diagnosis))


def _is_worth_a_row(row: VariableReport, laid_out: Report) -> bool:
    """Whether a row is about a variable of the user's that has a gradient."""
    if OURS in row.name + row.gradient or (row.place is not None and row.place.file == SYNTHETIC):
        return False
    return row.verdict != "missing" or laid_out.is_fault(row)


def _at_home(mine: VariableReport, row: VariableReport) -> VariableReport:
    """What the program laid out says of an input, in its own words, and at a line of the user's."""
    named = mine.diagnosis
    if any(OURS in one.message or one.kind == "unknown" for one in named):
        named = row.diagnosis
    if mine.place is None or mine.place.file == SYNTHETIC:
        named = [replace(one, place=row.place, fix=None) for one in named]
        return replace(mine, place=row.place, text=row.text, diagnosis=named, gradient=row.gradient)
    return replace(mine, diagnosis=named, gradient=row.gradient)
