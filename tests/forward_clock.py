"""`timezone.now` for the test process, made to go forward only.

A virtual machine's clock is set back by a fraction of a millisecond now and then. Between two lines of a test
that is enough for a message to be due later than now, or a window of time to be empty; between two events of
the real world it is nothing.
"""

import threading
from datetime import datetime, timedelta
from functools import wraps

from django.utils import timezone

_read = timezone.now
_lock = threading.Lock()
_last = _read()


@wraps(_read)
def now() -> datetime:
    """Later than what was told before, by a millisecond where the machine says otherwise."""
    global _last
    with _lock:
        read = _read()
        _last = read if read > _last else _last + timedelta(milliseconds=1)
        return _last


def install() -> None:
    """Put it in place, before models take `timezone.now` as a default."""
    timezone.now = now
