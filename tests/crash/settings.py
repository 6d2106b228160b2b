"""Settings of the processes that are killed: the product's own, with failpoints to be armed.

The environment of the campaign (run.py) names database and timers; nothing of a developer's is read.
"""

from collections.abc import Callable

from emabler.settings import *  # noqa: F403

FAILPOINTS: dict[str, Callable[[], None]] = {}
