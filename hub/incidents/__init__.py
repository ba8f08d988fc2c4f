"""Incidents (安全事件): freeze a member, tell what was exposed, grade without what is suspect."""

from hub.incidents.exposure import Exposure, Flow, exposure
from hub.incidents.freezing import Frozen, freeze, lift

__all__ = ["Exposure", "Flow", "Frozen", "exposure", "freeze", "lift"]
