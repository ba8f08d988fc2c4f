"""Errors that the deployment tools raise on purpose.

One base; subclasses differ only where the caller acts differently: mend the arguments,
regenerate the files, or look into the log of a process that failed.
"""


class DeployError(Exception):
    """Base of every error of this package."""


class SimulationError(DeployError):
    """A city cannot be simulated from the given arguments; mend them."""


class ModelChoiceError(DeployError):
    """No such model, or a day that is none; name another."""


class InputFileError(DeployError):
    """A table of inputs cannot be read as it is; mend the file."""


class DemoError(DeployError):
    """A process of the demonstration failed or its result is not what it must be."""


class BenchmarkError(DeployError):
    """A benchmark row is unknown, or one of its runs did not do the whole work."""


class ProtosError(DeployError):
    """The generated protocol files cannot be made, or differ from the committed ones."""
