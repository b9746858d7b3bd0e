"""`handgrad learn`: the course in deriving gradients by hand."""

import contextlib
import os
import queue
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

from rich.console import Console
from rich.text import Text
from tyro.conf import Positional, arg

from handgrad.cli.parse import call, call_one_of
from handgrad.learn import screen
from handgrad.learn.course import Course, CourseError, Exercise
from handgrad.learn.judge import Judge
from handgrad.learn.verdict import Verdict
from handgrad.learn.workspace import NAME, Workspace

PROGRAM = "handgrad learn"
Name = Annotated[Positional[str], arg(metavar="NAME")]


def watch(*, notebook: bool = False, yes: bool = False) -> int | None:
    """Learn to derive gradients by hand: exercises that are checked whenever you save, and say why you are wrong.

    The first time, this sets up the folder 'backprop'. Then open the file that it names in your editor. Where there is
    no terminal it checks once and ends.

    examples:
      handgrad learn
      handgrad learn run used_twice
      handgrad learn hint used_twice

    other commands (each has '--help'):
      run NAME, hint NAME, solution NAME, derivation NAME, reset NAME, list, status, check-all

    Args:
        notebook: Write the course as Jupyter notebooks instead, one a chapter.
        yes: Set up the folder without asking.
    """
    course = Course.load()
    workspace = Workspace.find(Path.cwd(), course) or _set_up(course, yes)
    if workspace is None:
        return 1
    news = "\n".join(workspace.upgrade())
    if notebook:
        from handgrad.learn.notebook import write_notebooks

        for path in write_notebooks(course, workspace.folder):
            print(path)
        return 0
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print(news, end="\n" * bool(news))
        return _run(workspace, course.current(workspace.progress().solved))
    from handgrad.learn.watch import Watcher

    with Judge() as judge:
        Watcher(workspace, judge, _console(), news).run()
    return 0


def run(name: Name) -> int:
    """Check one exercise once: exit code 0 where it is solved, 1 where it is not.

    Args:
        name: An exercise, or an unmistakable part of its name.
    """
    workspace = _workspace()
    return _run(workspace, workspace.course.find(name))


def hint(name: Name) -> None:
    """Show one hint more on an exercise.

    Args:
        name: An exercise, or an unmistakable part of its name.
    """
    workspace = _workspace()
    exercise = workspace.course.find(name)
    if workspace.progress().hints[exercise.name] < len(exercise.hints):
        workspace.note(f"hint {exercise.name}")
    hints = workspace.progress().hints[exercise.name]
    _console().print(screen.hint_list(exercise, min(hints, len(exercise.hints))))


def solution(name: Name, *, yes: bool = False) -> int:
    """Show the solution of an exercise that is solved, or after a confirmation.

    Args:
        name: An exercise, or an unmistakable part of its name.
        yes: Show it without asking.
    """
    return _answer(name, yes, lambda exercise, _: screen.solution(exercise))


def derivation(name: Name, *, yes: bool = False) -> int:
    """Show how the gradients of a solved exercise come about, step by step, or after a confirmation.

    Args:
        name: An exercise, or an unmistakable part of its name.
        yes: Show it without asking.
    """
    return _answer(name, yes, lambda exercise, workspace: screen.derivation(exercise, workspace.folder))


def reset(name: Name) -> None:
    """Write an exercise anew; your file is kept in 'backups'.

    Args:
        name: An exercise, or an unmistakable part of its name.
    """
    workspace = _workspace()
    exercise = workspace.course.find(name)
    backup = workspace.reset(exercise)
    print(f"{workspace.path(exercise)} is as it was at first" + (f"; your file is now {backup}" if backup else ""))


def show_list() -> None:
    """List the exercises, and which are solved."""
    workspace = _workspace()
    _console().print(screen.course_list(workspace.course, workspace.progress()))


def status() -> None:
    """Say how far you are, and what comes next."""
    workspace = _workspace()
    progress = workspace.progress()
    exercise = workspace.course.current(progress.solved)
    _console().print(screen.heading(workspace.course, exercise, progress))
    _console().print(screen.file_line(workspace, exercise))


def check_all() -> int:
    """Check every exercise, and note what is solved: exit code 0 where all are, 1 where one is not."""
    workspace = _workspace()
    console, exercises = _console(), workspace.course.exercises
    solved = workspace.progress().solved
    right = 0
    for exercise, verdict in zip(exercises, _judge_all(workspace, exercises), strict=True):
        word, style = screen.STATUS[verdict.status]
        console.print(Text.assemble(f"{exercise.name:<36} ", (word, style)))
        right += verdict.solved
        if verdict.solved and exercise.name not in solved:
            workspace.note(f"solved {exercise.name}")
    console.print(f"{right} of {len(exercises)} solved")
    return 0 if right == len(exercises) else 1


def _answer(name: str, yes: bool, answer: Callable[[Exercise, Workspace], Text]) -> int:
    """Show what gives an exercise away, where it is solved or was agreed to."""
    workspace = _workspace()
    exercise = workspace.course.find(name)
    if not (
        exercise.name in workspace.progress().solved or yes or _confirm(f"{exercise.name} is not solved. Show it?")
    ):
        return 1
    _console().print(answer(exercise, workspace), soft_wrap=True)
    return 0


def _run(workspace: Workspace, exercise: Exercise) -> int:
    console = _console()
    with Judge() as judge:
        verdict = _judge(judge, workspace, exercise)
    if verdict.solved and exercise.name not in workspace.progress().solved:
        workspace.note(f"solved {exercise.name}")
    progress = workspace.progress()
    console.print(screen.heading(workspace.course, exercise, progress))
    console.print(screen.file_line(workspace, exercise), "\n")
    console.print(screen.report(exercise, verdict, progress.hints[exercise.name], console.width))
    return 0 if verdict.solved else 1


def _judge_all(workspace: Workspace, exercises: list[Exercise]) -> Iterator[Verdict]:
    """Verdicts in order, from as many judges as there are processors, but four at most."""
    count = min(4, os.cpu_count() or 1)
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(count) as pool:
        judges: queue.SimpleQueue[Judge] = queue.SimpleQueue()
        for _ in range(count):
            judges.put(stack.enter_context(Judge()))

        def one(exercise: Exercise) -> Verdict:
            judge = judges.get()
            try:
                return _judge(judge, workspace, exercise)
            finally:
                judges.put(judge)

        try:
            yield from pool.map(one, exercises)
        finally:
            pool.shutdown(cancel_futures=True)


def _judge(judge: Judge, workspace: Workspace, exercise: Exercise) -> Verdict:
    verdict = judge.judge(exercise, workspace.read(exercise), workspace.folder)
    assert verdict is not None
    return verdict


def _workspace() -> Workspace:
    workspace = Workspace.find(Path.cwd(), Course.load())
    if workspace is None:
        raise CourseError("there is no course here", where=Path.cwd(), next_step="'handgrad learn' sets it up.")
    return workspace


def _set_up(course: Course, yes: bool) -> Workspace | None:
    folder = Path.cwd() / NAME
    if not yes and not _confirm(f"Set up the course, {len(course.exercises)} exercises, in {folder}?"):
        print("Nothing was written.")
        return None
    workspace = Workspace.create(folder, course)
    print(f"{folder} is ready.")
    return workspace


def _confirm(question: str) -> bool:
    if not sys.stdin.isatty():
        raise CourseError(f"{question} There is no terminal to ask in", next_step="Add --yes to say so beforehand.")
    try:
        return input(f"{question} [y/n] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _console() -> Console:
    shown = Console(highlight=False)
    return shown if shown.is_terminal else Console(highlight=False, width=shutil.get_terminal_size().columns)


COMMANDS: dict[str, Callable[..., int | None]] = {
    "run": run, "hint": hint, "solution": solution, "derivation": derivation, "reset": reset, "list": show_list,
    "status": status, "check-all": check_all,
}  # fmt: skip


def main(words: list[str]) -> int | None:
    """Parse and run the command."""
    try:
        if words and not words[0].startswith("-"):
            return call_one_of(COMMANDS, PROGRAM, words)
        return call(watch, PROGRAM, words)
    except OSError as error:
        raise CourseError("the course folder cannot be used", got=error.strerror, where=error.filename) from None
