"""One run of the volume benchmark, in a process of its own so that its peak memory is its own.

Takes a file of credit records into a fresh node's store, then asks it a question. Prints one
JSON object: seconds, peak resident bytes, records, sum of amounts, seconds of the question.
"""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from deploy.benchmarks.peak import peak_bytes
from deploy.simulation.credit_records import MAPPING, CreditOrder
from node.domain.institutions import Institution
from node.intake import ingest_file
from node.intake.mapping import parse_mapping
from node.store import NodeStore
from scoring_kernel import load_catalog
from security.at_rest import Vault

NOW: Final = datetime(2034, 7, 1, tzinfo=UTC)
"""After the last month that can be ordered."""
_QUESTION: Final = """\
select count(*), sum(amount_fen), count(distinct institution), count(distinct month)
from fee_detail
"""


def run(directory: Path, file: Path, institutions: int) -> dict[str, float]:
    """Take a file in and ask for its sums.

    Args:
        directory: Empty directory for the store.
        file: Credit records.
        institutions: Number of institutions in the file.

    Returns:
        What ``main`` prints.
    """
    store = NodeStore(directory, Vault.create(directory / "node.key"))
    codes = CreditOrder(rows=1, institutions=institutions).codes
    store.set_institutions([Institution(code=code, name=code) for code in codes])
    catalog = load_catalog()
    mapping = parse_mapping(MAPPING.encode(), "credit_records.mapping.yaml", catalog)
    begun, busy = time.perf_counter(), time.process_time()
    report = ingest_file(store, catalog, file, mapping=mapping, now=NOW)
    taken_s, busy_s = time.perf_counter() - begun, time.process_time() - busy
    peak = peak_bytes()
    begun = time.perf_counter()
    engine = store.relations(["fee_detail"])
    rows, amount, places, months = engine.execute(_QUESTION).fetchall()[0]
    engine.close()
    asked_s = time.perf_counter() - begun
    store.close()
    return {
        "seconds": taken_s,
        "processor_s": busy_s,
        "peak_bytes": peak,
        "peak_with_question_bytes": peak_bytes(),
        "refused": report.quarantined,
        "rows": rows,
        "amount_fen": int(amount),
        "institutions": places,
        "months": months,
        "question_s": asked_s,
    }


def main() -> None:
    """Run with the arguments DIRECTORY FILE INSTITUTIONS."""
    directory, file, institutions = sys.argv[1:]
    found = run(Path(directory), Path(file), int(institutions))
    sys.stdout.buffer.write(orjson.dumps(found) + b"\n")


if __name__ == "__main__":
    main()
