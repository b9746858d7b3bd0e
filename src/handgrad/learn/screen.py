"""What the learner sees. Everything that is not asked for stays unsaid."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from handgrad.learn.course import Course, Exercise
from handgrad.learn.verdict import Finding, Verdict
from handgrad.learn.workspace import Progress, Workspace

STYLES = {"exact": "green", "close": "green", "wrong": "red", "shape": "yellow", "masked": "magenta"}
WORDS = {"missing": "not written", "masked": "wrong in general", "shape": "wrong shape"}
STATUS = {
    "right": ("Solved.", "bold green"),
    "unwritten": ("Not written yet.", "bold"),
    "unfinished": ("Right so far.", "bold green"),
    "wrong": ("Not right yet.", "bold red"),
    "long": ("Right, but too long.", "bold yellow"),
    "gone": ("The file is gone.", "bold red"),
    "syntax": ("Not Python yet.", "bold red"),
    "changed": ("Something that was given is missing.", "bold red"),
    "forbidden": ("By hand, please.", "bold yellow"),
    "error": ("The program stopped.", "bold red"),
    "timeout": ("It takes too long.", "bold red"),
}
BAR = 30
NARROW = 72


def heading(course: Course, exercise: Exercise, progress: Progress) -> Text:
    """Progress bar and the exercise's name."""
    total, done = len(course.exercises), len(progress.solved)
    filled = BAR * done // total
    return Text.assemble(
        ("#" * filled, "green"), ("-" * (BAR - filled), "dim"), f" {done} of {total} solved\n\n",
        (exercise.name, "bold cyan"), (" *" if exercise.name in progress.solved else ""), f"  {exercise.title}",
    )  # fmt: skip


def report(exercise: Exercise, verdict: Verdict, hints: int, width: int) -> Group:
    """The verdict: status, table, the lines at fault, and as many hints as were asked for."""
    word, style = STATUS[verdict.status]
    where = f"Line {verdict.line}: " if verdict.line else ""
    parts: list[RenderableType] = [Text.assemble((word, style), f" {where}{verdict.message}".rstrip())]
    if verdict.rows:
        parts += [Text(), table(verdict, width)]
    for finding in verdict.findings:
        parts += [Text(), explanation(finding, hints)]
    if hints and not verdict.solved:
        parts += [Text(), *_hints(exercise, hints)]
    if verdict.solved:
        parts += [Text(), Text("Why", style="bold"), _indented(_flowing(exercise.why))]
    return Group(*parts)


def table(verdict: Verdict, width: int) -> Table:
    """The lecture's table; in a narrow terminal without the shapes."""
    wide = width >= NARROW
    shown = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2 if wide else 1, 0, 0))
    shown.add_column("gradient", no_wrap=True)
    if wide:
        shown.add_column("shape", no_wrap=True)
    for title in ("exact", "approximate" if wide else "approx."):
        shown.add_column(title, no_wrap=True)
    shown.add_column("maxdiff", justify="right", no_wrap=True)
    shown.add_column("verdict")
    for row in verdict.rows:
        cells = [row.gradient, *([row.shape] if wide else [])]
        if row.verdict == "missing":
            cells += ["", "", ""]
        else:
            maxdiff = "-" if row.maxdiff is None else f"{row.maxdiff:.2g}"
            cells += [str(row.exact), str(row.approximate), maxdiff]
        shown.add_row(*map(Text, [*cells, WORDS.get(row.verdict, row.verdict)]), style=STYLES.get(row.verdict, "dim"))
    return shown


def explanation(finding: Finding, hints: int) -> Group:
    """Where; from the second hint on, what; with the third, the answer."""
    where = f"line {finding.line}" if finding.line else "your answer"
    first = Text.assemble((f"{where}: ", "bold"), finding.text.strip().partition("\n")[0])
    if hints < 2:
        return Group(first, _indented(f"This is where it goes wrong: look at {finding.gradient} again."))
    parts = [first, _indented(finding.message)]
    if hints >= 3 and finding.fix:
        parts.append(_indented(f"It should be:\n{finding.fix}"))
    return Group(*parts)


def _hints(exercise: Exercise, hints: int) -> Iterator[RenderableType]:
    for number, hint in enumerate(exercise.hints[:hints], start=1):
        yield Text.assemble((f"Hint {number}: ", "bold"), hint)


def hint_list(exercise: Exercise, hints: int) -> Group:
    """The hints asked for so far."""
    left = len(exercise.hints) - hints
    more = "The next one gives away more." if left else "These are all; 'solution' shows the answer."
    return Group(*_hints(exercise, hints), Text(more, style="dim"))


def solution(exercise: Exercise) -> Text:
    """The answer of the solution alone."""
    from handgrad.learn.source import cut

    parts = cut(exercise.solution)
    assert parts is not None
    return Text("\n".join(f"    {line.rstrip()}" for line in parts.answer.strip("\n").split("\n")))


def derivation(exercise: Exercise, folder: Path) -> Text:
    """How the gradients of an exercise come about, step by step."""
    from handgrad.learn.derivation import derivation

    return Text(derivation(exercise, folder))


def course_list(course: Course, progress: Progress) -> Group:
    """All exercises by chapter."""
    parts: list[RenderableType] = []
    for chapter, title in course.chapters.items():
        parts.append(Text(title, style="bold"))
        parts += [_entry(e, progress) for e in course.exercises if e.chapter == chapter]
    return Group(*parts, Text(), Text(f"* solved: {len(progress.solved)} of {len(course.exercises)}", style="dim"))


def overview(course: Course, progress: Progress, current: Exercise) -> Group:
    """The chapters, how much of each is solved, and the exercises of the current one."""
    parts: list[RenderableType] = []
    for chapter, title in course.chapters.items():
        exercises = [e for e in course.exercises if e.chapter == chapter]
        solved = sum(e.name in progress.solved for e in exercises)
        here = chapter == current.chapter
        style = "green" if solved == len(exercises) else "bold" if here else ""
        parts.append(Text(f"{title}: {solved} of {len(exercises)}", style=style))
        parts += [_entry(e, progress, current, e.name.partition("/")[2]) for e in exercises if here]
    return Group(*parts, Text(), Text("Save another exercise's file to go to it.", style="dim"))


def _entry(exercise: Exercise, progress: Progress, current: Exercise | None = None, name: str = "") -> Text:
    mark = ">" if exercise is current else "*" if exercise.name in progress.solved else " "
    style = "cyan" if exercise is current else "green" if exercise.name in progress.solved else ""
    line = f"  {mark} {name or exercise.name:<{24 if name else 40}} {exercise.title}"
    return Text(line, style=style, no_wrap=True, overflow="ellipsis")


def file_line(workspace: Workspace, exercise: Exercise) -> Text:
    """The path to open, as seen from where the learner is."""
    path = workspace.path(exercise)
    with contextlib.suppress(ValueError):
        path = path.relative_to(Path.cwd())
    return Text(str(path), style="dim")


def keys(verdict: Verdict | None, hints: int) -> Text:
    """What can be pressed now."""
    solved = verdict is not None and verdict.solved
    offers = [] if solved else [("h", f"hint ({hints} of 3)")]
    offers += [("n", "next"), ("l", "list"), ("r", "reset"), ("s", "solution")]
    offers += [("d", "derivation")] if solved else []
    return Text("  ").join(Text.assemble((key, "bold"), f" {what}") for key, what in [*offers, ("q", "quit")])


def _indented(text: str) -> Padding:
    return Padding(Text(text), (0, 0, 0, 4))


def _flowing(text: str) -> str:
    return " ".join(text.split())


def plain(console: Console) -> Console:
    """The console, but never wider than a reader likes."""
    return console if console.width <= 100 else Console(width=100, highlight=False, file=console.file)
