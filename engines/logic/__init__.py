"""Logic: small boards whose rules leave one solution: nonograms, signs, cages, queens, walls of sums."""

from engines.logic.questions import ENGINE

__all__ = ["ENGINE"]
