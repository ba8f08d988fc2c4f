"""What a demonstration has to show at its end: numbers for scripts, tables for people."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from deploy.demo.classes import CLASSES, PRESCORED, SUBJECT_CLASS, ClassSummary
from deploy.demo.face_summary import FaceSummary
from deploy.demo.intake_summary import IntakeSummary
from deploy.demo.supervision_summary import SupervisionSummary
from scoring_kernel import load_catalog
from scoring_kernel.model import Band, RatingModel

_BAR_WIDTH: Final = 40
_EXPLAINED: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The numbers of one demonstration; names are those of the JSON file."""

    institutions: int
    """Medical institutions under the nodes' custody."""
    messages_in: int
    """Messages the nodes hold."""
    records_stored: int
    """Records the nodes hold."""
    quarantined: int
    """Messages or rows that are still refused at the end."""
    intake: IntakeSummary
    """How records came in besides files of messages."""
    supervision: SupervisionSummary
    """What rules, warnings and joins found."""
    envelopes_sent: int
    """Sealed envelopes sent up: by the nodes to the city, by the city to the province."""
    receipts: int
    """Verified receipts for them."""
    subjects_graded: int
    """Medical institutions the city graded."""
    grade_distribution: dict[str, int]
    """Medical institutions by grade."""
    prescore_equal: int
    """Indicators whose pre-score equals the final points, to the hundredth."""
    prescore_compared: int
    """Indicators compared: of every institution and pharmacy, those of its model."""
    pushed: int
    """Grades of medical institutions the province holds."""
    audit: str
    """``valid`` where the bundles of both hubs verified."""
    basis: str
    """``proposal`` or ``final``: status of the model behind the grades."""
    seconds: float
    """Wall time."""
    classes: dict[str, ClassSummary]
    """What became of every subject class, medical institutions among them."""
    faces: FaceSummary | None = None
    """What terminals saw; None without models."""

    def to_json(self) -> dict[str, Any]:
        """Give the summary as a JSON object.

        Returns:
            Values by name.
        """
        return asdict(self)

    @property
    def failures(self) -> tuple[str, ...]:
        """What is not as it must be; empty after a demonstration that succeeded."""
        models = load_catalog().models
        expected = sum(
            one.subjects * len(models[name].indicators)
            for name, one in self.classes.items()
            if name in PRESCORED
        )
        claims = {
            f"{self.receipts} receipts for {self.envelopes_sent} envelopes; expected one for each":
                self.receipts == self.envelopes_sent > 0,
            f"{self.prescore_compared} indicators compared; expected {expected}":
                self.prescore_compared == expected,
            f"{self.prescore_equal} of {self.prescore_compared} pre-scores equal; expected all":
                self.prescore_equal == self.prescore_compared,
            f"{self.subjects_graded} subjects graded; expected {self.institutions}":
                self.subjects_graded == self.institutions,
            f"the province holds {self.pushed} grades; expected {self.subjects_graded}":
                self.pushed == self.subjects_graded,
            f"the auditor says {self.audit}; expected valid": self.audit == "valid",
            f"{self.quarantined} left in quarantine; expected none": self.quarantined == 0,
            **self.intake.claims,
            **self.supervision.claims,
            **({} if self.faces is None else self.faces.claims),
        }  # fmt: skip
        for name, one in self.classes.items():
            if name == SUBJECT_CLASS:
                continue
            found = one.graded + one.not_rated
            claims[f"{name}: {found} subjects looked at; expected {one.subjects}"] = (
                found == one.subjects
            )
            due = found if models[name].pushed else 0
            claims[f"{name}: the province holds {one.pushed} grades; expected {due}"] = (
                one.pushed == due
            )
        return tuple(text for text, holds in claims.items() if not holds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the tables show besides the summary."""

    summary: Summary
    explanation: dict[str, Any]
    """Answer of ``yixin node explain`` for one subject."""
    hit: dict[str, Any]
    """Answer of ``yixin node rules explain`` for one hit."""
    log_sizes: Mapping[str, int]
    """Leaves of each hub's transparency log."""
    asked: Mapping[str, str]
    """What the public was told, by subject."""
    verdicts: Mapping[str, str]
    """The auditor's verdict per hub."""
    steps: Mapping[str, float] = field(default_factory=dict)
    """Seconds per step."""


def show(findings: Findings, console: Console) -> None:
    """Print the tables.

    Args:
        findings: What was found.
        console: Where to print.
    """
    console.print(_grades(findings.summary))
    console.print(_by_class(findings.summary))
    console.print(_explained(findings.explanation))
    console.print(findings.summary.intake.shown())
    console.print(findings.summary.supervision.shown(findings.hit))
    if findings.summary.faces is not None:
        console.print(findings.summary.faces.shown())
    console.print(_proved(findings))
    for failure in findings.summary.failures:
        console.print(f"[red]{failure}[/red]")


def _model() -> RatingModel:
    return load_catalog().models[SUBJECT_CLASS]


def _grades(summary: Summary) -> Table:
    model = _model()
    table = Table(title=f"{CLASSES[SUBJECT_CLASS]} 信用等级 Grades (basis: {summary.basis})")
    for name in ("Grade", "等级", "Subjects", "Share", ""):
        table.add_column(name, justify="right" if name in {"Subjects", "Share"} else "left")
    whole = max(1, sum(summary.grade_distribution.values()))
    labels = {band.id: _label(band) for band in model.bands}
    unrated = set(summary.grade_distribution) - set(labels)
    for grade in [*labels, *sorted(unrated)]:
        share = summary.grade_distribution.get(grade, 0) / whole
        bar = "█" * round(share * _BAR_WIDTH)
        count = summary.grade_distribution.get(grade, 0)
        table.add_row(grade, labels.get(grade, "不予评级"), str(count), f"{share:.1%}", bar)
    return table


def _by_class(summary: Summary) -> Table:
    """Show a line per subject class; the first model's grades are everybody's."""
    bands = _model().bands
    table = Table(title="Subject classes 主体类别")
    table.add_column("Class")
    for name in ("Graded", "Not rated", "Capped", *(band.name_zh for band in bands)):
        table.add_column(name, justify="right")
    for name, one in summary.classes.items():
        counts = (one.grade_distribution.get(band.id, 0) for band in bands)
        numbers = (one.graded, one.not_rated, one.capped, *counts)
        table.add_row(f"{CLASSES.get(name, '')} {name}", *map(str, numbers))
    return table


def _label(band: Band) -> str:
    """Name of a grade and the points it begins at."""
    return (
        f"{band.name_zh} ≥ {band.at_least_centi / 100:g}" if band.at_least_centi else band.name_zh
    )


def _explained(explanation: Mapping[str, Any]) -> Table:
    title = (
        f"{explanation['subject']}: {explanation['total']} points, {explanation['grade']}"
        f" (basis: {explanation['basis']}) — where it lost most"
    )
    table = Table(title=title)
    for name in ("指标", "Points", "Of", "原因"):
        table.add_column(
            name, justify="right" if name in {"Points", "Of"} else "left", overflow="fold"
        )
    for line in explanation["indicators"][:_EXPLAINED]:
        table.add_row(line["indicator"], line["points"], line["of"], line["原因"])
    return table


def _proved(findings: Findings) -> Table:
    summary = findings.summary
    table = Table(title="Exchange and proof", show_header=False)
    table.add_row("messages held", f"{summary.messages_in:,}")
    table.add_row("records held", f"{summary.records_stored:,}")
    table.add_row("left in quarantine", f"{summary.quarantined:,}")
    table.add_row("envelopes sent, receipts", f"{summary.envelopes_sent}, {summary.receipts}")
    table.add_row(
        "pre-scores equal to the final points",
        f"{summary.prescore_equal} of {summary.prescore_compared}",
    )
    held = sum(one.pushed for one in summary.classes.values())
    table.add_row("grades of all classes held by the province", f"{held:,}")
    for subject, told in findings.asked.items():
        table.add_row("a question of the public 依协议查询", f"{subject}: {told}")
    for hub, size in findings.log_sizes.items():
        verdict = findings.verdicts.get(hub, "not audited")
        table.add_row(f"log of {hub}", f"{size} leaves; the auditor says {verdict}")
    table.add_row("time", f"{summary.seconds:.1f} s")
    return table
