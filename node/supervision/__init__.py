"""Supervision (监管): rules over a node's records, as they arrive and after the fact."""
