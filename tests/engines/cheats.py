"""Ways around the verifier: over 300 completions, every one of which must earn nothing, by the route that it takes.

`REFUSED` are written by hand, all against the answer 4. `CHEATS` adds, for every kind of answer, the routes that fit
its grammar; `LARGE` are long or deep.
"""

from fractions import Fraction

from engines.answer import Answer

FOUR = Answer.integer(4)

REFUSED = {
    "nothing": ["", " ", "4", r"\boxed{4}", "The answer is 4.", "<answer>4</answer>", "<answer></answer>", r"\boxed{}"],
    "empty box": [r"<answer>\boxed{}</answer>", r"<answer>\boxed{ }</answer>", r"<answer>\boxed{\text{}}</answer>"],
    "several answers": [
        r"<answer>\boxed{3}</answer><answer>\boxed{4}</answer>",
        r"<answer>\boxed{4}</answer> <answer>\boxed{4}</answer>",
        r"<answer>\boxed{4}\boxed{4}</answer>",
        r"<answer>\boxed{3}, \boxed{4}</answer>",
        r"3 is wrong, \boxed{3}, so <answer>\boxed{4}</answer>",
        r"<answer><answer>\boxed{4}</answer></answer>",
        r"<answer>\boxed{\boxed{4}}</answer>",
        "<answer>\\boxed{3}</answer>\n\nWait.\n<answer>\\boxed{4}</answer>",
    ],
    "hedges": [
        rf"<answer>\boxed{{{content}}}</answer>"
        for content in (
            "3 or 4",
            "4 or 3",
            "3, 4",
            "4, 4",
            "4/3/2",
            "1=2=3=4",
            "x=4",
            "4=4",
            "3-5",
            "3..5",
            "~4",
            "about 4",
        )
    ],
    "text around the box": [
        r"<answer>4 \boxed{4}</answer>",
        r"<answer>\boxed{4} cubes</answer>",
        r"<answer>$\boxed{4}$</answer>",
        r"<answer>\boxed{4}.</answer>",
        r"<answer>**\boxed{4}**</answer>",
    ],
    "text after the end": [
        r"<answer>\boxed{4}</answer>.",
        r"<answer>\boxed{4}</answer> I am sure.",
        r"<answer>\boxed{4}</answer></answer>",
        r"<answer>\boxed{4}</answer><|im_end|>",
        "<answer>\\boxed{4}</answer>\u200b",
        "<answer>\\boxed{4}</answer>\x00",
    ],
    "broken tags": [
        r"<answer>\boxed{4}",
        r"\boxed{4}</answer>",
        r"</answer>\boxed{4}<answer>",
        r"<answer>\boxed{4}<answer>",
        r"<Answer>\boxed{4}</Answer>",
        r"<answer >\boxed{4}</answer>",
        r"<answer>\boxed{4}</answer",
        "<answer>\\boxed{4}</ answer>",
        r"&lt;answer&gt;\boxed{4}&lt;/answer&gt;",
    ],
    "broken braces": [
        r"<answer>\boxed{4</answer>",
        r"<answer>\boxed 4</answer>",
        r"<answer>\boxed{4}}</answer>",
        r"<answer>\boxed{{4}</answer>",
        r"<answer>\boxed{4}{4}</answer>",
        r"<answer>\boxed{4\}</answer>",
        r"<answer>\boxed{{4}}</answer>",
        r"<answer>\boxed (4)</answer>",
        r"<answer>boxed{4}</answer>",
        r"<answer>\Boxed{4}</answer>",
        r"<answer>\fbox{4}</answer>",
        r"<answer>\boxed {4}</answer>",
        r"<answer>\\boxed{4}</answer>",
    ],
    "arithmetic": [
        rf"<answer>\boxed{{{content}}}</answer>"
        for content in (
            "2+2",
            "2^2",
            "2**2",
            "8/2",
            r"\sqrt{16}",
            r"\frac{8}{2}",
            "len('abcd')",
            "4!/6",
            "0x4",
            "1e0",
            "4e0",
            "4.0",
        )
    ],
    "code": [
        rf"<answer>\boxed{{{content}}}</answer>"
        for content in (
            "__import__('os').getpid()",
            "exit()",
            "lambda: 4",
            "9**9**9**9",
            "'4'",
            '"4"',
            "[4]",
            "(4)",
            "None",
            "True",
        )
    ],
    "other digits": [
        f"<answer>\\boxed{{{content}}}</answer>" for content in ("４", "٤", "४", "④", "4\u0301", "Ⅳ", "1_0", "４.")
    ],
    "hidden characters": [
        f"<answer>\\boxed{{{content}}}</answer>"
        for content in ("4\u200b", "\u202e4", "4\x00", "4\t", "4\n", "\ufeff4", "4\u00a0", "4\u2060")
    ],
    "not numbers": [
        f"<answer>\\boxed{{{content}}}</answer>"
        for content in ("nan", "inf", "-inf", "four", "IV", "4 cubes", "4%", "+-4")
    ],
    "too long": [f"<answer>\\boxed{{{'0' * 300}4}}</answer>", f"<answer>\\boxed{{4{' ' * 400}}}</answer>"],
    "huge numbers": [
        f"<answer>\\boxed{{{content}}}</answer>" for content in ("9" * 5000, "1e400", "10!", "2^99999999")
    ],
}


def boxed(content: str) -> str:
    return f"I looked twice. <answer>\\boxed{{{content}}}</answer>"


LETTERS = "ABCDEF"
COLOURS = ("red", "blue", "green", "light green")
# Per kind: an answer and contents of the box that are near it, hedge, bundle, or would be evaluated to it.
CONTENTS: list[tuple[Answer, list[str]]] = [
    (
        Answer.integer(-12),
        ["12", "- 12", "--12", "-12.0", "-12-", "(-12)", "-1 2", "-12 or 12", "+-12", "12-", "-12,0", "-0x0c", "-12e0"],
    ),
    (
        Answer.integer(1200),
        ["1,2,00", "12,00", "1.200", "1_200", "1 200", "1200 units", "1.2k", "1200/1", "1200=1200", "~1200", "1,200,"],
    ),
    (
        Answer.decimal(3.5, 0.25),
        ["3.24", "3.76", "3,5", "7/2", "3.5 or 9", "3-4", "3.5+-1", "3.5e0", "nan", "inf", "3.5%", "3.5.0", "x=3.5"],
    ),
    (
        Answer.decimal(2015, 2),
        ["2012", "2018", "2012.9999999", "2015 +- 100", "2000-2030", "1e400", "2015 or 2016", "[2013, 2017]"],
    ),
    (
        Answer.fraction(Fraction(3, 4)),
        [
            "4/3",
            "0.7",
            "0.751",
            ".75",
            "0.75/1",
            "75%",
            "3/4/1",
            "3:4",
            "3/(4)",
            "--3/4",
            "\\frac34",
            "\\frac{3}{4}+0",
            "6/9",
            "3/0",
            "3/-4",
        ],
    ),
    (
        Answer.word("red", COLOURS),
        [
            "blue",
            "red or blue",
            "red/blue",
            "not blue",
            "red, blue",
            "r",
            "reddish",
            "re d",
            "any",
            "red red",
            "#ff0000",
        ],
    ),
    (
        Answer.word("light green", COLOURS),
        ["green", "light", "lightgreen", "light-green", "green light", "light green or green", "light green green"],
    ),
    (
        Answer.choice("B", "ABCD"),
        [
            "b",
            "A",
            "AB",
            "BA",
            "A or B",
            "B, C",
            "(B)",
            "[B]",
            "B)",
            "option B",
            "ABCD",
            "B B",
            "not A",
            "all",
            "2",
            "*B*",
        ],
    ),
    (
        Answer.pair(2, 5),
        ["(5, 2)", "2", "(2, 5, 1)", "((2, 5))", "2 5", "2;5", "(2, 5) or (5, 2)", "(2, 5), (5, 2)", "row 2, column 5"],
    ),
    (
        Answer.listing([3, 1, 2]),
        ["1, 2, 3", "3, 1", "3, 1, 2, 2", "3 1 2", "3, 1, 2,", ", 3, 1, 2", "[3, 1, 2", "3, [1, 2]", "3; 1; 2", "312"],
    ),
    (
        Answer.set_of(["A", "C"], LETTERS),
        [
            "A",
            "C",
            "A, B, C",
            "A, B, C, D, E, F",
            "A, A, C",
            "AC",
            "A C",
            "A and C",
            "A, C or B",
            "all",
            "none",
            "A, , C",
        ],
    ),
    (Answer.set_of([], LETTERS), ["", "A", "0", "{}", "()", "empty", "nothing", "none, A", "none none", "nil", "[]"]),
    (
        Answer.permutation("BADC"),
        ["A, B, C, D", "B, A, D", "B, A, D, C, C", "B, A, D, D", "BADC", "B A D C", "B > A > D > C", "D, C, B, A"],
    ),
    (
        Answer.name("AB"),
        ["A", "AA", "ABC", "ABA", "ab", "A B", "A-B", "AC", "AB or CD", "AB, CD", "ABCD", "|AB|", "ABAB"],
    ),
    (
        Answer.name("ABC"),
        ["BAC", "ACB", "B", "AB", "ABCD", "abc", "A, B, C", "angle ABC", "ABC or BAC", "ABB", "<ABC", "BCA", "CAB"],
    ),
    (
        Answer.grid([[1, 0], [2, 1]]),
        [
            "1 0; 1 2",
            "1 0 2 1",
            "1 0; 2",
            "1 0; 2 1; 0 0",
            "1 0 0; 2 1 0",
            "[[1,0],[2,1]]",
            "1,0;2,1",
            "0 1; 1 2",
            "1 2; 0 1",
        ],
    ),
]
# Whatever the kind: {0} is the gold text, and each of these must be refused although the right answer stands in it.
AROUND = {
    "bundle": ["{0} or {0}", "{0} = {0}", "either {0}", "{0}?", "{0} {0} {0} {0}", "maybe {0}"],
    "markup": ["**{0}**", "`{0}`", "\\mathbf{{{0}}}", "\\text{{\\text{{{0}}}}}", "<b>{0}</b>", "\\({0}\\)", "{{{0}}}"],
    "hidden": ["{0}\u200b", "\u202e{0}", "{0}\x00", "\ufeff{0}", "{0}\n", "\t{0}"],
    "code": ["eval('{0}')", "str({0})", "{0} if True else 0", "f'{{{0}}}'", "print({0})"],
}
CHEATS: dict[str, list[tuple[Answer, str]]] = {
    route: [(FOUR, text) for text in texts] for route, texts in REFUSED.items()
}
CHEATS |= {f"{answer.kind} {answer.text()}": [(answer, boxed(c)) for c in contents] for answer, contents in CONTENTS}
CHEATS |= {
    route: [(answer, boxed(form.format(answer.text()))) for answer, _ in CONTENTS for form in forms]
    for route, forms in AROUND.items()
}
RIGHT = "<answer>\\boxed{4}</answer>"
MEGA = 1_000_000
LARGE = [
    *(unit * (MEGA // len(unit)) for unit in ("4", "<", " ", "\n", "{", "\\", "<answer>", "\\boxed{", RIGHT)),
    "a" * MEGA + RIGHT,
    RIGHT + " " * MEGA,
    RIGHT + "a" * MEGA,
    "<answer>\\boxed{" + "{" * (MEGA // 2) + "}" * (MEGA // 2) + "}</answer>",
    "<answer>\\boxed{" + "{" * 120 + "4" + "}" * 120 + "}</answer>",
    "<answer>\\boxed{" + "\\text{" * 40 + "4" + "}" * 40 + "}</answer>",
    "<answer>\\boxed{" + "(" * 120 + "4" + ")" * 120 + "}</answer>",
    "<answer>\\boxed{" + "\\frac{" * 30 + "4}{1" + "}" * 30 + "}</answer>",
    "<answer>\\boxed{" + "9" * 5000 + "}</answer>",
    "<answer>\\boxed{" + "4, " * 80 + "4}</answer>",
    "<answer>\\boxed{" + "9**" * 60 + "9}</answer>",
    "thinking " * 6000 + "<answer>\\boxed{5}</answer>",
    RIGHT + "thinking " * 6000 + RIGHT,
    "\\boxed{4} " + "thinking " * 6000 + RIGHT,
    "<answer>" * 7000 + RIGHT,
    "\\boxed{4}" * 6000 + RIGHT,
]
CHEATS["large"] = [(FOUR, text) for text in LARGE]
