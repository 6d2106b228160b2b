"""Named points at which a test may kill the process, to prove that nothing is lost there.

Production settings arm none: a failpoint is then one dict lookup. The names are those of the crash table
in docs/reliability (tap to receipt, F01–F28).
"""

from collections.abc import Callable

from django.conf import settings


def failpoint(name: str) -> None:
    """Run what the test armed under `name`; nothing in production."""
    armed: dict[str, Callable[[], None]] = getattr(settings, "FAILPOINTS", _NONE)
    action = armed.get(name)
    if action is not None:
        action()


_NONE: dict[str, Callable[[], None]] = {}
