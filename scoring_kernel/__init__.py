"""The scoring kernel: pure functions and rules as data, the same on a node and on a hub."""

from scoring_kernel.catalog_loader import load_catalog
from scoring_kernel.catalog_object import Catalog

__all__ = ["Catalog", "load_catalog"]
