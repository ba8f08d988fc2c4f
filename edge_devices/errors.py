"""Errors of edge devices: one base, and a subclass wherever a caller acts differently.

Every message says what was found, what was expected, which record (by id, never by name or
ID-card number) and what to do.
"""

__all__ = [
    "DeviceConfigurationError",
    "EdgeError",
    "FacesNotInstalledError",
    "NodeRefusedError",
    "NodeUnreachableError",
    "QueueError",
    "SourceError",
]


class EdgeError(Exception):
    """Base of everything a device raises on purpose."""


class DeviceConfigurationError(EdgeError):
    """The settings file, the directory or an option is wrong: mend it and start again."""


class SourceError(EdgeError):
    """A camera, stream, video or folder gives no frames."""


class NodeUnreachableError(EdgeError):
    """The node does not answer: events wait in the queue, nothing is lost."""


class NodeRefusedError(EdgeError):
    """The node refused this device or what it asked for.

    Attributes:
        code: Status of the call: ``permission_denied`` where the device itself is refused, anything
            else where this one request is.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class QueueError(EdgeError):
    """The queue of events cannot be opened or written: nothing new is accepted meanwhile."""


class FacesNotInstalledError(EdgeError):
    """The optional library of the camera is not installed."""
