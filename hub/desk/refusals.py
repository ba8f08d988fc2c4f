"""What a link desk refuses, in the words of its protocol; pure.

Each refusal has a code of its own and says what was found, what was expected and what to do. It
tells the caller nothing of other callers and nothing of a key.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Final

from hub.errors import HubError
from protos.yixin.v1 import linking_pb2
from scoring_kernel.errors import PeriodError
from scoring_kernel.periods import Period
from security.linking import MAX_POINTS, POINT_BYTES

REQUEST_ID_BYTES: Final = 16
_PREFIX: Final = "DESK_REFUSAL_CODE_"
_SHANGHAI_AHEAD: Final = timedelta(hours=8)


class DeskRequestError(HubError):
    """A request to a desk is refused; nothing of it was evaluated or counted.

    Attributes:
        code: Code of the answer.
        detail: What was found, what was expected, what to do.
    """

    def __init__(self, code: linking_pb2.DeskRefusalCode.ValueType, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail

    @property
    def name(self) -> str:
        """The code as the log writes it."""
        return linking_pb2.DeskRefusalCode.Name(self.code).removeprefix(_PREFIX).lower()


def destroy_moment(period: str, retention_days: int, now: datetime) -> datetime:
    """When the half of a period is destroyed: the end of its retention, at midnight in Shanghai.

    Args:
        period: Name of the period, as it was asked for.
        retention_days: Days after its last one on which the half is still there.
        now: Present moment, UTC-aware.

    Raises:
        DeskRequestError: There is no such period, or it has not begun.
    """
    try:
        named = Period.parse(period)
    except PeriodError as error:
        raise DeskRequestError(linking_pb2.DESK_REFUSAL_CODE_PERIOD, str(error)) from error
    if named.first_day > (now + _SHANGHAI_AHEAD).date():
        raise DeskRequestError(
            linking_pb2.DESK_REFUSAL_CODE_PERIOD,
            f"period {period} begins on {named.first_day.isoformat()}; ask again then, and compare "
            "the clocks",
        )
    last = named.last_day + timedelta(days=retention_days + 1)
    return datetime.combine(last, time(), UTC) - _SHANGHAI_AHEAD


def verify_sizes(request_id: bytes, points: bytes) -> None:
    """Bound a request before anything of it is used.

    Raises:
        DeskRequestError: The request id or the points have a wrong length.
    """
    if len(request_id) != REQUEST_ID_BYTES:
        raise DeskRequestError(
            linking_pb2.DESK_REFUSAL_CODE_REPLAY,
            f"the request id has {len(request_id)} bytes, expected {REQUEST_ID_BYTES} random ones",
        )
    if not points or len(points) % POINT_BYTES or len(points) > MAX_POINTS * POINT_BYTES:
        raise DeskRequestError(
            linking_pb2.DESK_REFUSAL_CODE_POINTS,
            f"found {len(points)} bytes of points, expected 1 to {MAX_POINTS} points of "
            f"{POINT_BYTES} bytes",
        )


def destroyed_error(period: str) -> DeskRequestError:
    """The answer for a period whose half is gone."""
    return DeskRequestError(
        linking_pb2.DESK_REFUSAL_CODE_DESTROYED,
        f"the retention of period {period} is over and its key is destroyed: no token of it can be "
        "made any more; records of that period are not joined",
    )
