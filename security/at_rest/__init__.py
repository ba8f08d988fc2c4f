"""Encryption at rest: values sealed under a node key, records in encrypted Parquet segments."""

from security.at_rest.file_layer import DISK, FileLayer
from security.at_rest.segments import Segment, SegmentStore
from security.at_rest.vault import Vault

__all__ = ["DISK", "FileLayer", "Segment", "SegmentStore", "Vault"]
