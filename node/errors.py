"""Errors of a node: one base, and a subclass wherever a caller acts differently.

Every message says what was found, what was expected, which record (by id,
never by name or ID-card number) and what to do.
"""

__all__ = [
    "BackupError",
    "ConfigurationError",
    "DeviceRefusedError",
    "IntakeFileError",
    "MappingError",
    "NodeError",
    "NotJoinedError",
    "PresenceError",
    "RuleStoppedError",
    "StoreError",
    "TemplateError",
]


class NodeError(Exception):
    """Base of everything a node raises on purpose."""


class ConfigurationError(NodeError):
    """The settings file or an option is wrong: the operator mends it and starts again."""


class NotJoinedError(NodeError):
    """The node holds no certificate yet: it can keep records but cannot report."""


class IntakeFileError(NodeError):
    """A whole input file cannot be read at all; nothing of it was taken in.

    Faults of single messages or lines are not errors: they become quarantine
    rows and the rest of the file goes in.
    """


class MappingError(NodeError):
    """A mapping file for foreign CSV is wrong; nothing was taken in."""


class RuleStoppedError(NodeError):
    """A supervision rule was stopped: beyond its budget, or what it returns is no result.

    The run reports it, and the other rules go on.
    """


class StoreError(NodeError):
    """The node's store is damaged, of another version, or asked for what it lacks."""


class BackupError(NodeError):
    """A backup cannot be written, read or trusted; the node it was made of is not touched."""


class DeviceRefusedError(NodeError):
    """A device is not known, not active, not at this place, or may not do what it asked."""


class TemplateError(NodeError):
    """A face template cannot be enrolled, found, re-keyed or compared as asked."""


class PresenceError(NodeError):
    """A presence event, ask or override breaks a rule; the message names the rule."""
