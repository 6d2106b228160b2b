"""Settings of the product's processes in the campaign: its own, read from the campaign's clock.

This is the "clock shifted by a setting": `timezone.now` is replaced before any module of the product is
imported, and nothing else is.
"""

from django.utils import timezone

from emabler.settings import *  # noqa: F403
from tests.chaos.clock import clock_of_this_process

timezone.now = clock_of_this_process().now
