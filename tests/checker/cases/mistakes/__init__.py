"""Planted mistakes, one table a family of programs."""

from . import attention, chunked, from_checker_md, fused, hazards, layers, losses, normalisation, recurrent

MISTAKES = (
    *from_checker_md.ROWS,
    *chunked.ROWS,
    *fused.ROWS,
    *normalisation.ROWS,
    *attention.ROWS,
    *recurrent.ROWS,
    *layers.ROWS,
    *losses.ROWS,
    *hazards.ROWS,
)
