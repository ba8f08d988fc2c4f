"""The loaded catalogue as one immutable object."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scoring_kernel.code_extensions import extend_catalog

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scoring_kernel.code_extensions import CodeListExtension
    from scoring_kernel.code_lists import CodeList
    from scoring_kernel.composite.model import CompositeModel
    from scoring_kernel.information import InformationItem
    from scoring_kernel.joining import Joining
    from scoring_kernel.legal_basis import LegalBasis
    from scoring_kernel.measure_sets import MeasureSet
    from scoring_kernel.model import RatingModel
    from scoring_kernel.qualification_rules import QualificationRules
    from scoring_kernel.record_kinds import RecordKind
    from scoring_kernel.record_layouts import RecordLayout
    from scoring_kernel.transactions import Transaction
    from scoring_kernel.units import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """All rules as data, as one digest names them."""

    digest: bytes
    """SHA-256 over all files, 32 bytes."""
    models: Mapping[str, RatingModel] = field(repr=False)
    """Rating models by id."""
    composites: Mapping[str, CompositeModel] = field(repr=False)
    """Composite models by id."""
    measure_sets: Mapping[str, MeasureSet] = field(repr=False)
    """Measure sets by id."""
    items: Mapping[str, InformationItem] = field(repr=False)
    """Information items by number, for example ``05`` or ``s03``."""
    qualification: QualificationRules = field(repr=False)
    """Thresholds and terms of payment qualification."""
    joining: Joining = field(repr=False)
    """What is joined across nodes, for how long it is kept, and how clues are scored."""
    records: Mapping[str, RecordKind] = field(repr=False)
    """Record kinds by id."""
    record_layouts: Mapping[str, tuple[RecordLayout, ...]] = field(repr=False)
    """Layouts of the transactions whose rows are records, by transaction."""
    envelope: Transaction = field(repr=False)
    """Fields around every message of the national interface."""
    transactions: Mapping[str, Transaction] = field(repr=False)
    """Transactions of the national interface by number."""
    code_tables: Mapping[str, CodeList] = field(repr=False)
    """Code lists with their labels, by id."""
    code_lists: Mapping[str, frozenset[str]] = field(repr=False)
    """The codes alone, by id of the list."""
    extensible_lists: frozenset[str] = field(repr=False)
    """Ids of the lists whose unknown codes are accepted."""
    legal_basis: Mapping[str, LegalBasis] = field(repr=False)
    """Sources by key."""
    units: Mapping[str, Unit] = field(repr=False)
    """Units by id."""
    mapping_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    """Names that foreign files give to a record's column, for proposals."""
    mappings: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """Mapping files of formats that need no other, by the table they are for."""

    @property
    def input_columns(self) -> frozenset[str]:
        """Input columns that a measure or an information item states."""
        stated = {column for one in self.measure_sets.values() for column in one.input_columns}
        return frozenset(stated).union(*(one.input_columns for one in self.items.values()))

    @property
    def never_negative(self) -> frozenset[str]:
        """Input columns that cannot be negative: departments' figures and measures that count."""
        found = {column for one in self.items.values() for column in one.input_columns}
        for one in self.measure_sets.values():
            counted = tuple(f"{one.id}.{measure}@" for measure in one.never_negative)
            found |= {column for column in one.input_columns if column.startswith(counted)}
        return frozenset(found)

    @property
    def cited_sources(self) -> frozenset[str]:
        """Keys of the sources that models, qualification, joining and terms of retention cite."""
        cited = {one.basis for one in self.composites.values()}
        cited |= {one.retention_basis for one in self.records.values()}
        joining = self.joining
        cited |= {joining.basis, joining.hub_clues.basis, joining.node_clues.basis}
        for join in joining.joins.values():
            for parameter in join.parameters.values():
                cited |= {value.basis for value in parameter.values}
        for parameter in self.qualification.parameters.values():
            cited |= {value.basis for value in parameter.values}
        for model in self.models.values():
            cited |= {model.basis, *(one.basis for one in model.band_sets.values())}
            cited = cited.union(*(one.sources for one in model.indicators))
            cited = cited.union(*(one.sources for one in model.overrides))
        return frozenset(cited)

    def model_for(self, subject_class: str) -> RatingModel | None:
        """Find the model of a subject class (主体类别); None where the class has none."""
        for model in self.models.values():
            if model.subject_class == subject_class:
                return model
        return None

    def with_codes(self, extensions: Iterable[CodeListExtension]) -> Catalog:
        """Add loaded codes to the code lists.

        Args:
            extensions: Codes that a province adds; none of them takes a national code away.

        Returns:
            The catalogue with the codes and the same digest: which codes intake knows is
            no rule of grading.
        """
        return extend_catalog(self, extensions)
