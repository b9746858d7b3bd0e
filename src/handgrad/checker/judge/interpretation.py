"""One hypothesis of what every name stands for, and what the lines come to under it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from handgrad.checker.judge.blame import Judge, Judgement, was_right
from handgrad.checker.run.trace import Region
from handgrad.checker.truth.chains import Chain
from handgrad.checker.truth.passes import Value


@dataclass(frozen=True)
class Interpretation:
    """What the names of a region are taken for, and the judgements under it; that with the fewest faults is believed.

    Which gradients each statement writes stands in the region of its `judge`, to which losses and values they belong in
    the chains. `notes` are what the user should know, `written` names values whose gradients are there and not judged,
    and `unfit` says why nothing can be judged. `replaced` are right multiples, and first tries that a later line
    replaces, `unfinished` the gradients that lack paths which are yet to be written, each with these; neither is
    judged. Another hypothesis is another interpretation: none is ever changed.
    """

    judge: Judge
    judgements: tuple[Judgement, ...] = ()
    notes: tuple[str, ...] = ()
    written: frozenset[str] = frozenset()
    unfit: str | None = None
    replaced: tuple[Chain, ...] = ()
    unfinished: tuple[tuple[Chain, tuple[str, ...]], ...] = ()

    @property
    def region(self) -> Region:
        """The region, each statement with the gradients that it is taken to write."""
        return self.judge.region

    @property
    def chains(self) -> list[Chain]:
        """The gradients that are judged."""
        return [judgement.chain for judgement in self.judgements]

    @property
    def wrong(self) -> list[Judgement]:
        """The lines that are wrong, here or in general."""
        return [judgement for judgement in self.judgements if judgement.fault in ("wrong", "masked")]

    @property
    def right_in_the_run(self) -> set[str]:
        """The names of gradients that came out right in the user's own run."""
        return {judgement.chain.name for judgement in self.judgements if was_right(judgement)}

    def value_of(self, chain: Chain) -> Value:
        """The value that a judged chain is the gradient of."""
        return self.judge.truth.located(chain)[1]

    def readers(self, name: str) -> list[Judgement]:
        """The judgements of the gradients that are made with the one of this name."""
        plan = self.judge.truth.plan
        return [judgement for judgement in self.judgements if name in plan(judgement.chain).gradients]

    def serves(self, chain: Chain) -> bool:
        """Whether a judged gradient can be made with this one: that of what its own value was computed from."""
        value = self.value_of(chain)
        behind = self.judge.truth.forward.ancestors(value)
        return any(self.value_of(reader.chain) in behind for reader in self.readers(chain.name))

    def under(self, judge: Judge, judgements: Iterable[Judgement]) -> "Interpretation":
        """The same with these judgements, as another judge reads their statements."""
        return replace(self, judge=judge, judgements=tuple(one.within(judge.region) for one in judgements))
