"""The one form in which a broken rule is told."""


def check(condition: bool, field: str, rule: str, value: object) -> None:
    """Raise `ValueError` in the project's one form unless the condition holds."""
    if not condition:
        raise ValueError(f"{field} {rule}, got {value!r}")
