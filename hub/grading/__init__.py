"""Grading: from statements and department items to grades, publications and explanations."""

from hub.grading.explaining import Explanation, explain
from hub.grading.ports import MonthlySource
from hub.grading.publishing import Publication, Signer, publish
from hub.grading.pushes import push_payloads
from hub.grading.recomputing import Recomputation, recompute
from hub.grading.report import BandShare, GradeReport
from hub.grading.runs import grade, regrade
from hub.grading.summaries import SubjectGrade, Summary, summary

__all__ = [
    "BandShare",
    "Explanation",
    "GradeReport",
    "MonthlySource",
    "Publication",
    "Recomputation",
    "Signer",
    "SubjectGrade",
    "Summary",
    "explain",
    "grade",
    "publish",
    "push_payloads",
    "recompute",
    "regrade",
    "summary",
]
