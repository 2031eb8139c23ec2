"""Small open word lists from which charts take their names: titles, categories, series, measures and units.

Every list is closed, so that an answer which is a word can be read against it, and every word is short enough to stand
beside an axis of a small picture.
"""

from typing import NamedTuple

LETTERS = "ABCDEFGHKLMNPRSTUVWXYZ"  # without look-alikes of digits, and without J, which falls below its line
WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
YEAR = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
YEARS = tuple(str(year) for year in range(2008, 2026))
HOURS = tuple(f"{hour}h" for hour in range(6, 22))
FRUIT = ("Apple", "Cherry", "Fig", "Grape", "Kiwi", "Lemon", "Mango", "Melon", "Peach", "Pear", "Plum", "Quince")
ANIMALS = ("Bear", "Cat", "Deer", "Dog", "Duck", "Fox", "Goat", "Hen", "Lion", "Owl", "Seal", "Wolf")
CITIES = ("Bern", "Cairo", "Delhi", "Hanoi", "Lima", "Oslo", "Paris", "Quito", "Rabat", "Riga", "Rome", "Tokyo")
SPORTS = ("Chess", "Golf", "Hockey", "Judo", "Polo", "Rowing", "Rugby", "Skiing", "Squash", "Tennis", "Yoga")
PEOPLE = ("Anna", "Ben", "Carla", "David", "Emma", "Felix", "Grace", "Hugo", "Iris", "Karl", "Lena", "Marco")
GOODS = ("Bread", "Butter", "Cheese", "Eggs", "Flour", "Honey", "Milk", "Oats", "Rice", "Salt", "Sugar", "Tea")
REGIONS = ("North", "South", "East", "West", "Centre", "Coast", "Hills", "Valley")
PLANTS = ("Ash", "Beech", "Birch", "Cedar", "Elm", "Fir", "Larch", "Maple", "Oak", "Pine", "Spruce", "Willow")
TEAMS = ("Bees", "Eagles", "Hawks", "Sharks", "Tigers", "Wolves", "Ravens", "Foxes")
GRADES = ("1A", "1B", "2A", "2B", "3A", "3B", "4A", "4B")


class Topic(NamedTuple):
    """What a chart is about."""

    title: str
    categories: tuple[str, ...]
    axis: str  # title of the category axis
    measure: str  # title of the value axis
    unit: str  # of the values, "" where they are counts
    series: tuple[str, ...]
    is_ordered: bool = False  # categories follow each other in time


TOPICS = (
    Topic("Fruit sold", FRUIT, "Fruit", "Weight", "kg", REGIONS),
    Topic("Animals seen", ANIMALS, "Animal", "Number", "", YEARS),
    Topic("Rainfall", CITIES, "City", "Rain", "mm", YEARS),
    Topic("Sports clubs", SPORTS, "Sport", "Members", "", REGIONS),
    Topic("Quiz night", PEOPLE, "Player", "Points", "", GRADES),
    Topic("Prices", GOODS, "Item", "Price", "cents", CITIES),
    Topic("Tree planting", PLANTS, "Tree", "Height", "cm", REGIONS),
    Topic("League table", TEAMS, "Team", "Goals", "", YEARS),
    Topic("Books read", GRADES, "Class", "Books", "", PEOPLE),
    Topic("Travel time", REGIONS, "Area", "Time", "min", TEAMS),
    Topic("Visitors", WEEK, "Day", "Visitors", "", CITIES, True),
    Topic("Water use", YEAR, "Month", "Volume", "litres", GOODS, True),
    Topic("Harvest", YEARS, "Year", "Mass", "tons", FRUIT, True),
    Topic("Traffic", HOURS, "Hour", "Cars", "", TEAMS, True),
    Topic("Training", WEEK, "Day", "Distance", "km", PEOPLE, True),
    Topic("Power", YEAR, "Month", "Energy", "MWh", PLANTS, True),
    Topic("Zoo feeding", YEARS, "Year", "Food", "kg", ANIMALS, True),
    Topic("Online shop", HOURS, "Hour", "Orders", "", SPORTS, True),
)
TITLES = tuple(sorted({topic.title for topic in TOPICS}))
MEASURES = tuple(sorted({topic.measure for topic in TOPICS}))
AXES = tuple(sorted({topic.axis for topic in TOPICS}))
UNITS = tuple(sorted({topic.unit for topic in TOPICS if topic.unit}))
