"""The sentences about what the checker found: of what kind a mistake is, and what it should be."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handgrad.checker.report import Diagnosis, LeftOver, Report, Unjudged

MESSAGES = {
    "sign": "the sign is wrong",
    "scale": "it is off by a constant factor",
    "bessel": "n and n - 1 are confused (Bessel's correction)",
    "missing-path": "a path is missing",
    "extra-path": "a path is counted twice",
    "missing-sum": "a sum is missing: a value that was broadcast collects the gradients of all its copies",
    "misplaced-sum": "the sum stands in the wrong place: multiply first, then sum",
    "extra-sum": "there is a sum too many",
    "missing-expansion": "an expansion is missing: each element that was summed gets the gradient of the sum",
    "wrong-dim": "the dimension is wrong",
    "transpose": "a transpose, or the order of the factors, is wrong",
    "shape": "the shape is not that of the variable",
    "wrong-variable": "the wrong variable is used",
    "wrong-constant": "a constant is wrong",
    "wrong-operator": "an operator or function is wrong",
    "wrong-index": "the index is wrong",
    "missing-factor": "a factor is missing",
    "extra-factor": "there is a factor too many",
    "missing-term": "a term is missing",
    "extra-term": "there is a term too many",
    "epsilon": "the epsilon is not that of the forward pass",
    "overwrite": "it overwrites where it should add",
    "bad-start": "it starts from the wrong values",
    "in-place": "a statement changes another variable through shared storage",
    "shadowed": "a name of the forward pass gets another meaning, and a later line uses it",
    "stale": "a value is read before it is finished, or after it has changed",
    "missing": "not written yet",
    "unknown": "it is wrong, and no single edit that was tried repairs it",
}
"""What is said of each kind of mistake."""

FACTS = {
    "unwritten": "{0} is not written yet",
    "path missing": "a path is missing: {0} also reaches the loss through {1}",
    "path twice": "the path through {0} is counted twice",
    "dimensions": f"{MESSAGES['missing-sum']} (over dimensions {{0}})",
    "ratio": "it has to be multiplied by {0}",
    "type": "{0} is of type {1}, not a tensor of shape {2}",
    "no tensor": "this is a {0}, not a tensor of shape {1}",
    "other shape": "the shape is {0}, that of {1} {2}",
    "raises": "this line raises {0}",
    "refused": "this line raises {0} Put it under torch.no_grad()",
    "not kept": "it is not the {0} of the forward function, which has to be kept",
    "contiguous": "{0} is right for a contiguous upstream gradient alone, and wrong where {1}; {2}",
    "some upstreams": "{0} is right otherwise, and wrong where {1}",
    "nothing": "{0} is not a tensor",
    "exchanged": "{0} and {1} are exchanged: each is returned in the place of the other",
    "conjugate": "{0} is the complex conjugate of the right gradient",
    "minus": "{0} has the wrong sign",
    "wrong": "{0} is wrong",
    "unused": "no output depends on {1}, so that {0} is zero, or None",
    "coarse": "{0} is off by {1} of its largest element, as rounding or a quantised save makes it; rtol= allows for it",
    "lacks a sum": "{0} lacks a sum over dimensions {1}",
    "has a shape": "{0} has the shape {1}; it should be {2}",
    "multiple": "{0} is {1} times the right gradient; it has to be multiplied by {2}",
    "zero": "{0} is zero, and should not be",
    "not finite": "{0} is not finite",
    "elements": "{0} is wrong in {1} of {2} elements, the first at {3}: it is {4} there, and should be {5}",
    "flat": "the right gradient is zero everywhere: the forward pass is flat here, as round() or a comparison is; "
    "a straight-through estimator differs from it on purpose",
    "one tensor": "{0} and {1} are one tensor, so this changes {2} {1} too; start from a copy{3}: {1}.{4}()",
    "in place": "this changes {2} {1} in place; work on a copy{3}: {1}.{4}()",
    "stale": "{0} reads {1} before {2} has finished it; move this line below that one",
    "too early": "this changes {0} before {1} in {2} has used it; change it afterwards",
    "forgotten letter": "this is the gradient of {0}, and takes the place of {0}: call it d{0}",
    "shadowed": "{0} belongs to the forward pass and gets another value here, which {1} in {2} then uses; call it "
    "something else",
}
"""What is said of each fact, of its particulars in their order."""

NOT_DERIVED = "it is not what follows from the forward pass"
NUMBERS = dict(enumerate(["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], start=2))

ANSWERS = {
    "path missing",
    "path twice",
    "dimensions",
    "ratio",
    "lacks a sum",
    "has a shape",
    "multiple",
    "forgotten letter",
}
"""The facts that tell more than the kind of the mistake."""

MOST_NAMES = 8
"""How many gradients that were not judged the last line names."""
LONGEST = 120
"""Characters of an edit beyond which the corrected line tells more."""


def sentence(found: "Diagnosis", hint: int | None = None) -> str:
    """What is wrong; with a `hint` of 2 the kind of mistake, and not the answer."""
    said = MESSAGES[found.kind] if found.kind != "unknown" or not found.old else NOT_DERIVED
    if found.fact and not (hint == 2 and found.fact in ANSWERS):
        said = _fact(found)
    elif found.old and hint != 2 and (edit := _edit(found)):
        said = edit if found.kind == "wrong-variable" else f"{said}: {edit}"
    if found.inserted and hint != 2:
        after = found.end
        said += f"; add a line after line {after}" if found.place and after != found.place.line else "; add a line"
    if found.kept and hint != 2:
        said += f"; the forward pass has to keep {' and '.join(f'`{name}`' for name in found.kept)} for it"
    if found.lines:
        said += f"; it is in line {', '.join(map(str, found.lines[:-1]))} or {found.lines[-1]}"
    if found.masked:
        said = f"invisible here, wrong in general: {said}"
    if found.dtype:
        said = f"the dtype is {found.dtype}, not a float one; {said}"
    if found.raised:
        said = f"{found.raised} ({said})"
    return f"{'and besides: ' if found.besides else ''}{said}."


def _fact(found: "Diagnosis") -> str:
    if found.fact == "unwritten" and len(found.about) > 1:
        number = NUMBERS.get(len(found.about), len(found.about))
        return f"{number} gradients are not written yet: {', '.join(found.about)}"
    return FACTS[found.fact].format(*found.about)


def _edit(found: "Diagnosis") -> str:
    if not found.new:
        return "leave this line out"
    keeps = [re.search(r"keepdims?=True", text) is not None for text in (found.old, found.new)]
    more = ", which loses the kept dimension" if keeps == [True, False] else ""
    return f"uses `{found.old}`; it should be `{found.new}`{more}" if len(found.old + found.new) < LONGEST else ""


def left_over(left: "LeftOver") -> str:
    """What a line has too much or lacks, and which path that belongs to."""
    said = [f"too {'little' if left.lacks else 'much'} by {left.formula}"] if left.formula else []
    if left.times and left.path:
        path = f"the path through {left.path}" + (f" ({left.place})" if left.place else "")
        known = {"0": "is missing", "2": "is there twice", "-1": "has the wrong sign"}
        said.append(f"{path} {known.get(left.times) or f'comes out {left.times} times as large'}")
    elif left.times:
        said.append(f"it is {'minus' if left.times == '-1' else f'{left.times} times'} the right gradient")
    return f"{': '.join(said)}."


def unjudged(one: "Unjudged") -> str:
    """What was not judged, and why."""
    where = f"{one.place}: " if one.place else ""
    return f"{where}{one.reason}, so {one.gradient} is not judged."


def summary(report: "Report") -> str:
    """The last line: how many are right, and how many lines are at fault."""
    right_ones = [v for v in report.variables if v.verdict in ("exact", "close")]
    right = len(right_ones)
    checked = sum(not (v.verdict == "missing" and v.cause is None) for v in report.variables)
    lines = {v.place or v.gradient for v in report.variables if report.is_fault(v)}
    faults = len(lines) + len(report.hazards) + len(report.faults)
    total, left = checked + len(report.unjudged), len(report.unjudged)
    said = f"{right} of {total} {'gradient is' if total == 1 else 'gradients are'} right"
    if not faults and right == total and right:
        said = "The gradient is right" if right == 1 else f"All {right} gradients are right"
    if report.show_proofs:
        said += f", {sum(v.proven for v in right_ones)} proven"
    if faults:
        said += f"; {faults} {'line is' if faults == 1 else 'lines are'} at fault"
    if left:
        names = list(dict.fromkeys(one.gradient for one in report.unjudged))
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        said += f"; {left} {'was' if left == 1 else 'were'} not judged: {', '.join(names[:MOST_NAMES])}{more}"
    return f"{said}."
