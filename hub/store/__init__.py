"""Store of a hub: tables, engine and the immutable objects of accepted statements."""
