from __future__ import annotations

import inspect

import pytest

from security import errors
from security.chain import ChainPosition

HELD = ChainPosition(incarnation=2, seq=7, hash=bytes(32))


def test_every_error_has_the_one_base_and_is_named_an_error() -> None:
    found = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    ours = [
        kind
        for kind in found
        if kind.__module__ == "security.errors" and issubclass(kind, BaseException)
    ]
    assert ours
    assert all(issubclass(kind, errors.SecurityError) for kind in ours)
    assert all(kind.__name__.endswith("Error") for kind in ours)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.ChainGapError(HELD), "incarnation 2, seq 7"),
        (errors.ChainForkError(HELD), "incarnation 2, seq 7"),
        (errors.UntrustedCertificateError("expired"), "not trusted: expired. Renew or re-enrol"),
        (errors.UntrustedReceiptError("other hash"), "not trusted: other hash. The envelope"),
        (errors.HubRefusedError("FORK", "ask the officer"), "(FORK): ask the officer"),
        (errors.JobFailedError("locked", "another writer runs", 5), "another writer runs"),
    ],
)
def test_messages_say_what_was_found_and_what_to_do(
    error: errors.SecurityError, words: str
) -> None:
    assert words in str(error)


def test_errors_carry_what_callers_act_on() -> None:
    refused = errors.HubRefusedError("GAP", "re-send", HELD)
    assert (refused.code, refused.detail, refused.expected) == ("GAP", "re-send", HELD)
    failed = errors.JobFailedError("locked", "another writer runs", 5)
    assert (failed.code, failed.message, failed.exit_code) == ("locked", "another writer runs", 5)
    assert errors.UntrustedReceiptError("other hash").cause == "other hash"


def test_an_untrusted_envelope_tells_its_cause_to_the_log_only() -> None:
    error = errors.UntrustedEnvelopeError("signature")
    assert error.cause == "signature"
    assert "signature" not in str(error)
    assert str(errors.UnreadableEnvelopeError("key")) == str(error)
