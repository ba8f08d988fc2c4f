"""Re-keying templates (换钥): another transform for all of them, a few at a time.

Rules:
    1. A new transform is put in force, durably. Terminals hear its epoch and drop what they keep.
    2. Templates follow in batches, each batch in a transaction of its own and each template
       under a new data key. Until its turn a template is carried over whenever it is asked for,
       so everybody is matched as before at every moment.
    3. When none is left under an older transform, the older keys are destroyed.
    4. It may be killed at any moment: resumed, it goes on with the templates that are left.
"""

from typing import Final

from node.errors import TemplateError
from node.store.by import By
from node.store.templates import TemplateStore
from security.progress import ProgressReporter, no_progress

__all__ = ["BATCH", "rekey"]

BATCH: Final = 200
"""Templates of one transaction: some tens of milliseconds."""
_STAGE: Final = "re-key templates"


def rekey(
    templates: TemplateStore,
    by: By,
    *,
    resume: bool = False,
    progress: ProgressReporter = no_progress,
) -> tuple[int, int]:
    """Put all templates under a new transform.

    Args:
        templates: The node's templates.
        by: Who does it, and why.
        resume: Only end a re-keying that was interrupted; no new transform.
        progress: Takes the number of templates done.

    Returns:
        The epoch of the transform, and how many templates were carried over.

    Raises:
        TemplateError: There is no transform to resume with, or a row was changed on disk; what was
            carried over stays so.
        VaultError: A template does not open; likewise.
    """
    newest = templates.transforms.newest()
    if not resume:
        newest = templates.begin_rekey(by)
    if newest is None:
        raise TemplateError("found no transform, expected one: nobody was enrolled at this node")
    total = sum(one.older for one in templates.counts(by.day))
    done = 0
    while batch := templates.rekey_batch(BATCH, by.at):
        done += batch
        progress(_STAGE, done, total, "templates")
    return newest.epoch, done
