r"""math-verify's reading of text that is not marked as LaTeX, which lmms-eval relies on, without Python's `eval`.

`math_verify.parse` looks for LaTeX between `$…$`, `\(…\)`, `\[…\]`, for a box or a fraction of two numbers, and else
for the last plain number or arithmetic expression: `2\sqrt{3}` is 2, `\sqrt{12}` is nothing, `3 1/2` is 1. Arithmetic
goes through SymPy's `parse_expr` there, which evaluates it as a program; here its syntax tree is walked. To be called
in the process of `symbolic`, for what comes out may take for ever to compare.
"""

import ast
from typing import Any


def parse(text: str) -> list[Any]:
    """Read a text as `math_verify.parse` does by default: a SymPy object and the text it was made of, or less."""
    from math_verify.parser import ExprExtractionConfig, LatexExtractionConfig, extract_match, get_extraction_regexes

    targets = get_extraction_regexes([LatexExtractionConfig(), ExprExtractionConfig()])
    patterns = [(priority, pattern, target) for group, target in targets for pattern, priority in group]
    first = ""
    for rank in sorted({priority for priority, _, _ in patterns}):
        found = [
            (match, target)
            for priority, pattern, target in patterns
            if priority == rank
            for match in pattern.finditer(text)
        ]
        for match, target in sorted(found, key=lambda pair: (pair[0].end(), -pair[0].start()), reverse=True):
            written = match.groupdict().get("expr") if isinstance(target, ExprExtractionConfig) else None
            value, source = (arithmetic(written), written) if written else extract_match(match, target)
            first = first or source
            if value is not None:
                return [value, first]
    return [first] if first else []


def arithmetic(text: str) -> Any | None:
    """The SymPy expression of numbers, `+ - * / ^` and brackets, not worked out; None if it is not of that form."""
    try:
        tree = ast.parse(text.replace("\n", " ").replace("^", "**").strip(), mode="eval")
        return _build(tree.body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _build(node: ast.AST) -> Any:
    """SymPy's form of a node. Raises `ValueError` for one that is no arithmetic."""
    import sympy

    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return sympy.sympify(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd | ast.USub):
        value = _build(node.operand)
        return value if isinstance(node.op, ast.UAdd) else sympy.Mul(-1, value, evaluate=False)
    if not isinstance(node, ast.BinOp):
        raise ValueError("no arithmetic")
    left, right = _build(node.left), _build(node.right)
    if isinstance(node.op, ast.Add):
        return sympy.Add(left, right, evaluate=False)
    if isinstance(node.op, ast.Sub):
        return sympy.Add(left, sympy.Mul(-1, right, evaluate=False), evaluate=False)
    if isinstance(node.op, ast.Mult):
        return sympy.Mul(left, right, evaluate=False)
    if isinstance(node.op, ast.Div | ast.FloorDiv):
        ratio = sympy.Mul(left, sympy.Pow(right, -1, evaluate=False), evaluate=False)
        return ratio if isinstance(node.op, ast.Div) else sympy.floor(ratio, evaluate=False)
    if isinstance(node.op, ast.Pow):
        return sympy.Pow(left, right, evaluate=False)
    raise ValueError("no arithmetic")
