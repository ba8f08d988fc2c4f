"""Several commands in one process: each one's output, and the first failure ends the rest."""

import json

from deploy.demo.several import run_several


def test_every_command_gives_what_it_wrote() -> None:
    code, written = run_several([["rules", "list", "--json"], ["--help"]])
    assert code == 0
    assert json.loads(written[0])["rules"]
    assert "Usage" in written[1]


def test_the_first_failure_ends_the_rest() -> None:
    code, written = run_several([["--help"], ["simulate"], ["--help"]])
    assert code == 2
    assert len(written) == 2
