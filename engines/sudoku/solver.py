"""Solves boards whose rows, columns and regions hold each of 1..side once: bit masks, fewest options first."""

from collections.abc import Sequence


def solutions(cells: Sequence[int], regions: Sequence[int], most: int = 2) -> list[tuple[int, ...]]:
    """At most `most` solutions of a board (row-major, 0 is empty) with a region number per cell."""
    side = round(len(cells) ** 0.5)
    full = (1 << side) - 1
    rows, columns, boxes = [full] * side, [full] * side, [full] * side
    for place, number in enumerate(cells):
        if number:
            bit = 1 << (number - 1)
            if not rows[place // side] & columns[place % side] & boxes[regions[place]] & bit:
                return []
            rows[place // side] ^= bit
            columns[place % side] ^= bit
            boxes[regions[place]] ^= bit
    board, found = list(cells), []

    def search(empty: list[int]) -> None:
        if not empty:
            found.append(tuple(board))
            return
        best, options, fewest = empty[0], 0, side + 1
        for place in empty:
            free = rows[place // side] & columns[place % side] & boxes[regions[place]]
            count = free.bit_count()
            if count < fewest:
                best, options, fewest = place, free, count
                if count <= 1:
                    break
        rest = [place for place in empty if place != best]
        row, column, box = best // side, best % side, regions[best]
        while options and len(found) < most:
            bit = options & -options
            options ^= bit
            rows[row] ^= bit
            columns[column] ^= bit
            boxes[box] ^= bit
            board[best] = bit.bit_length()
            search(rest)
            rows[row] ^= bit
            columns[column] ^= bit
            boxes[box] ^= bit
        board[best] = 0

    search([place for place, number in enumerate(cells) if not number])
    return found
