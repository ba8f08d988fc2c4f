"""Grade statements (评级结果告知): a final grade with all that is needed to score again.

Rules: a statement carries the subject's own department items, the peer reference it
was compared with, the final points per indicator, the overrides in force and the grade that the
points alone give. Measures do not come back: the custodian has them, and their digest shows
whether both used the same. The statement of staff goes to the custodian of their institution,
which is not the subject: it carries no department items.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.grading.inputs import is_item_column
from hub.grading.outcomes import grade_cap
from protos.yixin.v1 import statement_pb2
from security.moments import day_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub.grading.holding import HeldResults, HeldRun
    from hub.store.grade_results import Result
    from scoring_kernel.reference import ReferenceValue


def grade_statements(batch: HeldResults, *, shows_inputs: bool) -> Iterator[tuple[Result, bytes]]:
    """Write the statement of every result of a batch.

    Args:
        batch: Results of a run.
        shows_inputs: Whether the subject's department items go with it; not where somebody else
            than the subject receives the statement.

    Yields:
        The result and its statement, serialised deterministically, in the batch's order.
    """
    measured = batch.inputs.select(
        [column for column in batch.inputs.columns if not is_item_column(column)]
    )
    peers: dict[tuple[str, str], tuple[ReferenceValue, ...]] = {}
    for row, result in enumerate(batch.results):
        pair = (result.level, result.type)
        if pair not in peers:
            peers[pair] = batch.held.reference.values_for(*pair)
        message = _statement(batch.held, result, peers[pair], shows_inputs=shows_inputs)
        message.measures_digest = measured.digest(row)
        yield result, message.SerializeToString(deterministic=True)


def _statement(
    held: HeldRun, result: Result, reference: tuple[ReferenceValue, ...], *, shows_inputs: bool
) -> statement_pb2.GradeStatement:
    run = held.run
    in_force = frozenset(result.overrides)
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
            if shows_inputs and value is not None and is_item_column(column)
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
        overrides=[
            statement_pb2.OverrideNote(id=one.id, cap=grade_cap(held.model, one))
            for one in held.model.overrides
            if one.id in in_force
        ],
        earned_grade=result.earned_grade,
    )
