"""Department files for tests: valid rows of every item for a few institutions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from scoring_kernel import Catalog

HOSPITAL = "H33030200001"
CLINIC = "H33030200002"
PHARMACY = "P33030200003"

REGISTER = (
    "institution,name,uscc,level,type,division,address,legal_representative,phone,"
    "beds_licensed,first_agreement_day"
)
REGISTER_ROWS = (
    f"{HOSPITAL},温州市第一医院,,3,general,330302,鹿城区一号,张三,0577-88880001,800,2010-01-01",
    f"{CLINIC},鹿城区卫生院,,1,primary,330302,鹿城区二号,李四,0577-88880002,20,2020-07-01",
    f"{PHARMACY},鹿城大药房,,0,pharmacy,330302,鹿城区三号,王五,0577-88880003,,2019-01-01",
)


def write_csv(path: Path, header: str, rows: Iterable[str], encoding: str = "utf-8") -> Path:
    """Write a file with a line end after every line."""
    text = "".join(f"{line}\n" for line in (header, *rows))
    path.write_bytes(text.encode(encoding))
    return path


def write_register(directory: Path, rows: Iterable[str] = REGISTER_ROWS) -> Path:
    """Write ``item_20.csv``."""
    return write_csv(directory / "item_20.csv", REGISTER, rows)


def write_item(
    directory: Path, catalog: Catalog, number: str, period: str, rows: Iterable[str]
) -> Path:
    """Write a file of an item for a period, with the header of the catalogue."""
    header = ",".join(catalog.items[number].header)
    return write_csv(directory / f"item_{number}_{period}.csv", header, rows)


def row_of(catalog: Catalog, number: str, institution: str, period: str, value: str) -> str:
    """A row whose numbers are all ``value``."""
    texts = {"institution": institution, "period": period}
    return ",".join(texts.get(name, value) for name in catalog.items[number].header)
