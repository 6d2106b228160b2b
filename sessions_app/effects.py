"""What a move of a session brings about, in its own database transaction: commands, the end in the books, the bill.

Called by lifecycle.move alone, which holds the session's row and writes it afterwards.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings

from chargers import commands
from chargers.failpoints import failpoint
from chargers.models import Transaction
from chargers.prepared import insert
from sessions_app import cdr, judging
from sessions_app.meter_story import Story
from sessions_app.models import Session, SessionEvent
from sessions_app.states import Alert, Effect, SessionState

NO_ANSWER = "charger does not answer in"


def _send_stop(session: Session, now: datetime, actor: str) -> None:
    assert session.transaction is not None
    commands.stop(
        transaction=session.transaction,
        reference=str(session.pk),
        actor=actor,
        deadline_at=now + timedelta(seconds=settings.STOP_TIMEOUT_SECONDS),
    )


def _cut_power(session: Session, now: datetime, actor: str) -> None:
    """The charger did not obey the stop: energy is to end all the same, where it can do that (B14)."""
    assert session.transaction is not None
    commands.cut_power(
        transaction=session.transaction,
        reference=str(session.pk),
        actor=actor,
        deadline_at=now + timedelta(seconds=settings.STOP_TIMEOUT_SECONDS),
    )


def _infer_end(session: Session, now: datetime, actor: str) -> None:
    """The charger forgot the transaction: it ended at its last known meter value (B17)."""
    transaction = session.transaction
    assert transaction is not None
    ended_at = session.metered_at or session.started_at or now
    session.ended_at = ended_at
    Transaction.objects.filter(pk=transaction.pk, stopped_at__isnull=True).update(
        stopped_at=ended_at, stop_received_at=now, stop_reason="Inferred", inferred=True
    )
    transaction.refresh_from_db()


def _close_books(session: Session, now: datetime, actor: str) -> None:
    """Judge the meter, price, and freeze the CDR; nothing to charge gives none (B15)."""
    failpoint("F16_books_in_tx")
    transaction = session.transaction
    assert transaction is not None
    assert session.ended_at is not None
    story = judging.judge(
        session,
        transaction,
        session.ended_at,
        stop_register_wh=transaction.meter_stop_wh,
        final_value_is_due=not transaction.inferred,
    )
    session.energy_wh = story.energy_wh
    session.power_w = 0
    if session.needs_review.startswith(NO_ANSWER):
        session.needs_review = ""  # it has answered, or was given up: its meter is judged for itself
    if story.review:
        session.needs_review = "; ".join(story.doubts)[:200]
    if not cdr.is_charged(story):
        session.cost_incl_minor = session.cost_excl_minor = 0
        _keep_doubts(session, story, now)
        return
    record = cdr.issue(session, transaction, story, now)
    session.cost_incl_minor = record.total_incl_minor
    session.cost_excl_minor = record.total_excl_minor
    if record.total_incl_minor == session.limit_minor and session.limit_reached_at is None:
        session.limit_reached_at = session.ended_at


def _keep_doubts(session: Session, story: Story, now: datetime) -> None:
    """No CDR will tell what was dropped, and why: the journal does."""
    if not story.doubts:
        return
    session.event_count += 1
    doubted = SessionEvent(
        session=session,
        number=session.event_count,
        at=now,
        kind="MeterDoubted",
        state_before=session.state,
        state_after=session.state,
        actor="system",
        data={"doubts": "; ".join(story.doubts)},
    )
    insert(doubted)


def _ask_review(session: Session, now: datetime, actor: str) -> None:
    """Staff must look while it runs; the rooms above flag the payment (B14, B18)."""
    stopping = session.state == SessionState.STOPPING
    session.alert = Alert.DISOBEYED if stopping else Alert.UNHEARD
    session.needs_review = session.needs_review or f"{NO_ANSWER} {session.state}"


EFFECTS: dict[Effect, Callable[[Session, datetime, str], None]] = {
    Effect.SEND_STOP: _send_stop,
    Effect.CUT_POWER: _cut_power,
    Effect.CLOSE_BOOKS: _close_books,
    Effect.INFER_END: _infer_end,
    Effect.ASK_REVIEW: _ask_review,
}
