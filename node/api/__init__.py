"""Borders of the node's daemon: its local command channel and its error table."""
