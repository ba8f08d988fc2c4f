"""Engine of golden vectors: a measure set's SQL over tiny relations, as the node's store runs it.

The engine reads nothing but what is given to it, and writes nothing to disk.
"""

from collections.abc import Mapping
from typing import Final

import duckdb

from scoring_kernel.errors import PackFileError
from scoring_kernel.golden import Rows, TinyRelation

__all__ = ["measure"]

_ENGINE: Final[Mapping[str, str]] = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "temp_directory": "",
    "python_enable_replacements": "false",
    "threads": "1",
    "memory_limit": "256 MB",
}
_TYPES: Final[Mapping[str, str]] = {
    "string": "VARCHAR",
    "bool": "BOOLEAN",
    "int8": "TINYINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "timestamp[s]": "TIMESTAMP_S",
    "date32": "DATE",
}
"""SQL type by type word of a record kind."""


def measure(sql: str, relations: Mapping[str, TinyRelation]) -> Rows:
    """Run SQL over relations.

    Args:
        sql: One SELECT of a measure set.
        relations: Rows by relation.

    Returns:
        Rows, sorted by their first three columns.

    Raises:
        PackFileError: A relation has a type that is unknown here, or the SQL fails.
    """
    engine = duckdb.connect(config=dict(_ENGINE))
    try:
        for name, relation in relations.items():
            columns = ", ".join(f'"{column}" {_TYPES[word]}' for column, word in relation.schema)
            engine.execute(f'CREATE TABLE "{name}" ({columns})')
            if relation.rows:
                marks = ", ".join("?" for _ in relation.schema)
                engine.executemany(
                    f'INSERT INTO "{name}" VALUES ({marks})',  # noqa: S608  # kinds are checked
                    [list(row) for row in relation.rows],
                )
        return sorted(
            (list(row) for row in engine.execute(sql).fetchall()), key=lambda row: row[:3]
        )
    except (duckdb.Error, KeyError) as error:
        raise PackFileError(f"golden vector: its SQL cannot be run ({error})") from error
    finally:
        engine.close()
