from __future__ import annotations

import inspect

from hub import errors as hub_errors
from hub.api.errors import ERROR_TABLE, UNEXPECTED, describe, row_of
from hub.errors import HubError
from security.errors import JobFailedError


def test_every_error_of_the_hub_has_a_row_of_its_own() -> None:
    own = [
        value
        for _, value in inspect.getmembers(hub_errors, inspect.isclass)
        if issubclass(value, HubError)
    ]

    assert [error.__name__ for error in own if error not in ERROR_TABLE] == []


def test_codes_are_never_shared_and_exit_codes_stay_clear_of_success_and_usage() -> None:
    codes = [row.code for row in ERROR_TABLE.values()]

    assert len(codes) == len(set(codes))
    assert all(2 < row.exit_code < 64 for row in ERROR_TABLE.values())
    shared = {hub_errors.ConfigurationError, hub_errors.NotInitialisedError}
    exits = [row.exit_code for kind, row in ERROR_TABLE.items() if kind not in shared]
    assert len(exits) == len(set(exits))


def test_a_subclass_without_a_row_takes_that_of_its_base() -> None:
    class _NewError(hub_errors.GradingError):
        pass

    assert row_of(_NewError()).code == "grading"


def test_a_foreign_error_is_told_by_its_type_only() -> None:
    code, message, exit_code = describe(ValueError("a patient's name"))

    assert (code, exit_code) == (UNEXPECTED.code, 70)
    assert "patient" not in message


def test_a_job_that_failed_in_the_daemon_keeps_its_code() -> None:
    failed = JobFailedError("grading", "why", 29)

    assert describe(failed) == ("grading", "why", 29)


def test_the_wording_for_peers_never_tells_the_cause() -> None:
    for error in (
        hub_errors.EnrolmentRefusedError("the clocks differ"),
        hub_errors.MemberRefusedError("revoked yesterday"),
    ):
        assert error.cause not in row_of(error).wording
