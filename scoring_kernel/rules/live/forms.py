"""Which rules have a live form, and which form it is."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from scoring_kernel.rules.live import charges, goods, limits, medication, standing, stays

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.rules.live.case import Form

__all__ = ["FORMS", "OWN_TRIGGERS", "PREFIX_TABLES", "TABLES"]

FORMS: Final[Mapping[str, Form]] = MappingProxyType(
    {
        "M01": limits.drug_gender,
        "M02": limits.item_gender,
        "M03": limits.child_drug,
        "M04": limits.child_item,
        "M05": limits.drug_insurance,
        "M06": limits.drug_level,
        "M07": limits.drug_setting,
        "M09": charges.exclusive_items,
        "M10": charges.item_frequency,
        "M11": charges.item_cycle,
        "M14": limits.indication,
        "M15": limits.second_line,
        "M16": medication.quantity,
        "M17": medication.overlap,
        "M18": medication.same_class,
        "M19": medication.dose,
        "M20": goods.price_cap,
        "M22": charges.daily_items,
        "M23": charges.hourly_items,
        "M28": stays.split_admission,
        "M30": stays.outpatient_in_stay,
        "M33": stays.overlapping_stay,
        "M35": standing.identity_failed,
        "M38": goods.trace_settled,
        "M39": goods.trace_missing,
        "M41": standing.staff,
        "W01": standing.insurance,
        "W02": standing.agreement,
        "W04": standing.identity,
        "W05": stays.open_stay_elsewhere,
        "W06": stays.second_admission,
        "W07": stays.readmission,
        "W11": goods.trace_unbought,
    }
)
"""Live form by rule; a warning that is not here only uses those of its rules."""

TABLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "M01": "k_drug_gender",
        "M02": "k_item_gender",
        "M03": "k_drug_child",
        "M04": "k_item_child",
        "M05": "k_drug_insutype",
        "M06": "k_drug_hosplevel",
        "M07": "k_drug_setting",
        "M10": "k_item_freq",
        "M11": "k_item_cycle",
        "M22": "k_daily_items",
        "M23": "k_hourly_items",
    }
)
"""Knowledge without whose codes among the orders a form finds nothing, and is not asked."""
PREFIX_TABLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "M14": "k_drug_indication",
        "M15": "k_second_line",
        "M18": "k_atc",
        "M19": "k_max_dose",
    }
)
"""The same, by the beginning of codes."""

OWN_TRIGGERS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = MappingProxyType(
    {
        rule: MappingProxyType({"3101": ("2", "4", "5"), "3102": ("7", "9", "10")})
        for rule in ("M14", "M15", "M18", "M19", "M20")
    }
)
"""Scenes of rules on orders that no warning uses: advice beside the eleven warnings."""
