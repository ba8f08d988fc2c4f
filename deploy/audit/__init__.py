"""What the auditor's commands print, and the report that goes into the file."""
