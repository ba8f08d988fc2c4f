"""What a demonstration shows of faces: numbers for scripts, a table for people."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.table import Table

__all__ = ["FaceSummary"]

_PER_YUAN = 100
_E4 = 10_000
_MISMATCHES, _ABSENCES = 3, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceSummary:
    """What terminals saw; names are those of the JSON file."""

    institution: str
    """Hospital where the terminals stand."""
    people_fitted: int
    """People whom the threshold was fitted on; none of them comes."""
    threshold_e4: int
    """Threshold in force, ten-thousandths."""
    target_far: str
    """False-accept rate that it was fitted for."""
    mismatches: int
    """Times that the impostor was refused at the window."""
    best_imposture_e4: int
    """Greatest likeness of the impostor, ten-thousandths."""
    warning: str
    """Id of the warning on the question before the registration (3101)."""
    warning_words: str
    """What it says."""
    impostor_hits: int
    """Hits of M35 on visits of today there."""
    impostor_fen: int
    """Sum of their amounts, fen."""
    right_verdict: str
    """What the window told of the person who came in person."""
    right_score_e4: int
    """Likeness of that person, ten-thousandths."""
    right_warnings: int
    """Warnings about that person's identity."""
    bed_absences: int
    """Bed checks that found nobody."""
    bed_hits: int
    """Hits of M29 on stays that ended today there."""
    liveness: str
    """Whether liveness was checked."""
    messages: int
    """Messages of these visits that the node holds."""

    @property
    def claims(self) -> Mapping[str, bool]:
        """What must hold, and whether it does."""
        return {
            f"{self.mismatches} of {_MISMATCHES} impostures seen; expected all":
                self.mismatches == _MISMATCHES,
            f"the impostor's visit: {self.warning or 'no'} warning; expected W04":
                self.warning == "W04",
            f"{self.impostor_hits} visits of impostors hit (M35); expected 1":
                self.impostor_hits == 1,
            f"the right person: {self.right_verdict}, {self.right_warnings} warnings; expected"
            " match and none":
                (self.right_verdict, self.right_warnings) == ("match", 0),
            f"{self.bed_absences} of {_ABSENCES} bed checks found nobody; expected all":
                self.bed_absences == _ABSENCES,
            f"{self.bed_hits} bed-hanging stays hit (M29); expected 1": self.bed_hits == 1,
        }  # fmt: skip

    def shown(self) -> Table:
        """Show it.

        Returns:
            A table of two columns.
        """
        table = Table(title="Faces 人脸核验", show_header=False)
        table.add_column(overflow="fold")
        table.add_column(overflow="fold")
        threshold = self.threshold_e4 / _E4
        table.add_row(
            "threshold, calibrated 标定阈值",
            f"{threshold:.4f} for {self.institution}, for a false-accept rate of"
            f" {self.target_far}, on {self.people_fitted} people who do not come; liveness:"
            f" {self.liveness.replace('_', ' ')}",
        )
        table.add_row(
            "somebody else at the window 冒名就医",
            f"refused {self.mismatches} times, likeness at most"
            f" {self.best_imposture_e4 / _E4:.4f}; 3101: {self.warning} {self.warning_words};"
            f" settled all the same: M35, {self.impostor_fen / _PER_YUAN:,.2f} yuan",
        )
        table.add_row(
            "the right person 人证相符",
            f"{self.right_verdict} (likeness {self.right_score_e4 / _E4:.4f}), no warning",
        )
        table.add_row(
            "an empty bed 挂床住院", f"absent at {self.bed_absences} bed checks; discharged: M29"
        )
        return table
