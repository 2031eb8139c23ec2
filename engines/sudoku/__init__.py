"""Sudoku: digits on a board where each row, column and box holds every digit once."""

from engines.sudoku.questions import ENGINE

__all__ = ["ENGINE"]
