"""What panels are about: topics with plausible places, units, sizes and courses over time."""

from typing import NamedTuple

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
YEARS = ("2021", "2022", "2023", "2024")
CITIES = ("Bern", "Cairo", "Delhi", "Hanoi", "Lima", "Oslo", "Paris", "Quito", "Rabat", "Riga", "Rome", "Tokyo")
SIGHTS = ("Castle", "Museum", "Zoo", "Pool", "Theatre", "Library", "Gallery", "Garden")
FIRMS = ("Acorn", "Bolt", "Cedar", "Delta", "Ember", "Fjord", "Garnet", "Harbour")
PLANTS = ("Solar", "Wind", "Hydro", "Coal", "Gas", "Biogas")
PEOPLE = ("Anna", "Ben", "Carla", "David", "Emma", "Felix", "Grace", "Hugo")
SHOPS = ("North", "South", "East", "West", "Centre", "Airport", "Harbour")


class Topic(NamedTuple):
    """What a set of panels is about."""

    title: str
    unit: str
    names: tuple[str, ...]  # of panels
    categories: tuple[str, ...]  # consecutive ones are shown
    times: str  # what one of them is called
    steps: tuple[int, ...]  # of axes: sizes that values of this kind have
    courses: tuple[str, ...]  # how they go: "up", "down", "hump", "dip", "even"
    may_be_negative: bool = False
    adds: bool = True  # sums and percentages of such values mean something


TOPICS = (
    Topic("Rainfall", "mm", CITIES, MONTHS, "month", (20, 40), ("hump", "dip", "even")),
    Topic("Temperature", "degrees", CITIES, MONTHS, "month", (10,), ("hump", "dip"), True, False),
    Topic("Visitors", "hundreds", SIGHTS, DAYS, "day", (10, 20, 40), ("up", "hump", "even")),
    Topic("Profit", "thousands", FIRMS, MONTHS, "month", (10, 20, 40), ("up", "down", "even"), True),
    Topic("Sales", "boxes", SHOPS, MONTHS, "month", (10, 20, 40, 100), ("up", "down", "hump")),
    Topic("Energy", "MWh", PLANTS, MONTHS, "month", (20, 40, 100), ("hump", "dip", "even")),
    Topic("Steps", "hundreds", PEOPLE, DAYS, "day", (20, 40), ("even", "up", "hump")),
    Topic("Change in price", "cents", SHOPS, DAYS, "day", (4, 10), ("even", "up", "down"), True, False),
    Topic("Cars parked", "", SHOPS, DAYS, "day", (10, 20, 40), ("up", "hump", "even")),
    Topic("Books lent", "", SIGHTS, MONTHS, "month", (20, 40, 100), ("up", "down", "even")),
)
