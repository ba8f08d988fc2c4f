"""Pushes (推送) to the parent hub: what was published, without inputs and points.

Rules: the newest published version of each subject, under the root of the publication
that holds it; the same publications give the same bytes, so a push can be repeated. Classes
whose model says ``pushed: false`` stay at home, and so does a class without a model or outside
the sharing agreement of the push.

Source: half-yearly push of grades to the provincial platform (每半年推送).
"""

from __future__ import annotations

from itertools import groupby, islice
from typing import TYPE_CHECKING, Final

from hub.errors import NotPublishedError
from hub.grading.classes import pushed_classes
from hub.store.publications import published_classes, published_grades
from hub.store.suspect_grades import refuse_suspect
from protos.yixin.v1 import statement_pb2

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import Connection, RowMapping

    from scoring_kernel import Catalog
    from scoring_kernel.periods import Period

GRADES_PER_PAYLOAD: Final = 2000
"""A pushed grade is at most some 200 bytes; so a payload stays below 512 KiB."""


def push_payloads(
    connection: Connection, catalog: Catalog, period: Period, agreed: Collection[str]
) -> Iterator[bytes]:
    """Serialised GradePush payloads of a period, in order of publication.

    Args:
        connection: A transaction, open until the last payload was taken.
        catalog: Its models say which classes are pushed.
        period: The rating period.
        agreed: Classes that the sharing agreement of the push covers.

    Yields:
        One payload for at most ``GRADES_PER_PAYLOAD`` grades of one publication.

    Raises:
        NotPublishedError: Nothing of the classes that are pushed was published for the period, or
            it is suspect.
    """
    pushed = {*pushed_classes(catalog)} & {*agreed}
    classes = sorted({*published_classes(connection, period.name)} & pushed)
    if not classes:
        raise NotPublishedError(
            f"Nothing that goes to the parent hub was published for {period.name} yet; run "
            "`yixin hub publish` first."
        )
    refuse_suspect(connection, period.name, classes)
    rows_of_all = published_grades(connection, period.name, classes)
    for root, rows in groupby(rows_of_all, lambda row: row["root"]):
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
