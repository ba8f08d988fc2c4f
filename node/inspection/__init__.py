"""Inspection (核查): a node's records against what it committed to, stated and was paid for."""
