"""Numbers as people read them: median (min–max), the ratio to Lanthorn, the goal beside it."""

from dataclasses import dataclass, field
from statistics import median


@dataclass
class Sample:
    """What was measured of one contestant, round by round."""

    values: list[float] = field(default_factory=list)

    def add(self, value: float) -> None:
        self.values.append(value)

    @property
    def median(self) -> float:
        return median(self.values)

    def text(self) -> str:
        if not self.values:
            return "–"
        if len(self.values) == 1:
            return figure(self.median)
        return f"{figure(self.median)} ({figure(min(self.values))}–{figure(max(self.values))})"


def figure(value: float) -> str:
    """Three digits that mean something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}"


@dataclass
class Row:
    """One contestant: the figure that is compared, and what it cost."""

    main: Sample = field(default_factory=Sample)
    extras: dict[str, Sample] = field(default_factory=dict)
    remark: str = ""

    def add(self, main: float, **extras: float) -> None:
        self.main.add(main)
        for name, value in extras.items():
            self.extras.setdefault(name, Sample()).add(value)


class Table:
    """A workload's result."""

    def __init__(self, title: str, unit: str, goal: str, *, less_is_better: bool, ours: str = "lanthorn"):
        self.title, self.unit, self.goal = title, unit, goal
        self.less_is_better, self.ours = less_is_better, ours
        self.rows: dict[str, Row] = {}
        self.notes: list[str] = []

    def row(self, name: str) -> Row:
        return self.rows.setdefault(name, Row())

    def ratio(self, name: str) -> str:
        """How far Lanthorn is ahead of this contestant."""
        ours, theirs = self.rows.get(self.ours), self.rows[name]
        if name == self.ours or ours is None or not ours.main.values or not theirs.main.values:
            return ""
        pair = (theirs.main.median, ours.main.median)
        above, below = pair if self.less_is_better else pair[::-1]
        return f"{above / below:.2f}" if below else ""

    def markdown(self) -> str:
        rows = {name: row for name, row in self.rows.items() if row.main.values or row.remark}
        extras = list(dict.fromkeys(name for row in rows.values() for name in row.extras))
        titles = ["", self.unit, "Lanthorn ahead", *(name.replace("_", " ") for name in extras)]
        text = [f"## {self.title}", "", f"Goal: {self.goal}", "", line(titles), line(["---"] * len(titles))]
        for name, row in rows.items():
            cells = [row.extras[extra].text() if extra in row.extras else "" for extra in extras]
            main = row.main.text() + (f" {row.remark}" if row.remark else "")
            text.append(line([name, main, self.ratio(name), *cells]))
        text += ["", *(f"- {note}" for note in self.notes)]
        return "\n".join(text).rstrip() + "\n"


def line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
