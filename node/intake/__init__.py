"""Intake: messages of the national interface, and any CSV through a declared mapping."""

from node.intake.ingest import ingest_file
from node.intake.mapping import CsvMapping, load_mapping
from node.intake.report import IngestReport

__all__ = ["CsvMapping", "IngestReport", "ingest_file", "load_mapping"]
