"""One base per package; every error ends in ``Error``; the names say who must act."""

import importlib
import inspect

import pytest

BASES = {
    "scoring_kernel.errors": "KernelError",
    "security.errors": "SecurityError",
    "node.errors": "NodeError",
    "hub.errors": "HubError",
    "edge_devices.errors": "EdgeError",
    "deploy.errors": "DeployError",
}


@pytest.mark.parametrize("module", BASES)
def test_every_error_has_the_one_base_of_its_package(module: str) -> None:
    errors = importlib.import_module(module)
    base = getattr(errors, BASES[module])
    own = [
        value
        for _, value in inspect.getmembers(errors, inspect.isclass)
        if value.__module__ == module and issubclass(value, BaseException)
    ]
    assert base in own
    for error in own:
        assert issubclass(error, base), error
        assert error.__name__.endswith("Error"), error
        assert inspect.getdoc(error), error
