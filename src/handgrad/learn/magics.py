"""The course in a notebook: a cell magic that checks an exercise, and line magics that help with it."""

from collections.abc import Callable
from pathlib import Path

from IPython.core.magic import Magics, cell_magic, line_magic, magics_class
from rich.console import Console, RenderableType

from handgrad.errors import HandgradError
from handgrad.learn import screen
from handgrad.learn.course import Course, CourseError, Exercise
from handgrad.learn.judge import Judge
from handgrad.learn.workspace import Workspace

WIDTH = 100
RUNS = ("right", "unwritten", "unfinished", "wrong", "long")


@magics_class
class CourseMagics(Magics):
    """`%%exercise NAME`, `%hint`, `%solution` and `%derivation`; without a NAME, of the exercise checked last."""

    def __init__(self, shell):  # noqa: D107
        super().__init__(shell)
        course = Course.load()
        workspace = Workspace.find(Path.cwd(), course)
        if workspace is None:
            raise CourseError("there is no course here", where=Path.cwd(), next_step="Run 'handgrad learn --notebook'.")
        self.workspace, self.judge = workspace, Judge()
        self.current = course.exercises[0]

    @cell_magic
    def exercise(self, line: str, cell: str) -> None:
        """Check the cell, and run it, so that its names can be looked at."""
        if (exercise := self._find(line)) is None:
            return
        self.current = exercise
        text = "\n" + cell  # so that lines are counted as the notebook does, with the magic as the first
        verdict = self.judge.judge(exercise, text, self.workspace.folder)
        assert verdict is not None
        if verdict.solved and exercise.name not in self.workspace.progress().solved:
            self.workspace.note(f"solved {exercise.name}")
        progress = self.workspace.progress()
        self._print(screen.report(exercise, verdict, progress.hints[exercise.name], WIDTH))
        if verdict.status in RUNS and not exercise.training and self.shell is not None:
            self.shell.run_cell(cell)

    @line_magic
    def hint(self, line: str) -> None:
        """Show one hint more."""
        if (exercise := self._find(line)) is None:
            return
        if self.workspace.progress().hints[exercise.name] < len(exercise.hints):
            self.workspace.note(f"hint {exercise.name}")
        self._print(screen.hint_list(exercise, self.workspace.progress().hints[exercise.name]))

    @line_magic
    def solution(self, line: str) -> None:
        """Show the solution once the exercise is solved; with 'anyway' after the name, before."""
        self._answer("solution", line, screen.solution)

    @line_magic
    def derivation(self, line: str) -> None:
        """Show how the gradients come about once the exercise is solved; with 'anyway' after the name, before."""
        self._answer("derivation", line, lambda exercise: screen.derivation(exercise, self.workspace.folder))

    def _answer(self, what: str, line: str, answer: Callable[[Exercise], RenderableType]) -> None:
        """Show what gives an exercise away, where it is solved or 'anyway' is said."""
        name, _, anyway = line.strip().partition(" ")
        if name == "anyway":
            name, anyway = "", "anyway"
        if (exercise := self._find(name)) is None:
            return
        if exercise.name in self.workspace.progress().solved or anyway.strip() == "anyway":
            self._print(answer(exercise))
        else:
            print(f"{exercise.name} is not solved yet. '%{what} {exercise.name} anyway' shows it all the same.")

    def _find(self, name: str) -> Exercise | None:
        try:
            return self.workspace.course.find(name.strip()) if name.strip() else self.current
        except HandgradError as error:
            print(error)
            return None

    @staticmethod
    def _print(what: RenderableType) -> None:
        Console(width=WIDTH, highlight=False).print(what)
