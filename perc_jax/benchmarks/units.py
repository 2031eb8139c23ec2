r"""Units behind numbers: a closed list, read to one canonical form, and words that multiply. Nothing is converted.

`12 cm²`, `12\,\mathrm{cm}^2` and `12 square centimetres` have the same unit, `12 km` another. What is not on the
list is no unit: `6a`, `5i`, `5 wrong` are no numbers. Percent, degrees, `units` and `times` are known but not compared.
"""

import re
from collections import Counter
from typing import NamedTuple

MAX_CHARS = 60  # of a unit
_SYMBOLS = " ".join(
    (  # read as written, those of two and more letters also in another case
        "nm um μm mm cm dm m km in ft yd mi",
        "ng ug μg mg g kg lb lbs oz",
        "ml cl dl L l kl",
        "ns us μs ms s sec secs min mins h hr hrs",
        "mN N kN J kJ MJ mW W kW MW Wh kWh eV keV MeV cal kcal Pa kPa MPa hPa atm psi",
        "mV V kV mA A Ω kΩ MΩ mF F μF nF pF mC C μC nC mT T H mH K Hz kHz MHz GHz",
        "mol mmol kmol rad sr lm lx dB bar Bq Sv Gy KB GB TB kB ha",
        "mph kph kmph rpm USD EUR GBP",
    )
).split()
_WORDS = {  # in any case; several spellings of the first
    "m": "metre metres meter meters",
    "km": "kilometre kilometres kilometer kilometers",
    "dm": "decimetre decimetres decimeter decimeters",
    "cm": "centimetre centimetres centimeter centimeters",
    "mm": "millimetre millimetres millimeter millimeters",
    "μm": "um micrometre micrometres micrometer micrometers micron microns",
    "nm": "nanometre nanometres nanometer nanometers",
    "in": "inch inches",
    "ft": "foot feet",
    "yd": "yard yards",
    "mi": "mile miles",
    "g": "gram grams gramme grammes",
    "kg": "kilogram kilograms kilogramme kilogrammes kgs kilo kilos",
    "μg": "ug microgram micrograms",
    "mg": "milligram milligrams",
    "lb": "lbs pound pounds",
    "oz": "ounce ounces",
    "tonne": "tonne tonnes ton tons",
    "l": "L litre litres liter liters",
    "ml": "millilitre millilitres milliliter milliliters",
    "gallon": "gallon gallons gal",
    "s": "sec secs second seconds",
    "ms": "millisecond milliseconds",
    "μs": "us microsecond microseconds",
    "min": "mins minute minutes",
    "h": "hr hrs hour hours",
    "day": "day days",
    "week": "week weeks",
    "month": "month months",
    "year": "year years yr yrs",
    "N": "newton newtons",
    "J": "joule joules",
    "kJ": "kilojoule kilojoules",
    "W": "watt watts",
    "kW": "kilowatt kilowatts",
    "V": "volt volts",
    "A": "ampere amperes amp amps",
    "Ω": "ohm ohms",
    "Pa": "pascal pascals",
    "K": "kelvin kelvins",
    "Hz": "hertz",
    "mol": "mole moles",
    "rad": "radian radians",
    "point": "point points",
    "dollar": "dollar dollars usd",
    "cent": "cent cents",
    "euro": "euro euros eur",
    "pound sterling": "gbp",
    "yuan": "yuan rmb",
    "rupee": "rupee rupees",
    "yen": "yen",
    "celsius": "celsius",
    "fahrenheit": "fahrenheit",
    "": "degree degrees deg percent pct times unit units",
}
_TIMES = {
    **dict.fromkeys(("dozen", "dozens"), 12.0),
    **dict.fromkeys(("hundred", "hundreds"), 1e2),
    **dict.fromkeys(("thousand", "thousands"), 1e3),
    **dict.fromkeys(("lakh", "lakhs"), 1e5),
    **dict.fromkeys(("million", "millions", "mn", "mln"), 1e6),
    **dict.fromkeys(("crore", "crores"), 1e7),
    **dict.fromkeys(("billion", "billions", "bn"), 1e9),
    **dict.fromkeys(("trillion", "trillions", "tn"), 1e12),
}
_DIRECT = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}  # right behind the digits
_SPACED = {"k": 1e3, "M": 1e6, "B": 1e9}  # behind a space, where K is kelvin and T tesla
_WHOLE = {"mph": (("mi", 1), ("h", -1)), "kph": (("km", 1), ("h", -1)), "kmph": (("km", 1), ("h", -1))}
_SPELT = {word: name for name, words in _WORDS.items() for word in words.split()}
_NAMES = {symbol: _SPELT.get(symbol, symbol) for symbol in _SYMBOLS} | _SPELT
_LOWER: dict[str, set[str]] = {}
for _name, _meant in _NAMES.items():
    _LOWER.setdefault(_name.lower(), set()).update({_meant} if len(_name) > 1 else ())
_PREFIXES = {"square": 2, "sq": 2, "sq.": 2, "cubic": 3, "cu": 3, "cu.": 3}
_SUFFIXES = {"squared": 2, "cubed": 3}
_INSIDE = r"(?:[^{}]|\{[^{}]{0,9}\}){0,40}"
_WRAPPED = re.compile(rf"\\(?:text|mathrm|mbox|operatorname|rm)\s?\{{({_INSIDE})\}}")
_LAST = re.compile(_WRAPPED.pattern + r"\s?(?:\^\s?\{?-?[123]\}?)?[\s$.]{0,8}\Z")
_SCALE = re.compile(r"(?:[°º]|\^\s?\{?\s?\\circ\s?\}?|\\degree|(?<![A-Za-z])deg(?:ree)?s?\b)\s{0,3}\{?([CF])\}?$")
_SCALES = {"C": " celsius", "F": " fahrenheit"}
_ALONE = {frozenset((f"{letter}^1", f"{name.strip()}^1")) for letter, name in _SCALES.items()}  # `25 C` is 25 °C
_LETTER = r"[A-Za-zμΩ]"
_START = re.compile(rf"(?<!{_LETTER}){_LETTER}")
_TOKEN = re.compile(
    rf"\s*(?:(?P<below>/|per\b)|[*·]|(?P<name>{_LETTER}{{1,16}}\.?)(?:\^?\{{?(?P<power>-?[123])\}}?|(?P<mark>[²³]))?)"
)


class Read(NamedTuple):
    """A text without its unit."""

    rest: str
    unit: str = ""  # canonical; empty for none, and for one that is not compared
    times: float = 1.0  # what words multiply the number by
    letter: str = ""  # where the unit is one letter right behind the digits, which may as well be a variable


def split(text: str) -> Read:
    """Take the unit and the words that multiply off the end of a number; without known ones the text is as it was."""
    text = text.replace("\u00b5", "μ").replace("\u2126", "Ω")
    plain = _SCALE.sub(lambda found: _SCALES[found[1]], _WRAPPED.sub(r" \1", text).rstrip()).replace("\\cdot", "·")
    begin = max(len(plain) - MAX_CHARS, 0)
    for start in _START.finditer(plain, begin):
        head, tail = plain[: start.start()], plain[start.start() :]
        found = _read(tail, head[-1:].isspace()) if head.strip() else None
        if found is not None:
            letter = tail if len(tail) == 1 and not head[-1:].isspace() else ""
            return Read(head.rstrip(), *found, letter)
    return Read(plain)


def are_same(one: str, other: str) -> bool:
    """Whether two canonical units may be one: an empty one goes with any, `C` and `F` with degrees of that letter."""
    return not one or not other or one == other or frozenset((one, other)) in _ALONE


def written(text: str) -> str:
    r"""The unit in `\text{…}` or `\mathrm{…}` that any text ends with, canonical; empty for none."""
    found = _LAST.search(text[-MAX_CHARS:])
    return split(f"1{found[0].rstrip(' $.')}").unit if found else ""


def _read(tail: str, is_spaced: bool) -> tuple[str, float] | None:
    """The canonical unit of a text that is nothing else, and what its words multiply by."""
    times, short = 1.0, _SPACED if is_spaced else _DIRECT
    words = tail.split()
    if words[0] in short:
        times, words = short[words[0]], words[1:]
    while words and words[0].lower() in _TIMES:
        times, words = times * _TIMES[words[0].lower()], words[1:]
    unit = _unit(" ".join(words))
    return None if unit is None else (unit, times)


def _unit(text: str) -> str | None:
    """The canonical form of factors: `m/s`, `kg m^2`, `square feet`, `miles per hour`."""
    powers: Counter[str] = Counter()
    place, sign, power, last = 0, 1, 1, None
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            return None
        place, name = found.end(), found["name"]
        if found["below"]:
            sign = -1
        elif name and name.lower() in _PREFIXES:
            power = _PREFIXES[name.lower()]
        elif name and name.lower() in _SUFFIXES and last:
            powers[last] *= _SUFFIXES[name.lower()]
        elif name:
            factors = _factors(name.rstrip("."))
            if factors is None:
                return None
            own = int(found["power"] or {"²": 2, "³": 3}.get(found["mark"], 1)) * power * sign
            for last, share in factors:
                powers[last] += share * own
            sign, power = 1, 1
    if sign < 0 or power != 1:
        return None
    return "·".join(f"{name}^{count}" for name, count in sorted(powers.items()) if name and count)


def _factors(name: str) -> tuple[tuple[str, int], ...] | None:
    """What a name stands for."""
    if name.lower() in _WHOLE:
        return _WHOLE[name.lower()]
    meant = {_NAMES[name]} if name in _NAMES else _LOWER.get(name.lower(), set())
    return ((next(iter(meant)), 1),) if len(meant) == 1 else None
