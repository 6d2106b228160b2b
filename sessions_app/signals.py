"""Alarm clocks for the rooms above: sent after commit, carrying ids and never truth.

A signal that is lost costs time, not money: the sweepers read the rows.
"""

from django.dispatch import Signal

# Sent with `session_id` after a session changed in a way that someone outside may want to know.
session_changed = Signal()
