"""The course as Jupyter notebooks, one a chapter."""

from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from handgrad.learn.course import Course, Exercise

INTRODUCTION = """# {title}

Run the next cell once. Then write the gradients below `# YOUR CODE HERE` in each exercise, and run its cell: it is
checked as in the terminal. `%hint` gives one hint more on the exercise that you ran last, and `%solution` shows its
solution.
"""


def write_notebooks(course: Course, folder: Path) -> list[Path]:
    """Write the notebooks that are not there yet, and return the paths of all.

    Example:
        >>> import tempfile
        >>> paths = write_notebooks(Course.load(), Path(tempfile.mkdtemp()))
        >>> paths[0].name
        'ch01_scalars.ipynb'
    """
    paths = [folder / f"{chapter}.ipynb" for chapter in course.chapters]
    for path in paths:
        if not path.exists():
            exercises = [e for e in course.exercises if e.chapter == path.stem]
            nbformat.write(notebook(course.chapters[path.stem], [(e, e.text) for e in exercises]), path)
    return paths


def notebook(title: str, exercises: list[tuple[Exercise, str]]) -> NotebookNode:
    """A notebook of exercises, each with the text of its cell."""
    cells = [new_markdown_cell(INTRODUCTION.format(title=title)), new_code_cell("%load_ext handgrad.learn")]
    for exercise, text in exercises:
        cells += [
            new_markdown_cell(f"## {exercise.title}"),
            new_code_cell(f"%%exercise {exercise.name}\n{text.rstrip()}"),
        ]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return new_notebook(cells=cells, metadata=metadata)
