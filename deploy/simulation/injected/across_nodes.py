"""A case that no single node can see: one person, one normal stay at each of two nodes.

At either node nothing is wrong, so neither is a case of any rule there: they are near misses of
M33. Whoever joins both nodes' stays finds that they overlap (J01).
"""

from deploy.simulation.injected.bedsides import lie
from deploy.simulation.injected.scene import Scene
from deploy.simulation.injected.stays import Stay
from deploy.simulation.visits import DAY_S

__all__ = ["ACROSS_NODES", "write_across_nodes"]

ACROSS_NODES = "与另一节点的住院重叠，单个节点看不到"
"""Note of both stays in the truth."""
_DAYS = 5


def write_across_nodes(scene: Scene) -> None:
    """Write the two stays in the last days of the period, where the city has two nodes.

    The second begins on the second day of the first, and both end before the period does: join
    records are kept for half a year, so that late stays can be shown longest.
    """
    elsewhere = (
        item
        for item in scene.city.institutions
        if not item.is_pharmacy and item.custodian != "county" and item.tier.inpatient_share > 0
    )
    other = next(elsewhere, None)
    if other is None:
        return
    person = scene.person(age=58)
    first = scene.calendar.days - 2 * _DAYS
    for late, item in enumerate((other, scene.hospitals()[0])):
        begins = scene.second(first + late, 9)
        told = Stay(admitted_s=begins, discharged_s=begins + _DAYS * DAY_S)
        scene.near_miss("M33", ACROSS_NODES, item, lie(scene, item, person, told))
