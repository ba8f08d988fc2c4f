"""Grade statements (评级结果告知): a final grade with all that is needed to score again.

Rules: a statement carries the subject's own department items, the peer reference it
was compared with, and the final points per indicator. Measures do not come back: the
custodian has them, and their digest shows whether both used the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.grading.inputs import is_item_column
from hub.store.item_rows import day_number
from protos.yixin.v1 import statement_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub.grading.recomputing import HeldRun
    from hub.store.grade_results import Result
    from scoring_kernel.reference import ReferenceValue


def grade_statements(held: HeldRun) -> Iterator[tuple[Result, bytes]]:
    """Write the statement of every result of a run.

    Args:
        held: A run with all or some of its results.

    Yields:
        The result and its statement, serialised deterministically, in the run's order.
    """
    measured = held.inputs.select(
        [column for column in held.inputs.columns if not is_item_column(column)]
    )
    peers: dict[tuple[str, str], tuple[ReferenceValue, ...]] = {}
    for row, result in enumerate(held.results):
        pair = (result.level, result.type)
        if pair not in peers:
            peers[pair] = held.reference.values_for(*pair)
        message = _statement(held, result, peers[pair])
        message.measures_digest = measured.digest(row)
        yield result, message.SerializeToString(deterministic=True)


def _statement(
    held: HeldRun, result: Result, reference: tuple[ReferenceValue, ...]
) -> statement_pb2.GradeStatement:
    run = held.run
    return statement_pb2.GradeStatement(
        subject=result.subject,
        subject_class=run.subject_class,
        period=run.period,
        model=run.model,
        catalogue_digest=run.catalogue_digest,
        model_digest=run.model_digest,
        basis=run.basis,
        day=day_number(run.day),
        version=result.version,
        inputs=[
            statement_pb2.InputValue(column=column, value=value)
            for column, value in zip(run.columns, result.inputs, strict=True)
            if value is not None and is_item_column(column)
        ],
        reference=[
            statement_pb2.ReferenceValue(
                indicator=one.indicator,
                statistic=one.statistic,
                peer_group=one.peer_group,
                value_micro=one.value_micro,
            )
            for one in reference
        ],
        reference_digest=run.reference_digest,
        points=[
            statement_pb2.IndicatorPoints(
                indicator=indicator.id,
                points_centi=one.points_centi,
                weight_centi=one.weight_centi,
                value_micro=one.value_micro,
                missing=one.missing,
            )
            for indicator, one in zip(held.model.indicators, result.points, strict=True)
        ],
        total_centi=result.total_centi,
        grade=result.grade,
    )
