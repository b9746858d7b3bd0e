"""Watch mode: every save is checked, and a few keys do the rest."""

import contextlib
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console, RenderableType
from rich.text import Text
from watchfiles import watch as watch_files

from handgrad.learn import screen
from handgrad.learn.course import Exercise
from handgrad.learn.judge import Judge
from handgrad.learn.keys import pressed
from handgrad.learn.verdict import Verdict
from handgrad.learn.workspace import Workspace

HINTS = 3
ANSWERS = {"s": "solution", "d": "derivation"}
DEBOUNCE_MS = 100
STEP_MS = 20
LOOK_AGAIN_MS = 500
"""Some file systems tell nobody of changes, so the current file is looked at now and then."""


@dataclass(frozen=True)
class Saved:
    """A file of the course folder was written, renamed or removed; without a path, perhaps the current one."""

    path: Path | None


@dataclass(frozen=True)
class Key:
    """A key was pressed."""

    name: str


@dataclass(frozen=True)
class Judged:
    """A check has ended."""

    check: "Check"
    verdict: Verdict


@dataclass(eq=False)
class Check:
    """A check that is under way."""

    exercise: Exercise
    cancelled: threading.Event = field(default_factory=threading.Event)


class Watcher:
    """Shows one exercise and checks it when it is saved, until 'q' is pressed."""

    def __init__(self, workspace: Workspace, judge: Judge, console: Console, remark: str = ""):  # noqa: D107
        self.workspace, self.judge, self.console = workspace, judge, console
        self.events: queue.SimpleQueue[Saved | Key | Judged] = queue.SimpleQueue()
        self.check: Check | None = None
        self.verdict: Verdict | None = None
        self.text: str | None = None
        self.remark = remark
        self.asked: Key | None = None
        self.exercise = workspace.course.current(workspace.progress().solved)

    def run(self) -> None:
        """Watch until 'q'."""
        with pressed(lambda key: self.events.put(Key(key))), self._files():
            self._start_check(self.remark)
            while True:
                event = self.events.get()
                if event == Key("q"):
                    break
                self._handle(event)
        self._cancel()

    @contextlib.contextmanager
    def _files(self) -> Iterator[None]:
        stop = threading.Event()

        def follow() -> None:
            batches = watch_files(
                self.workspace.folder, stop_event=stop, raise_interrupt=False, debounce=DEBOUNCE_MS, step=STEP_MS,
                rust_timeout=LOOK_AGAIN_MS, yield_on_timeout=True,
            )  # fmt: skip
            for batch in batches:
                for path in sorted({path for _, path in batch}):
                    self.events.put(Saved(Path(path)))
                if not batch:
                    self.events.put(Saved(None))

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        try:
            yield
        finally:
            stop.set()
            follower.join()

    def _handle(self, event: Saved | Key | Judged) -> None:
        if isinstance(event, Saved):
            self._saved(event.path)
        elif isinstance(event, Judged):
            self._judged(event)
        elif self.asked is not None:
            asked, self.asked = self.asked, None
            self._show(self._answer(asked) if event.name in "yY" else None)
        else:
            self._key(event.name)

    def _saved(self, path: Path | None) -> None:
        name = self.exercise.name if path is None else self._name_of(path)
        if name is None:
            return
        if path is not None and name != self.exercise.name:
            if not path.is_file():
                return
            self.exercise = self.workspace.course.by_name[name]
        elif self.workspace.read(self.exercise) == self.text:
            return
        self._start_check()

    def _name_of(self, path: Path) -> str | None:
        try:
            name = path.resolve().relative_to(self.workspace.folder.resolve()).with_suffix("").as_posix()
        except ValueError:
            return None
        return name if path.suffix == ".py" and name in self.workspace.course.by_name else None

    def _judged(self, event: Judged) -> None:
        if event.check is not self.check:
            return
        self.check, self.verdict = None, event.verdict
        name = self.exercise.name
        if event.verdict.solved and name not in self.workspace.progress().solved:
            self.workspace.note(f"solved {name}")
        self._show()

    def _key(self, key: str) -> None:
        name, progress = self.exercise.name, self.workspace.progress()
        solved = self.verdict is not None and self.verdict.solved
        if key == "h" and not solved:
            if progress.hints[name] < HINTS:
                self.workspace.note(f"hint {name}")
            self._show()
        elif key == "n":
            self._go_on(progress.solved)
        elif key == "l":
            self._show(screen.overview(self.workspace.course, progress, self.exercise), alone=True)
        elif key == "r":
            backup = self.workspace.reset(self.exercise)
            self._start_check(f"Reset. Your file is in {backup}." if backup else "Written anew.")
        elif key in ANSWERS:
            self.asked = None if solved or name in progress.solved else Key(key)
            question = Text(f"Show the {ANSWERS[key]}? [y/n]", style="bold")
            self._show(self._answer(Key(key)) if self.asked is None else question)
        else:
            self._show()

    def _answer(self, key: Key) -> RenderableType:
        """The solution, or its derivation."""
        if key.name == "s":
            return screen.solution(self.exercise)
        self._show(Text("deriving ...", style="dim"))
        return screen.derivation(self.exercise, self.workspace.folder)

    def _go_on(self, solved: set[str]) -> None:
        following = self.workspace.course.after(self.exercise.name, solved)
        if following is None:
            done = self.exercise.name in solved
            self._show(Text("All exercises are solved." if done else "This is the last one.", style="bold green"))
            return
        self.exercise = following
        self._start_check()

    def _start_check(self, remark: str = "") -> None:
        self._cancel()
        self.verdict, self.asked, self.remark = None, None, remark
        check = self.check = Check(self.exercise)
        text = self.text = self.workspace.read(self.exercise)

        def run() -> None:
            verdict = self.judge.judge(check.exercise, text, self.workspace.folder, check.cancelled)
            if verdict is not None:
                self.events.put(Judged(check, verdict))

        self._show()
        threading.Thread(target=run, daemon=True).start()

    def _cancel(self) -> None:
        if self.check is not None:
            self.check.cancelled.set()

    def _show(self, more: RenderableType | None = None, alone: bool = False) -> None:
        progress, console = self.workspace.progress(), screen.plain(self.console)
        hints = progress.hints[self.exercise.name]
        self.console.clear()
        if alone and more is not None:
            console.print(more)
        else:
            console.print(screen.heading(self.workspace.course, self.exercise, progress))
            console.print(screen.file_line(self.workspace, self.exercise), "\n")
            if self.remark:
                console.print(Text(self.remark, style="dim"), "\n")
            if self.verdict is None:
                console.print(Text("checking ...", style="dim"))
            else:
                console.print(screen.report(self.exercise, self.verdict, hints, console.width))
            if more is not None:
                console.print("", more, sep="\n")
        console.print("", screen.keys(self.verdict, hints), sep="\n")
