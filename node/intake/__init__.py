"""Intake: messages of the national interface, FHIR, and any table through a declared mapping."""

from node.intake.ingest import ingest_file
from node.intake.mapping import load_mapping
from node.intake.report import IngestReport

__all__ = ["IngestReport", "ingest_file", "load_mapping"]
