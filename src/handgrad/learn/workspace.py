"""The learner's folder: exercises to edit, backups, and a log of what was solved."""

import contextlib
import os
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from handgrad.learn import source
from handgrad.learn.course import Course, CourseError, Exercise

NAME = "backprop"
PROGRESS = "progress.txt"
ENCODING = {"encoding": "utf-8"}

README = """# Deriving gradients by hand

Run `handgrad learn` here, open the file that it names in your editor, and write the gradients below `{begin}`. Every
time you save, the answer is checked.

The files are plain PyTorch programs and can be run by themselves: `python ch01_scalars/01_chain.py`. What you have
solved is kept in `{progress}`, and what a reset replaced in `backups/`; both can be committed to git.
"""


@dataclass
class Progress:
    """What the log says: the course's version, what is solved, how many hints were asked for."""

    version: int = 0
    solved: set[str] = field(default_factory=set)
    hints: Counter = field(default_factory=Counter)


@dataclass(frozen=True)
class Workspace:
    """The course folder.

    Progress is a log with a line for each event. Lines are only ever added, so two watchers at once lose nothing,
    and git can merge two histories (.gitattributes asks it to keep the lines of both).
    """

    folder: Path
    course: Course

    @classmethod
    def find(cls, start: Path, course: Course) -> "Workspace | None":
        """The course folder in `start`, or the one `start` lies in."""
        for folder in (start / NAME, start, *start.parents):
            if _is_a_course(folder):
                return cls(folder, course)
        return None

    @classmethod
    def create(cls, folder: Path, course: Course) -> "Workspace":
        """Write the exercises into a new folder, all of them or none.

        Raises:
            CourseError: the folder is already there, or cannot be written.
        """
        if folder.exists() and any(folder.iterdir()):
            raise CourseError("this folder is not empty, and no course", where=folder, next_step="Move it away first.")
        try:
            with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as part:
                cls(Path(part) / folder.name, course)._fill()
                (Path(part) / folder.name).replace(folder)
        except OSError as error:
            raise CourseError("the course cannot be written here", got=error.strerror, where=folder) from None
        return cls(folder, course)

    def _fill(self) -> None:
        from handgrad.data import CATALOGUE

        self.folder.mkdir()
        shutil.copyfile(CATALOGUE["ssa_names_2018"].path(), self.folder / "names.txt")
        (self.folder / "README.md").write_text(README.format(begin=source.BEGIN, progress=PROGRESS), **ENCODING)
        (self.folder / ".gitattributes").write_text(f"{PROGRESS} merge=union\n", **ENCODING)
        for exercise in self.course.exercises:
            self.write(exercise, exercise.text)
        self.note(f"course {self.course.version}")

    def path(self, exercise: Exercise) -> Path:
        """Where the learner's file lies."""
        return self.folder / exercise.file

    def read(self, exercise: Exercise) -> str | None:
        """The learner's file, or None where there is none."""
        try:
            return self.path(exercise).read_text(encoding="utf-8-sig", errors="replace")
        except OSError:
            return None

    def write(self, exercise: Exercise, text: str) -> None:
        """Write the learner's file in one go."""
        path = self.path(exercise)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.write_text(text, **ENCODING)
        part.replace(path)

    def progress(self) -> Progress:
        """Read the log; lines that it does not know are left alone."""
        progress = Progress()
        for line in (self.folder / PROGRESS).read_text(encoding="utf-8", errors="replace").splitlines():
            event, _, name = line.partition(" ")
            if event == "course" and name.isdigit():
                progress.version = max(progress.version, int(name))
            elif event == "solved" and name in self.course.by_name:
                progress.solved.add(name)
            elif event == "hint":
                progress.hints[name] += 1
            elif event == "reset":
                progress.solved.discard(name)
                progress.hints[name] = 0
        return progress

    def note(self, event: str) -> None:
        """Add a line to the log."""
        with (self.folder / PROGRESS).open("a", **ENCODING) as log:
            log.write(f"{event}\n")

    def reset(self, exercise: Exercise) -> Path | None:
        """Write the exercise anew, and return where the learner's file was copied to before."""
        backup = self.back_up(exercise)
        self.write(exercise, exercise.text)
        self.note(f"reset {exercise.name}")
        return backup

    def back_up(self, exercise: Exercise) -> Path | None:
        """Copy the learner's file to `backups`, under a name that is not taken; None where there is none."""
        if not self.path(exercise).is_file():
            return None
        folder = (self.folder / "backups" / exercise.file).parent
        folder.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            backup = folder / f"{self.path(exercise).stem}-{number}.py"
            with contextlib.suppress(FileExistsError), backup.open("xb") as copy:
                copy.write(self.path(exercise).read_bytes())
                return backup
            number += 1

    def upgrade(self) -> list[str]:
        """Bring the folder up to the course's version, and return what was done.

        New exercises are added. Where what is given has changed, the learner's answer is kept below the new text, and
        the old file goes to `backups`. Nothing else is touched.
        """
        if self.progress().version >= self.course.version:
            return []
        done = []
        for exercise in self.course.exercises:
            text = self.read(exercise)
            if text is None:
                self.write(exercise, exercise.text)
                done.append(f"{exercise.file} is new")
                continue
            parts = source.cut(text)
            with contextlib.suppress(SyntaxError):
                if parts and source.changed_line(text, exercise.text, exercise.sizes) is not None:
                    backup = self.back_up(exercise)
                    self.write(exercise, source.graft(exercise.text, parts.answer))
                    done.append(f"{exercise.file} has changed; your answer is kept, and {backup} is the old file")
        self.note(f"course {self.course.version}")
        return done


def _is_a_course(folder: Path) -> bool:
    try:
        return (folder / PROGRESS).read_text(encoding="utf-8", errors="replace").startswith("course ")
    except OSError:
        return False
