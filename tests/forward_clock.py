"""`timezone.now` for the test process, made to go forward only.

A virtual machine's clock is set back by a fraction of a millisecond now and then. Between two lines of a test
that is enough for a message to be due later than now, or a window of time to be empty; between two events of
the real world it is nothing.
"""

import sys
import threading
from datetime import datetime, timedelta
from functools import wraps

from django.utils import timezone

_read = timezone.now
_lock = threading.Lock()
_last = _read()
SET_BACK = timedelta(seconds=1)  # who goes back further travels in time, and means it


@wraps(_read)
def now() -> datetime:
    """No sooner than what was told before, and a millisecond later where the machine says that it is sooner."""
    global _last
    with _lock:
        read = _read()
        is_set_back = timedelta() < _last - read < SET_BACK
        _last = _last + timedelta(milliseconds=1) if is_set_back else read
        return _last


def install() -> None:
    """Put it in place where pytest runs, before models take `timezone.now` as a default."""
    if "pytest" in sys.modules:
        timezone.now = now
