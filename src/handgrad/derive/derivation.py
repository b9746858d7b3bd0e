"""A derived backward pass, checked: its source, where it comes from, and how it compares with autograd."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from handgrad.derive import Form, Style
from handgrad.derive.backward import Backward, GradientLine
from handgrad.derive.placing import in_place, standing
from handgrad.derive.quoting import quoted
from handgrad.derive.read.program import Program
from handgrad.derive.styling import compared, styled, with_forward_styled
from handgrad.errors import DeriveError

if TYPE_CHECKING:
    from handgrad.derive.explain import Explanation
    from handgrad.derive.verify import Check, Verification


@dataclass(frozen=True, repr=False)
class Derivation:
    """The backward pass of a forward pass, which was compared with autograd before it was handed out.

    `program` is the forward pass as it was read, `written` the backward pass, `form` the one that was asked for, and
    `verification` what came of the comparison.
    """

    program: Program
    written: Backward
    form: Form
    verification: "Verification"

    @property
    def lines(self) -> tuple[GradientLine, ...]:
        """The lines, each with the gradient that it makes and the forward line that it undoes."""
        return self.written.lines

    @property
    def facts(self) -> tuple[str, ...]:
        """What was seen in numbers only: the lines hold where these do."""
        return self.written.facts

    @property
    def notes(self) -> tuple[str, ...]:
        """What holds for this forward pass alone, what was only seen in numbers, and what was not compared."""
        left_out = self.verification.unchecked.items()
        unchecked = [f"{name} was not compared: {why}." for name, why in left_out if name.isidentifier()]
        return (*(self.written.below or self.program).notes, *self.facts, *self.written.notes, *unchecked)

    @property
    def check(self) -> "tuple[Check, ...]":
        """How each gradient compares with the right one, in float64, at the own sizes and at others."""
        return self.verification.checks

    @property
    def source(self) -> str:
        """The lines, to be pasted below the forward pass."""
        return self.written.source

    def quoted(self) -> str:
        """The same, with the forward line that they undo beside them as a comment."""
        return quoted(self.written)

    def explain(self) -> "Explanation":
        """How the gradients of the inputs come about, step by step.

        Raises:
            DeriveError: a line on the way has no index notation.
        """
        from handgrad.derive.explain import explain

        return explain(self.program, self.program.inputs)

    @property
    def summary(self) -> str:
        """One line about the check."""
        judge = "autograd's" if self.program.library == "torch" else "central differences"
        return summary(self.verification, judge)

    def to_json(self) -> dict[str, Any]:
        """All of it for a program."""
        return {
            "form": self.form,
            "output": self.program.output,
            "upstream": self.written.upstream,
            "source": self.source,
            "gradients": dict(self.written.gradients),
            "lines": [_line_to_json(line) for line in self.lines],
            "facts": list(self.facts),
            "check": [_check_to_json(check) for check in self.check],
            "sizes": [{name: list(shape) for name, shape in d.sizes.items()} for d in self.verification.draws],
            "unchecked": dict(self.verification.unchecked),
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        """The source, and one line about the check."""
        return f"{self.source}\n\n{self.remarks}"

    @property
    def remarks(self) -> str:
        """The line about the check and the notes, as comments."""
        return "\n".join(f"# {remark}" for remark in (self.summary, *self.notes))

    def _repr_html_(self) -> str:
        from handgrad.derive.showing import page

        return page(self)


def derived(program: Program, form: Form = "lines", style: Style | None = None) -> Derivation:
    """Derive the backward pass of a forward pass that has been read, and check it.

    Args:
        program: the forward pass.
        form: "lines", "closed" or "shortest".
        style: "torch" or "numpy", where it is not that of the program.

    Raises:
        DeriveError: a line that cannot be differentiated, or what was derived is not right.
    """
    lines, verification = write_and_check(program, form, style)
    placed = with_forward_styled(program, standing(program, lines), style)
    return Derivation(program, in_place(program, placed), form, verification)


def write_and_check(
    program: Program, form: Form, style: Style | None = None, run: Program | None = None
) -> "tuple[Backward, Verification]":
    """The backward pass of a forward pass, and what came of comparing it with autograd.

    Args:
        program: the forward pass.
        form: of the lines.
        style: of the lines.
        run: the forward pass as it runs above the lines, where that is otherwise.

    Raises:
        DeriveError: a line that cannot be differentiated, or what was derived is not right.
    """
    if not program.inputs:
        what = f"{program.output} depends on no float tensor that is not a constant"
        raise DeriveError(what, next_step="Name those to differentiate by.")
    if form == "lines" and program.with_loops() is not program:
        with suppress(DeriveError):
            return _written_and_checked(program.with_loops(), form, style, None)
        return _written_and_checked(replace(program, looped=None), form, style, run)
    if form == "shortest":
        try:
            return _written_and_checked(program, form, style, run)
        except DeriveError as error:
            lines, verification = write_and_check(program, "lines", style, run)
            note = f"Nothing shorter was found than line by line: {error.what}."
            return replace(lines, notes=(*lines.notes, note)), verification
    return _written_and_checked(program, form, style, run)


def _written_and_checked(
    program: Program, form: Form, style: Style | None, run: Program | None
) -> "tuple[Backward, Verification]":
    lines = _written(program, form)
    shown = styled(program, lines, style)
    if style is None or style == program.library:
        return shown, checked(run or program, shown, form)
    plain = styled(program, lines)
    verification = checked(run or program, plain, form)
    compared(program, plain, shown)
    return shown, verification


def _written(program: Program, form: Form) -> Backward:
    if form == "lines":
        from handgrad.derive.lines import lines_backward

        return lines_backward(program)
    if form == "shortest":
        from handgrad.derive.shortest import shortest

        return shortest(program)
    from handgrad.derive.closed import closed

    return _joined([closed(program, name) for name in program.inputs])


def _joined(each: Sequence[Backward]) -> Backward:
    return Backward(
        tuple(line for one in each for line in one.lines),
        {name: gradient for one in each for name, gradient in one.gradients.items()},
        each[0].upstream,
        tuple(dict.fromkeys(line for one in each for line in one.recomputed)),
        tuple(dict.fromkeys(fact for one in each for fact in one.facts)),
    )


def checked(program: Program, written: Backward, form: Form) -> "Verification":
    """Compare a backward pass with autograd.

    Raises:
        DeriveError: it is not right, or nothing of it could be compared.
    """
    from handgrad.derive.verify import verify

    found = verify(program, written)
    if found.right and form == "shortest" and found.missing:
        raise DeriveError(f"the lines that were derived ({form}) lack {', '.join(found.missing)}")
    if found.right:
        return found
    report = "Please report it, with the forward lines: no wrong line is shown."
    if found.failure:
        failure = " ".join(found.failure.split())
        raise DeriveError(f"the lines that were derived ({form}) do not run: {failure}", next_step=report)
    if found.changed:
        what = f"the lines that were derived ({form}) change {', '.join(found.changed)} of the forward pass"
        raise DeriveError(what, next_step=report)
    if not found.checks:
        raise DeriveError("no gradient could be compared with autograd's", next_step=report)
    wrong = "; ".join(f"{c.gradient}: {c.problem or f'off by {c.error:.2g}'}" for c in found.wrong)
    raise DeriveError(f"the lines that were derived ({form}) are not right: {wrong}", next_step=report)


def summary(found: "Verification", judge: str) -> str:
    """How many gradients were compared with what, and how far off they are at most."""
    count = len(found.checks)
    gradients = "the gradient equals" if count == 1 else f"all {count} gradients equal"
    others = len({tuple(draw.sizes.items()) for draw in found.draws if not draw.own})
    sizes = f"at its own sizes and {others} other{'s' * (others > 1)}" if others else "at its own sizes"
    largest = max(check.error for check in found.checks)
    off = f"off by at most {largest:.0e}" if largest else "bit for bit"
    return f"{gradients} {judge} in float64, {sizes}: {off}"


def _line_to_json(line: GradientLine) -> dict[str, Any]:
    undone = {"line": line.undoes.number, "text": line.undoes.text} if line.undoes else None
    return {"gradient": line.gradient, "source": line.source, "undoes": undone}


def _check_to_json(check: "Check") -> dict[str, Any]:
    return {
        "variable": check.variable,
        "gradient": check.gradient,
        "shape": list(check.shape),
        "exact": check.exact,
        "approximate": check.right,
        "error": check.error,
    }
