"""The inputs of a graded class as a file (评级输入), for what-ifs and for scoring again elsewhere.

Rules: what is written is what the run that holds was scored from, unchanged: whole numbers, an
empty cell where a value was missing. With it goes the run's peer reference, so that scoring the
file gives the same points. Both files are of mode 0600 and never overwrite another.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub.errors import ConfigurationError
from hub.grading.classes import get_model
from hub.grading.holding import hold_run
from security.private_files import write_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from hub.grading.holding import HeldResults
    from hub.grading.ports import EarlierCatalogs
    from scoring_kernel import Catalog
    from scoring_kernel.periods import Period
    from security.at_rest import Vault
    from security.progress import ProgressReporter

KEYS: Final = ("subject", "level", "type")
REFERENCE_SUFFIX: Final = ".reference.json"
MAX_SUBJECTS: Final = 200_000
"""Most subjects of one file, which is made in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedInputs:
    """What was written.

    Attributes:
        subject_class: Class of subjects.
        period: Rating period.
        run_id: Run whose inputs they are.
        day: Day for which parameters were read, ISO.
        subjects: Number of rows.
        file: The inputs.
        reference: The peer reference.
    """

    subject_class: str
    period: str
    run_id: int
    day: str
    subjects: int
    file: str
    reference: str


def export_inputs(
    connection: Connection,
    catalog: Catalog,
    path: Path,
    *,
    vault: Vault,
    period: Period,
    subject_class: str,
    earlier: EarlierCatalogs | None = None,
    progress: ProgressReporter,
) -> ExportedInputs:
    """Write the inputs of the run that holds for a period and class.

    Args:
        connection: A reading transaction.
        catalog: Must carry the run's model, unless ``earlier`` does.
        path: The CSV file to make; the reference goes beside it.
        vault: Opens stored results.
        period: The rating period.
        subject_class: Id or alias of the class.
        earlier: Finds the catalogue of a run that was made with another one.
        progress: Told while it reads.

    Raises:
        ConfigurationError: A file exists, or there are more than ``MAX_SUBJECTS`` subjects.
        NotGradedError: The class was not graded for the period.
        GradingError: No class has that name, or the run's model is not the one at hand.
        HubStoreError: A stored result does not open.
        KeyFileError: A file cannot be written.
    """
    beside = path.with_name(f"{path.stem}{REFERENCE_SUFFIX}")
    for one in (path, beside):
        if one.exists():
            raise ConfigurationError(f"{one} exists; nothing was changed. Name a new file.")
    named = get_model(catalog, subject_class).subject_class
    held = hold_run(connection, catalog, period, named, earlier=earlier)
    total = held.run.subjects
    if total > MAX_SUBJECTS:
        raise ConfigurationError(
            f"{total} subjects, a file holds at most {MAX_SUBJECTS}; choose a smaller class."
        )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*KEYS, *held.run.columns))
    done = 0
    for batch in held.batches(connection, vault):
        writer.writerows(_rows(batch))
        done += len(batch.results)
        progress("exporting inputs", done, total, "subjects")
    write_private(path, text.getvalue().encode())
    write_private(beside, held.reference.to_json())
    return ExportedInputs(
        subject_class=held.run.subject_class,
        period=period.name,
        run_id=held.run_id,
        day=held.run.day.isoformat(),
        subjects=done,
        file=str(path),
        reference=str(beside),
    )


def _rows(batch: HeldResults) -> Iterator[tuple[object, ...]]:
    table = batch.inputs
    for row, subject in enumerate(table.subjects):
        pairs = zip(table.values[row].tolist(), table.present[row].tolist(), strict=True)
        cells = [value if known else "" for value, known in pairs]
        yield subject, table.levels[row], table.types[row], *cells
