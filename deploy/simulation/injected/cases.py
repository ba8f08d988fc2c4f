"""Which cases are injected: one function a rule or a few, in order."""

from collections.abc import Callable
from typing import Final

from deploy.simulation.injected.across_nodes import write_across_nodes
from deploy.simulation.injected.asked_orders import ask_about_orders
from deploy.simulation.injected.asked_people import ask_about_people
from deploy.simulation.injected.bedsides import write_bedsides
from deploy.simulation.injected.charges import write_charges
from deploy.simulation.injected.goods import write_goods
from deploy.simulation.injected.limits import write_limits
from deploy.simulation.injected.medication import write_medication
from deploy.simulation.injected.scene import Scene
from deploy.simulation.injected.trust import write_trust

__all__ = ["CASES"]

CASES: Final[tuple[Callable[[Scene], None], ...]] = (
    write_limits,
    write_charges,
    write_bedsides,
    write_medication,
    write_goods,
    write_trust,
    write_across_nodes,
    ask_about_people,
    ask_about_orders,
)
