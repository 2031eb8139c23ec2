"""Benchmarks whose every answer is one letter: a rule of `choices` per mode, an exact letter in `strict`."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from perc_jax.benchmarks import choices
from perc_jax.benchmarks.base import Benchmark, Compare, Problem, Scored, verdict

Rule = Callable[[str, str, Sequence[str]], str | None]  # text, letters, texts of the options -> letter


class Letters(Benchmark):
    """A multiple-choice benchmark; subclasses give `rules`, one per mode but `strict`."""

    rules: ClassVar[Mapping[str, Rule]]

    def judge(self, problem: Problem, response: str, mode: str, compare: Compare) -> Scored:
        """The mode's rule finds a letter."""
        letter = self.rules[mode](response, problem.letters, problem.options)
        return verdict(letter == problem.gold, letter, mode)

    def accept(self, problem: Problem, content: str, compare: Compare) -> Scored:
        """One letter, as `B`, `(B)` or `B.`."""
        letter = choices.exact(content, problem.letters)
        return verdict(letter == problem.gold, letter, "strict")


def bare(text: str, letters: str, options: Sequence[str]) -> str | None:
    """Read a response that is the letter and nothing else."""
    return choices.exact(text, letters)


def leading(text: str, letters: str, options: Sequence[str]) -> str | None:
    """Read the letter at the beginning, whatever follows; see `choices.leading`."""
    return choices.leading(text, letters)


def free(text: str, letters: str, options: Sequence[str]) -> str | None:
    """Read the letter that free text chooses; see `choices.pick`."""
    return choices.pick(text, letters, options)


def listed(question: str, options: Sequence[str], mark: str = "{}. {}") -> str:
    """Write the options below the question, one a line."""
    lines = [mark.format(chr(ord("A") + i), text) for i, text in enumerate(options)]
    return "\n".join([question, *lines])
