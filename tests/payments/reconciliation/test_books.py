"""The books of a period: one standing per payment as the rows say it, summed by day, terminal and age."""

from datetime import UTC, date, datetime, timedelta

import pytest

from payments import decisions, settlement
from payments.reconciliation import books, files
from payments.reconciliation.books import Period, Position, TooMuch, position_of, positions
from payments.reconciliation.match import Ageing, Source, Standing
from payments.reconciliation.summary import summarise
from tests import builders
from tests.payments.reconciliation.cast import NOW, TOTAL, captured, due, orphan, paid_out, told
from tests.payments.reconciliation.copies import copies_of

pytestmark = pytest.mark.django_db
HERE = Period(first=(NOW - timedelta(days=1)).date(), last=(NOW + timedelta(days=1)).date())


def standings(period: Period = HERE, *, now: datetime = NOW) -> dict[str, Standing]:
    return {each.reference: each.standing for each in positions(period, now=now)}


def test_every_standing_is_told_from_the_rows() -> None:
    cast = builders.cast()
    payments = {
        Standing.MATCHED: captured(cast),
        Standing.OPEN: due(cast),
        Standing.PARTIAL: told(due(cast), "PARTIAL_SUCCESS", 400),
        Standing.FAILED: told(due(cast), "FAILED", 0),
        Standing.DIFFERS: told(due(cast), "SUCCESS", 900),
        Standing.OVERDUE: due(cast, at=NOW - timedelta(minutes=10)),
    }
    stray = orphan(cast.ptp)

    found = standings()

    expected = {payment.authorization_reference: standing for standing, payment in payments.items()}
    assert found == {**expected, stray.authorization_reference: Standing.ORPHAN}


def test_a_release_is_open_until_it_is_acknowledged() -> None:
    cast = builders.cast()
    payment = cast.running(now=NOW - timedelta(minutes=10)).end(energy_wh=0, after_seconds=300)
    assert standings() == {payment.authorization_reference: Standing.OPEN}

    settlement.acknowledge_release(payment.pk, now=NOW)

    assert standings() == {payment.authorization_reference: Standing.MATCHED}


def test_a_written_off_rest_is_settled() -> None:
    payment = told(due(), "PARTIAL_SUCCESS", 400)
    decisions.write_off(payment.pk, actor="anna", reason="goodwill", now=NOW)

    (position,) = positions(HERE, now=NOW)

    assert position.standing is Standing.MATCHED
    assert (position.due_minor, position.captured_minor, position.written_off_minor) == (1000, 400, 600)


def test_a_settlement_file_that_says_less_makes_it_differ_until_the_file_is_withdrawn() -> None:
    payment = captured()
    file = paid_out(payment.ptp, (payment.authorization_reference, "9.90"))

    position = position_of(payment, now=NOW)

    assert position is not None
    assert (position.standing, position.paid_minor) == (Standing.DIFFERS, 990)
    assert position.verdict.differences[0].found_by is Source.FILE
    files.withdraw(file.pk, actor="anna", reason="wrong file", now=NOW)
    position = position_of(payment, now=NOW)
    assert position is not None
    assert (position.standing, position.paid_minor) == (Standing.MATCHED, None)


def test_lines_that_nobody_knows_are_orphans_of_the_day_of_their_import() -> None:
    ptp = builders.ptp()
    paid_out(ptp, ("stranger", "3.00"))

    (position,) = positions(HERE, now=NOW)

    assert (position.standing, position.ptp, position.paid_minor) == (Standing.ORPHAN, ptp.name, 300)
    assert (position.payment_id, position.day) == (None, NOW.astimezone(UTC).date())


def test_a_payment_that_is_not_due_yet_is_in_no_book() -> None:
    payment = builders.cast().running().payment

    assert standings() == {}
    assert position_of(payment, now=NOW) is None


def test_the_day_is_that_of_the_site() -> None:
    # 22:30 UTC in summer is 01:30 of the next day in Helsinki.
    at = datetime(2026, 7, 1, 22, 40, tzinfo=UTC)
    payment = due(at=at)
    assert payment.session is not None
    assert payment.session.time_zone == "Europe/Helsinki"

    assert standings(Period(first=date(2026, 7, 1), last=date(2026, 7, 1)), now=at) == {}
    (position,) = positions(Period(first=date(2026, 7, 2), last=date(2026, 7, 2)), now=at)

    assert position.day == date(2026, 7, 2)


def test_a_period_may_be_of_one_ptp_terminal_or_currency() -> None:
    here, there = builders.cast(), builders.cast()
    mine, theirs = captured(here), captured(there)
    orphan(there.ptp)

    def found(**chosen: object) -> set[str]:
        period = Period(first=HERE.first, last=HERE.last, **chosen)  # type: ignore[arg-type]
        return set(standings(period))

    assert found(ptp_id=here.ptp.pk) == {mine.authorization_reference}
    assert found(terminal=there.terminal.terminal_id) == {theirs.authorization_reference}
    assert found(ptp_id=there.ptp.pk) == {theirs.authorization_reference, "mistyped"}
    assert found(currency="SEK") == set()
    assert len(found(currency="EUR")) == 3


def test_too_many_payments_are_refused_before_they_fill_the_memory(monkeypatch) -> None:
    monkeypatch.setattr(books, "MOST_PAYMENTS", 1)
    cast = builders.cast()
    captured(cast)
    captured(cast)

    with pytest.raises(TooMuch):
        positions(HERE, now=NOW)


def test_sums_go_by_day_and_terminal_and_never_mix_currencies() -> None:
    here, there = builders.cast(), builders.cast()
    captured(here)
    told(due(here), "PARTIAL_SUCCESS", 400)
    captured(there, at=NOW - timedelta(days=3))
    period = Period(first=HERE.first - timedelta(days=4), last=HERE.last)

    summary = summarise(positions(period, now=NOW))

    first, second = summary.lines
    assert (first.key.terminal, second.key.terminal) == (
        here.terminal.terminal_id,
        there.terminal.terminal_id,
    )
    assert first.key.day > second.key.day
    assert (first.total.count, first.total.due_minor, first.total.captured_minor) == (2, 2 * TOTAL, 1400)
    assert (first.total.open_minor, first.settled, second.settled) == (600, False, True)
    assert dict(first.by_standing) == {Standing.MATCHED: 1, Standing.PARTIAL: 1}
    assert summary.by_standing["EUR", Standing.MATCHED].count == 2
    assert summary.by_age == {("EUR", Ageing.FRESH): summary.by_standing["EUR", Standing.PARTIAL]}


def test_five_hundred_payments_need_as_many_queries_as_one(django_assert_num_queries) -> None:
    payment = captured()
    copies_of(payment, 499)

    with django_assert_num_queries(6):
        found: list[Position] = positions(HERE, now=NOW)

    assert len(found) == 500


@pytest.mark.parametrize(
    ("zones", "day"),
    [
        ([], 22),
        (["Europe/Helsinki"], 23),
        (["America/New_York"], 22),
        (["America/New_York", "Asia/Tokyo"], 23),
    ],
)
def test_the_latest_day_is_that_of_the_easternmost_site(zones: list[str], day: int) -> None:
    for zone in zones:
        builders.site(time_zone=zone)

    assert books.latest_day(datetime(2026, 11, 22, 22, 30, tzinfo=UTC)) == date(2026, 11, day)
