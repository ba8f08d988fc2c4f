"""Encryption at rest: values sealed under a node key, records in encrypted Parquet segments.

Segments are imported from their own module: whoever seals values alone does without pyarrow.
"""

from security.at_rest.file_layer import DISK, FileLayer
from security.at_rest.vault import Vault

__all__ = ["DISK", "FileLayer", "Vault"]
