"""A credit gives back exactly what was asked, per VAT rate never more than was paid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app.credit import Share, split
from sessions_app.errors import NothingToCredit

PAID = [Share("25.5", 800, 1004), Share("14", 100, 114), Share(None, 7, 7)]
TOTAL = sum(share.gross_minor for share in PAID)


def test_all_of_it_goes_back_as_it_came() -> None:
    assert split(PAID, TOTAL) == PAID


def test_a_part_is_shared_in_proportion() -> None:
    assert [share.gross_minor for share in split(PAID, 225)] == [201, 23, 1]


@pytest.mark.parametrize("amount_minor", [0, -1, TOTAL + 1])
def test_nothing_and_too_much_are_refused(amount_minor: int) -> None:
    with pytest.raises(NothingToCredit):
        split(PAID, amount_minor)


@given(st.lists(st.integers(min_value=1, max_value=400), min_size=1, max_size=12))
def test_parts_never_give_back_more_than_was_paid_and_the_last_one_the_rest(parts: list[int]) -> None:
    left, given_back = list(PAID), 0
    for part in [*parts, TOTAL]:
        amount = min(part, TOTAL - given_back)
        if not amount:
            break
        shares = {share.rate: share for share in split(left, amount)}
        assert sum(share.gross_minor for share in shares.values()) == amount
        left = [_rest(share, shares.get(share.rate)) for share in left]
        assert all(0 <= share.net_minor <= share.gross_minor for share in left)
        left, given_back = [share for share in left if share.gross_minor], given_back + amount
    assert all(share.net_minor == 0 for share in left)


def _rest(share: Share, taken: Share | None) -> Share:
    if taken is None:
        return share
    return Share(share.rate, share.net_minor - taken.net_minor, share.gross_minor - taken.gross_minor)
