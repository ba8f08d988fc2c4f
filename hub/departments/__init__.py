"""Import desk: departments' files become versioned rows of information items."""

from hub.departments.importing import import_items
from hub.departments.mapping_files import load_mapping, propose_mapping
from hub.departments.quarantine import QuarantinedLine, open_faults
from hub.departments.report import FileReport, ImportReport

__all__ = [
    "FileReport",
    "ImportReport",
    "QuarantinedLine",
    "import_items",
    "load_mapping",
    "open_faults",
    "propose_mapping",
]
