"""Mapping files at the node: mistakes are errors of the node, with file and line."""

from pathlib import Path

import pytest

from node.errors import MappingError
from node.intake.mapping import load_mapping, parse_mapping
from scoring_kernel import load_catalog
from tests.support.node_csv import MAPPING

ROOT = Path(__file__).resolve().parents[4]


def test_a_mistake_is_told_with_file_and_line() -> None:
    assert parse_mapping(MAPPING.encode(), "x.yaml", load_catalog()).namespace == "test-set"
    with pytest.raises(MappingError, match=r"^mapping x\.yaml:6: unknown key 'nuls'"):
        parse_mapping(MAPPING.replace("nulls", "nuls").encode(), "x.yaml", load_catalog())


def test_a_mapping_without_records_or_without_a_file_is_refused(tmp_path: Path) -> None:
    head = MAPPING.split("records:", maxsplit=1)[0]
    with pytest.raises(MappingError, match="no record kind is mapped"):
        parse_mapping((head + "records: {}\n").encode(), "x.yaml", load_catalog())
    with pytest.raises(MappingError, match="cannot be read"):
        load_mapping(tmp_path / "none.yaml")
    with pytest.raises(MappingError, match="longer than a mapping is"):
        load_mapping(Path("/dev/zero"))


def test_codes_that_a_mapping_puts_are_codes_of_their_list() -> None:
    content = (ROOT / "deploy" / "examples" / "fraud_claims.mapping.yaml").read_text("utf-8")
    catalog = load_catalog()
    parse_mapping(content.replace('"21"', '"210199"').encode(), "x.yaml", catalog)
    for find, put, problem in (
        ('{constant: "390"}', '{constant: "999"}', "'999' found, expected a code .* insutype"),
        ('{constant: "1"}', '{column: way, default: "77"}', "'77' found, expected .* dscg_way"),
        ('{constant: "1"}', '{column: way, map: {H: "77"}}', "'77' found, expected .* dscg_way"),
    ):
        assert find in content
        with pytest.raises(MappingError, match=problem):
            parse_mapping(content.replace(find, put).encode(), "x.yaml", catalog)
