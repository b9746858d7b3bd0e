"""Mistakes planted in the programs of the second set."""

from . import attention, lecture, norms, others

ROWS = lecture.ROWS + norms.ROWS + attention.ROWS + others.ROWS
