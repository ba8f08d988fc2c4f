"""The hubs and nodes of the demonstration: where they live and what they are called."""

from dataclasses import dataclass
from pathlib import Path

from deploy.simulation.city import COUNTY_CUSTODIAN
from deploy.simulation.places import CITY_DIVISION, PROVINCE_DIVISION


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoHub:
    """A hub of the demonstration."""

    level: str
    """``city`` or ``province``."""
    name: str
    """Name for screens."""
    division: str
    """Division code."""
    directory: Path
    """State directory."""

    @property
    def ready(self) -> Path:
        """File that appears when the hub serves."""
        return self.directory / "serve.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoNode:
    """A node of the demonstration."""

    custodian: str
    """Custodian in the simulation: an institution's code, or ``county``."""
    division: str
    """Division code."""
    directory: Path
    """State directory."""
    custody: Path
    """Institutions it reports for."""
    messages: Path
    """Directory of its messages, one file a period."""

    @property
    def name(self) -> str:
        """Name for logs and progress bars."""
        if self.custodian == COUNTY_CUSTODIAN:
            return "county node"
        return f"hospital node {self.custodian}"

    @property
    def ready(self) -> Path:
        """Socket that appears when the node serves."""
        return self.directory / "control.sock"


def hubs_in(work: Path) -> tuple[DemoHub, DemoHub]:
    """Name the two hubs.

    Args:
        work: Directory of the demonstration.

    Returns:
        The city's and the province's hub.
    """
    city = DemoHub(
        level="city",
        name="温州市仿真医保信用中心",
        division=CITY_DIVISION,
        directory=work / "city-hub",
    )
    province = DemoHub(
        level="province",
        name="浙江省仿真医保信用中心",
        division=PROVINCE_DIVISION,
        directory=work / "province-hub",
    )
    return city, province


def node_in(work: Path, simulation: Path, *, custodian: str, division: str) -> DemoNode:
    """Name one node.

    Args:
        work: Directory of the demonstration.
        simulation: Directory of the simulated city.
        custodian: Custodian in the simulation.
        division: Division code of the custodian.

    Returns:
        The node.
    """
    return DemoNode(
        custodian=custodian,
        division=division,
        directory=work / f"node-{custodian}",
        custody=simulation / "custody" / f"{custodian}.csv",
        messages=simulation / "messages" / custodian,
    )
