"""The authorisation table (授权表) of a hub: every method and every job has one row.

What has no row is refused. Tests compare the rows with the service descriptors and with the jobs.
"""

from hub.api.authorisation.jobs import JOB_ROLES, roles_of
from hub.api.authorisation.methods import (
    AUTHORISED,
    CONTROL,
    ENROLMENT,
    EXCHANGE,
    LINK_DESK,
    LOCAL,
    OPEN,
    TRANSPARENCY,
    authorise,
)

__all__ = [
    "AUTHORISED",
    "CONTROL",
    "ENROLMENT",
    "EXCHANGE",
    "JOB_ROLES",
    "LINK_DESK",
    "LOCAL",
    "OPEN",
    "TRANSPARENCY",
    "authorise",
    "roles_of",
]
