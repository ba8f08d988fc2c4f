"""Grading: from statements and department items to grades, publications and explanations."""

from hub.grading.explaining import Explanation, explain
from hub.grading.input_export import ExportedInputs, export_inputs
from hub.grading.ports import MonthlySource
from hub.grading.publishing import Publication, Signer, publish
from hub.grading.pushes import push_payloads
from hub.grading.recomputing import Recomputation, recompute
from hub.grading.report import BandShare, GradeReport, PeriodReport, Skipped
from hub.grading.runs import grade, regrade
from hub.grading.summaries import ClassLine, SubjectGrade, Summary, class_lines, summaries

__all__ = [
    "BandShare",
    "ClassLine",
    "Explanation",
    "ExportedInputs",
    "GradeReport",
    "MonthlySource",
    "PeriodReport",
    "Publication",
    "Recomputation",
    "Signer",
    "Skipped",
    "SubjectGrade",
    "Summary",
    "class_lines",
    "explain",
    "export_inputs",
    "grade",
    "publish",
    "push_payloads",
    "recompute",
    "regrade",
    "summaries",
]
