"""The learner's folder loses nothing."""

import pytest

from handgrad.learn import source
from handgrad.learn.course import Course, CourseError
from handgrad.learn.workspace import Workspace


def test_it_is_found_from_inside_and_from_above(workspace, course):
    inside = workspace.folder / "ch01_scalars"
    for start in (workspace.folder.parent, workspace.folder, inside):
        assert Workspace.find(start, course).folder == workspace.folder
    (workspace.folder / "progress.txt").write_text("somebody else's file")
    assert Workspace.find(workspace.folder, course) is None


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path, course):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CourseError, match="this folder is not empty"):
        Workspace.create(tmp_path, course)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_exercises_are_plain_programs(workspace, course):
    exercise = course.find("01_chain")
    assert workspace.read(exercise) == exercise.text
    assert (workspace.folder / "names.txt").read_text().startswith("emma\n")


def test_a_reset_keeps_every_version(workspace, course):
    exercise = course.find("01_chain")
    for text in ("first", "second"):
        workspace.path(exercise).write_text(text)
        workspace.reset(exercise)
    backups = workspace.folder / "backups" / "ch01_scalars"
    assert [(backups / f"01_chain-{n}.py").read_text() for n in (1, 2)] == ["first", "second"]
    assert workspace.read(exercise) == exercise.text
    workspace.path(exercise).unlink()
    assert workspace.reset(exercise) is None
    assert workspace.read(exercise) == exercise.text


def test_progress_is_a_log_that_can_be_merged(workspace, course):
    first, second, third, *_ = course.by_name
    for event in (f"solved {first}", f"hint {second}", f"hint {second}", f"solved {second}", "from a later version"):
        workspace.note(event)
    log = workspace.folder / "progress.txt"
    log.write_text(log.read_text() + f"<<<<<<< HEAD\nsolved {third}\n=======\n\xff\n>>>>>>> other\n", "latin-1")
    progress = workspace.progress()
    assert progress.solved == {first, second, third}
    assert progress.hints[second] == 2
    workspace.reset(course.by_name[second])
    progress = workspace.progress()
    assert progress.solved == {first, third}
    assert progress.hints[second] == 0
    assert "merge=union" in (workspace.folder / ".gitattributes").read_text()


def test_a_later_course_keeps_the_answers(workspace, course):
    changed, new, same = course.exercises[:3]
    answer = "dy = 'my work'\n"
    workspace.path(changed).write_text(source.graft(changed.text, answer).replace("y = a * b", "y = a - b"))
    workspace.path(same).write_text(source.graft(same.text, "mine = 1\n"))
    workspace.path(new).unlink()
    later = Workspace(workspace.folder, Course(course.version + 1, course.chapters, course.exercises, course.by_name))
    done = later.upgrade()
    assert [line.partition(" ")[0] for line in done] == [changed.file, new.file]
    assert later.read(changed) == source.graft(changed.text, answer)
    assert "y = a - b" in (workspace.folder / "backups" / "ch01_scalars" / "01_chain-1.py").read_text()
    assert later.read(new) == new.text
    assert "mine = 1" in later.read(same)
    assert later.upgrade() == []
