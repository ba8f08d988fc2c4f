"""Pushes (推送) to the parent hub: what was published, without inputs and points.

Rules: the newest published version of each subject, under the root of the publication
that holds it; the same publications give the same bytes, so a push can be repeated.

Source: half-yearly push of grades to the provincial platform (每半年推送).
"""

from __future__ import annotations

from itertools import groupby, islice
from typing import TYPE_CHECKING, Final

from hub.errors import NotPublishedError
from hub.store.publications import latest_publication, published_grades
from protos.yixin.v1 import statement_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, RowMapping

    from scoring_kernel.periods import Period

GRADES_PER_PAYLOAD: Final = 2000
"""A pushed grade is at most some 200 bytes; so a payload stays below 512 KiB."""


def push_payloads(connection: Connection, period: Period) -> Iterator[bytes]:
    """Serialised GradePush payloads of a period, in order of publication.

    Args:
        connection: A reading transaction, open until the last payload was taken.
        period: The rating period.

    Yields:
        One payload for at most ``GRADES_PER_PAYLOAD`` grades of one publication.

    Raises:
        NotPublishedError: Nothing was published for the period.
    """
    if latest_publication(connection, period.name) is None:
        raise NotPublishedError(
            f"{period.name} was not published yet; run `yixin hub publish` first."
        )
    for root, rows in groupby(published_grades(connection, period.name), lambda row: row["root"]):
        while part := list(islice(rows, GRADES_PER_PAYLOAD)):
            push = statement_pb2.GradePush(
                period=period.name,
                publication_root=root,
                grades=[_grade(row, period.name) for row in part],
            )
            yield push.SerializeToString(deterministic=True)


def _grade(row: RowMapping, period: str) -> statement_pb2.PushedGrade:
    return statement_pb2.PushedGrade(
        subject=row["subject"],
        subject_class=row["subject_class"],
        period=period,
        version=row["version"],
        total_centi=row["total_centi"],
        grade=row["grade"],
        basis=row["basis"],
        model_digest=row["model_digest"],
        statement_digest=row["digest"],
    )
