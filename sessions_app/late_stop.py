"""The charger's own end of a session that was settled without it (MONEY.md B20).

The bill stands: a second capture is never asked for. What the end adds is written off, what it takes away is
for staff to give back; both stand in the journal.
"""

from typing import Any

from chargers.facts import TransactionEnded
from chargers.models import Transaction
from sessions_app import cdr, judging, lifecycle
from sessions_app.models import CDR, Session
from sessions_app.states import Alert

KIND = "LateStop"


def compare(session: Session, transaction: Transaction, fact: TransactionEnded, ended_at: Any) -> None:
    """Price what the charger tells now, compare it with what was settled, and write down the difference.

    The caller holds the session's row.
    """
    story = judging.judge(
        session, transaction, ended_at, stop_register_wh=fact.meter_stop_wh, final_value_is_due=True
    )
    settled = CDR.objects.filter(session=session, credit_of=None).first()
    settled_minor = settled.total_incl_minor if settled else 0
    _, cost = cdr.priced(session, story, ended_at)
    told_minor = cost.capped(session.limit_minor).total_incl_minor if cdr.is_charged(story) else 0
    data = {
        "reason": fact.reason,
        "meter_stop_wh": fact.meter_stop_wh,
        "ended_at": ended_at.isoformat(),
        "energy_wh": story.energy_wh,
        "settled_minor": settled_minor,
        "told_minor": told_minor,
        "written_off_minor": max(0, told_minor - settled_minor),
        "overcharged_minor": max(0, settled_minor - told_minor),
        "doubts": "; ".join(story.doubts),
    }
    differs = told_minor != settled_minor
    # No doubt about the meter that was settled by: where settlement is still to come, it is of that meter.
    lifecycle.record(
        session,
        KIND,
        now=fact.received_at,
        data=data,
        review="",
        alert=Alert.LATE_STOP if differs else Alert(session.alert),
    )
