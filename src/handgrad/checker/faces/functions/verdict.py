"""Right or wrong: what the user's own code makes of upstream gradients, beside the reference."""

import contextlib
from dataclasses import replace

import torch
from torch import Tensor

from handgrad.checker.faces.functions.findings import Finding, Options, Raised, Verdict
from handgrad.checker.faces.functions.inputs import Input
from handgrad.checker.faces.functions.oracles import ByAutograd, ByDifferences, Laboratory, NotFollowedError, Values
from handgrad.checker.faces.functions.sizes import at_distinct_sizes
from handgrad.checker.faces.functions.subjects import Refused, Subject
from handgrad.checker.faces.functions.twice import judge_twice
from handgrad.checker.faces.functions.upstreams import RANDOM, Upstream, upstreams
from handgrad.checker.guard import said
from handgrad.checker.inspection import CheckError
from handgrad.checker.truth.compare import align, as_tensor, distance, same, size_of

Oracle = ByAutograd | ByDifferences
SINGLE = 1e-4


class Trial:
    """Judges one subject."""

    def __init__(self, subject: Subject, options: Options):
        """Choose the precision that the code runs in."""
        self.subject, self.options = subject, options
        self.notes: list[str] = []
        self.own: Values = {one: one.value for one in [*subject.inputs, *subject.world.objects]}
        self.laboratory = self._laboratory()
        self.outputs = self._outputs()
        self.loose = False

    def verdict(self) -> Verdict:
        """Judge every input."""
        found = Verdict(self.subject, self.laboratory, self.options, notes=self.notes)
        oracle = self._oracle(self.own)
        self._judge(oracle, found)
        if found.wrong and self.subject.engine:
            self._look_at_forward(found)
        if not found.wrong and not found.raised:
            self._judge_at_distinct_sizes(found)
            if self.options.double_backward:
                judge_twice(self.laboratory, oracle, found, self.own)
        return found

    # --- how it can be run -----------------------------------------------------------------------------------------

    def _laboratory(self) -> Laboratory:
        """In float64, or where that raises and the code's own precision does not, in that one."""
        wanted = self._wanted()
        laboratory, plain = (Laboratory(self.subject, double, wanted) for double in (True, False))
        try:
            laboratory.gradients(self.own, RANDOM)
        except Refused:
            return laboratory
        except Exception as error:
            try:
                plain.gradients(self.own, RANDOM)
            except Exception:
                return laboratory
            self.notes.append(f"judged in the dtype that is given, since in float64 it raises {said(error)}")
            return plain
        return laboratory

    def _wanted(self) -> set[Input] | None:
        """The inputs that may need a gradient, where the forward pass refuses that some do, such as a mask."""
        inputs = set(self.subject.inputs)
        asked = {one for one in inputs if one.value.requires_grad}
        fewer = [asked, *(inputs - {one} for one in self.subject.inputs)] if self.subject.engine else []
        for wanted in (None, *(some for some in fewer if some and some != inputs)):
            for double in (True, False):
                with contextlib.suppress(Exception):
                    Laboratory(self.subject, double, wanted).forward(self.own)
                    return wanted
        return None

    def _outputs(self) -> list[Tensor]:
        try:
            outputs = self.laboratory.outputs(self.own)
        except Exception as error:
            if isinstance(error, CheckError):
                raise
            raise CheckError(f"the forward function raises {said(error)}", where=self.subject.name) from None
        if not outputs:
            raise CheckError(
                "the forward function returns no tensor of floats to differentiate",
                where=self.subject.name,
            )
        if not any(bool(torch.isfinite(o).any()) for o in outputs if o.numel()) and any(o.numel() for o in outputs):
            raise CheckError("the output is not finite, so that no gradient can be judged", where=self.subject.name)
        return outputs

    def _oracle(self, values: Values) -> Oracle:
        """What can be asked for the right answer."""
        reference = self.options.reference
        try:
            oracle = ByAutograd(self.laboratory, values, reference)
            oracle.gradients(RANDOM(oracle.outputs))
        except NotFollowedError:
            return ByDifferences(self.laboratory, values, reference)
        except Exception as error:
            if reference is not None:
                raise CheckError(f"the reference raises {said(error)}", where=self.subject.name) from None
            return ByDifferences(self.laboratory, values)
        mine = self.laboratory.outputs(values)
        shapes = [[tuple(o.shape) for o in made] for made in (oracle.outputs, mine)]
        if reference is not None and shapes[0] != shapes[1]:
            raise CheckError(
                "the reference returns something else than the forward function",
                got=f"tensors of shape {shapes[0]}",
                expected=shapes[1],
                where=self.subject.name,
            )
        if reference is None and not same(oracle.outputs, mine):
            return ByDifferences(self.laboratory, values)
        if reference is not None and not same(oracle.outputs, mine, SINGLE):
            self.notes.append("the reference computes other values than the forward function; judged by its gradients.")
        return oracle

    # --- judging ---------------------------------------------------------------------------------------------------

    def _judge(self, oracle: Oracle, verdict: Verdict) -> None:
        if oracle.note and oracle.note not in verdict.notes:
            verdict.notes.append(oracle.note)
        for upstream in upstreams(self.subject, self.outputs):
            if upstream.wanted and upstream.wanted - (self.laboratory.wanted or upstream.wanted):
                continue
            got = self._gradients(self.own, upstream, verdict)
            if got is None and upstream.kind == "random":
                return
            if got is None:
                continue
            want = oracle.gradients(upstream(self.outputs))
            if upstream.kind == "random" and upstream.seed == RANDOM.seed:
                self._begin(got, want, verdict)
            for one in verdict.findings.keys() & got.keys():
                if verdict.findings[one].fault is None:
                    fault = self._fault(got[one], want[one], want, oracle)
                    if fault:
                        verdict.findings[one] = Finding(one, as_tensor(got[one], want[one]), want[one], fault, upstream)
            if upstream.kind == "random" and verdict.wrong and isinstance(oracle, ByAutograd):
                oracle = self._acquitting(upstream, verdict) or oracle

    def _begin(self, got: dict[Input, Tensor], want: Values, verdict: Verdict) -> None:
        """Which inputs are judged: those a gradient came for, and those whose gradient is not zero."""
        subject = self.subject
        some, wanted = any(value is not None for value in got.values()), self.laboratory.wanted
        for one in subject.inputs:
            value, zero = got.get(one), not bool(want[one].any())
            if wanted is not None and one not in wanted:
                verdict.unjudged.append(one.text)
            elif value is None and zero and some:
                verdict.findings[one] = Finding(one, torch.zeros_like(want[one]), want[one])
                got.pop(one, None)
            elif value is None and some and self._is_excused(one):
                verdict.unjudged.append(one.text)
            elif value is None:
                verdict.findings[one] = Finding(one, None, want[one], "missing", RANDOM)
            else:
                verdict.findings[one] = Finding(one, as_tensor(value, want[one]), want[one])
        for one in subject.world.objects:
            if one in got:
                verdict.findings[one] = Finding(one, as_tensor(got[one], want[one]), want[one])
            elif bool(want[one].any()):
                verdict.unjudged.append(one.text)

    def _is_excused(self, one: Input) -> bool:
        """Whether None is meant for an input, while another gets a gradient."""
        asked = any(other.value.requires_grad for other in self.subject.inputs)
        return not one.value.requires_grad and (asked or not self.subject.names_what_it_returns(one))

    def _gradients(self, values: Values, upstream: Upstream, verdict: Verdict) -> dict[Input, Tensor] | None:
        """What the user's code makes, None where it raises: that is told once."""
        wanted = set(upstream.wanted) if upstream.wanted else None
        try:
            got = self.laboratory.gradients(values, upstream, wanted)
        except NotImplementedError:
            return {}
        except Refused as error:
            raised = Raised(self.subject.returns, str(error).rstrip("."), upstream.words)
        except CheckError:
            raise
        except (Exception, SystemExit) as error:
            raised = Raised(self.subject.line_in(error), said(error), upstream.words)
        else:
            if (changed := self.laboratory.changed) is None:
                return got
            message = f"backward changes {changed} in place, which is not its own; work on a copy"
            self.laboratory.gradients(values, upstream, wanted, follow=True)
            self._tell(Raised(next(iter(self.laboratory.lines), self.subject.returns), message), verdict)
            verdict.spoiled = True
            return got
        if self.subject.engine or upstream.kind == "random":
            self._tell(raised, verdict)
        else:
            verdict.notes.append(f"{raised}.")
        return None

    def _tell(self, raised: Raised, verdict: Verdict) -> None:
        """Keep what is refused, once; of a line that changes something in place only that."""
        told = [(known.line, None if verdict.spoiled else known.message) for known in verdict.raised]
        if (raised.line, None if verdict.spoiled else raised.message) not in told:
            verdict.raised.append(raised)

    def _look_at_forward(self, verdict: Verdict) -> None:
        """Whether the forward pass changes what it is given, so that it saves other values than it computed with."""
        for one in self.laboratory.forward(self.own, follow=True):
            message = f"forward changes {one.text} in place; work on a copy, or say so: ctx.mark_dirty({one.text})"
            self._tell(Raised(next(iter(self.laboratory.lines), None), message), verdict)
            verdict.spoiled = True

    def _fault(self, got: object, want: Tensor, all_: Values, oracle: Oracle) -> str | None:
        """What is wrong with a gradient."""
        if got is None:
            return "missing" if bool(want.any()) else None
        tensor = as_tensor(got, want)
        if tensor is None:
            return "wrong"
        aligned = tensor if tensor.shape == want.shape else align(tensor, want)
        if aligned is None or not self._close(aligned, want, all_, oracle):
            return "wrong"
        if tensor.shape == want.shape:
            return None
        return "wrong" if self.subject.engine else "shape"

    def _close(self, got: Tensor, want: Tensor, all_: Values, oracle: Oracle) -> bool:
        rtol, atol = self.options.rtol, self.options.atol
        if rtol is not None or atol is not None:
            return torch.allclose(got.to(want.dtype), want, rtol or 0.0, atol or 0.0, equal_nan=True)
        largest = max(1.0, *map(size_of, all_.values()))
        apart, size, _ = distance(got, want)
        if apart <= oracle.tolerance * size + oracle.noise * largest:
            return True
        return apart <= SINGLE * size + 1e-6 * largest and self._computes_in_single()

    def _computes_in_single(self) -> bool:
        """Whether it rounds to float32 inside, so that three times the upstream is not three times the result."""

        def tripled(outputs: list[Tensor]) -> list[Tensor | None]:
            return [None if u is None else 3 * u for u in RANDOM(outputs)]

        if not self.loose:
            try:
                once, thrice = (self.laboratory.gradients(self.own, up) for up in (RANDOM, tripled))
            except Exception:
                return False
            for one, a in once.items():
                b = thrice.get(one)
                if isinstance(a, Tensor) and isinstance(b, Tensor) and a.shape == b.shape and a.numel():
                    size = float(b.abs().max())
                    self.loose = self.loose or float((3 * a - b).abs().max()) > 1e-10 * size > 0
        return self.loose

    def _acquitting(self, upstream: Upstream, verdict: Verdict) -> ByDifferences | None:
        """Where autograd is misled, by `detach` or a Function inside, what the values themselves change by counts."""
        if self.options.reference is not None or verdict.laboratory.double is False:
            return None
        try:
            differences = ByDifferences(self.laboratory, self.own)
            got = self.laboratory.gradients(self.own, upstream)
            want = differences.gradients(upstream(self.outputs))
        except Exception:
            return None
        right = [f.one for f in verdict.wrong if self._fault(got.get(f.one), want[f.one], want, differences) is None]
        for one in right:
            verdict.findings[one] = replace(verdict.findings[one], fault=None, want=want[one], upstream=None)
        note = "autograd sees another gradient than the values have, as where they are detached; judged is theirs."
        verdict.notes += [note] if right and note not in verdict.notes else []
        return differences if right else None

    def _judge_at_distinct_sizes(self, verdict: Verdict) -> None:
        for values in at_distinct_sizes(self.laboratory):
            if not verdict.wrong and not verdict.raised:
                self._judge_at(values, verdict)

    def _judge_at(self, values: Values, verdict: Verdict) -> None:
        """Judge at other values of the inputs, where the forward pass and the reference take them."""
        try:
            outputs = self.laboratory.outputs(values)
            oracle = self._oracle(values)
            want = oracle.gradients(RANDOM(outputs))
        except Exception:
            return
        known = [(one.text, values[one].shape) for one in values if one in verdict.findings]
        words = "the sizes are distinct: " + ", ".join(f"{t} of {'×'.join(map(str, shape))}" for t, shape in known)
        try:
            got = self.laboratory.gradients(values, RANDOM)
        except Exception as error:
            verdict.raised.append(Raised(self.subject.line_in(error), said(error), words))
            return
        for one in verdict.findings.keys() & got.keys():
            if (fault := self._fault(got[one], want[one], want, oracle)) == "wrong":
                made, upstream = as_tensor(got[one], want[one]), Upstream("sizes", words)
                verdict.findings[one] = Finding(one, made, want[one], fault, upstream, values)
        if verdict.wrong:
            verdict.notes.append(f"right at the sizes that are given, and wrong where {words}.")
