"""Import desk: departments' CSV files become versioned rows of information items."""

from hub.departments.importing import import_items
from hub.departments.quarantine import QuarantinedLine, open_faults
from hub.departments.report import FileReport, ImportReport

__all__ = ["FileReport", "ImportReport", "QuarantinedLine", "import_items", "open_faults"]
