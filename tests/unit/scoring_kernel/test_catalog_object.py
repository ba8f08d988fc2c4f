"""What a catalogue knows about itself as a whole."""

from __future__ import annotations

from scoring_kernel.catalog_loader import load_catalog

CATALOG = load_catalog()


def test_departments_figures_and_counts_are_never_negative_but_net_amounts_are() -> None:
    found = CATALOG.never_negative
    assert found <= CATALOG.input_columns
    assert "item.05.rejected_fen@current" in found
    assert "inpatient.discharges@base" in found
    # A refund takes an amount away: the net of a month may lie below nothing.
    assert "settlement.fund_fen@current" not in found


def test_every_source_of_every_part_counts_as_cited() -> None:
    cited = CATALOG.cited_sources
    assert cited <= set(CATALOG.legal_basis)
    for model in CATALOG.models.values():
        assert {model.basis} <= cited
        assert {source for one in model.indicators for source in one.sources} <= cited
        assert {source for one in model.overrides for source in one.sources} <= cited
    assert {one.basis for one in CATALOG.composites.values()} <= cited
