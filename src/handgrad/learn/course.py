"""The course as it is shipped: exercises, solutions and the manifest."""

import difflib
import tomllib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from handgrad.errors import HandgradError

FOLDER = Path(__file__).parent / "course"


class CourseError(HandgradError):
    """An exercise that does not exist, or a course folder that cannot be used."""


@dataclass(frozen=True)
class Training:
    """What a training loop must reach: over the last tenth of `steps`, a mean loss below `loss`."""

    steps: int
    loss: float


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Args:
        name: chapter and file, such as "ch01_scalars/02_used_twice".
        title: what it is about.
        gradients: the names to write.
        sizes: other sizes, pairwise distinct, for which the answer must hold as well.
        hints: where to look, which rule, the first half of the answer.
        why: a few lines to read when it is solved.
        max_lines: how long the answer may be, where a closed form is asked for.
        time_limit: seconds that one check may take.
        training: for a training loop, what it must reach.
    """

    name: str
    title: str
    gradients: list[str]
    sizes: dict[str, int]
    hints: list[str]
    why: str
    max_lines: int | None = None
    time_limit: float = 10.0
    training: Training | None = None

    @property
    def chapter(self) -> str:
        """The chapter's folder."""
        return self.name.partition("/")[0]

    @property
    def file(self) -> str:
        """The path of its file in the course folder."""
        return f"{self.name}.py"

    @cached_property
    def text(self) -> str:
        """The exercise as the learner first sees it."""
        return (FOLDER / "exercises" / self.file).read_text(encoding="utf-8")

    @cached_property
    def solution(self) -> str:
        """The same file, solved."""
        return (FOLDER / "solutions" / self.file).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Course:
    """All exercises in order, and the titles of the chapters; `version` grows when an exercise changes."""

    version: int
    chapters: dict[str, str]
    exercises: list[Exercise]
    by_name: dict[str, Exercise] = field(default_factory=dict)

    @classmethod
    def load(cls) -> "Course":
        """Read the manifest."""
        content = tomllib.loads((FOLDER / "manifest.toml").read_text(encoding="utf-8"))
        exercises = [
            Exercise(**entry | ({"training": Training(**entry["training"])} if "training" in entry else {}))
            for entry in content["exercise"]
        ]
        return cls(content["version"], content["chapters"], exercises, {e.name: e for e in exercises})

    def find(self, name: str) -> Exercise:
        """The exercise with this name, file, or unmistakable part of a name.

        Raises:
            CourseError: none has it, or several.

        Example:
            >>> Course.load().find("used_twice").name
            'ch01_scalars/02_used_twice'
        """
        wanted = Path(name).with_suffix("").as_posix()
        for exercise in self.exercises:
            if wanted == exercise.name or wanted.endswith(f"/{exercise.name}"):
                return exercise
        found = [e.name for e in self.exercises if wanted in e.name]
        if len(found) == 1:
            return self.by_name[found[0]]
        if found:
            raise CourseError(f"{len(found)} exercises have this in their names: {', '.join(found)}", where=name)
        close = difflib.get_close_matches(wanted, [*self.by_name, *(n.partition("/")[2] for n in self.by_name)], 1)
        raise CourseError(
            "there is no such exercise",
            where=name,
            next_step=f"Did you mean {close[0]}?" if close else "'handgrad learn list' shows them all.",
        )

    def current(self, solved: set[str]) -> Exercise:
        """The first exercise that is not solved; the very first where all are."""
        return next((e for e in self.exercises if e.name not in solved), self.exercises[0])

    def after(self, name: str, solved: set[str]) -> Exercise | None:
        """The next exercise that is not solved, from `name` on and then from the start; None where all are."""
        names = list(self.by_name)
        start = names.index(name) + 1
        return next((self.by_name[n] for n in names[start:] + names[:start] if n not in solved and n != name), None)
