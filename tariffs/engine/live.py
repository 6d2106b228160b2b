"""Live cost: what a session costs so far, one segment at a time.

The only place that walks through a usage: a finished session is priced by the same steps, so live and
final cost cannot differ. A step costs the same for the first and for the ten-thousandth sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from tariffs.engine.cost import Cost
from tariffs.engine.errors import InvalidState, InvalidUsage
from tariffs.engine.money import Exact, minor_digits, round_half_up
from tariffs.engine.plan import HOUR_US, Moment, Plan, PlannedComponent, plan_for
from tariffs.engine.terms import Dimension, Tariff
from tariffs.engine.totals import Totals, billed_volumes, cost_of, totals_of
from tariffs.engine.usage import EPOCH, Segment, SegmentState, exact, microseconds
from tariffs.engine.wall_clock import WallClock

_TIME_OF = {SegmentState.CHARGING: Dimension.TIME, SegmentState.PARKED: Dimension.PARKING_TIME}


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a segment in which no restriction turns: from one moment on, so long, so much energy."""

    start_us: Exact
    length_us: Exact
    energy_wh: Exact
    clock: tuple[bool, ...]


@dataclass(frozen=True)
class LiveCost:
    """A running session's cost. Immutable: `advance` gives the next one.

    `volumes` holds, per component of the tariff, the Wh or µs it priced so far (exact). `flat`,
    `last_energy` and `last_time` are the components that priced the start and the latest volumes.
    """

    plan: Plan
    wall_clock: WallClock
    started_us: int
    ended_us: int
    energy_wh: Exact
    volumes: Mapping[int, Exact]
    flat: int | None = None
    last_energy: int | None = None
    last_time: int | None = None

    @classmethod
    def begin(cls, tariff: Tariff, time_zone: str, started_at: datetime) -> LiveCost:
        """A session that starts now, at a site in that time zone. Raises `UnknownTimeZone`."""
        plan, started_us = plan_for(tariff), microseconds(started_at)
        return cls(plan, plan.wall_clock(time_zone), started_us, started_us, 0, {})

    @property
    def ended_at(self) -> datetime:
        """The end of the last segment."""
        return EPOCH + timedelta(microseconds=self.ended_us)

    def advance(self, segment: Segment) -> LiveCost:
        """The cost after one more segment, which begins at or after the end of the last one.

        Raises `InvalidUsage` for a segment that goes back in time.
        """
        if microseconds(segment.start_at) < self.ended_us:
            raise InvalidUsage("A segment begins after the one before it has ended.")
        tally = _Tally(self)
        for piece in self.pieces(segment):
            tally.add(piece, segment)
        return tally.after(microseconds(segment.end_at))

    def pieces(self, segment: Segment) -> Iterator[Piece]:
        """The segment, cut where a restriction may turn; energy flows evenly in between."""
        start_us, end_us = microseconds(segment.start_at), microseconds(segment.end_at)
        clock, at_us, at_wh = self.wall_clock.matches_at(start_us), 0, 0
        here: tuple[Exact, Exact] = (at_us, at_wh)
        for cut in [*self._cuts(segment, start_us, end_us), (end_us - start_us, segment.energy_wh)]:
            length_us, energy_wh = exact(cut[0] - here[0]), exact(cut[1] - here[1])
            if length_us or energy_wh:
                yield Piece(start_us + here[0], length_us, energy_wh, clock)
            clock, here = self.wall_clock.matches_at(start_us + cut[0]), cut

    def _cuts(self, segment: Segment, start_us: int, end_us: int) -> list[tuple[Exact, Exact]]:
        """Where restrictions turn inside the segment, as µs and Wh since its beginning."""
        length_us, energy_wh = end_us - start_us, segment.energy_wh
        turns = list(self.wall_clock.turns_between(start_us, end_us))
        turns += [
            self.started_us + at for at in self.plan.turns_us if start_us < self.started_us + at < end_us
        ]
        cuts: list[tuple[Exact, Exact]] = [
            (at_us - start_us, Fraction(energy_wh * (at_us - start_us), length_us)) for at_us in turns
        ]
        for turn_wh in self.plan.turns_wh:
            ahead_wh = turn_wh - self.energy_wh
            if 0 < ahead_wh < energy_wh:
                cuts.append((Fraction(length_us * ahead_wh) / energy_wh, ahead_wh))
        return sorted(cuts)

    def totals(self) -> Totals:
        """Exact totals excluding and including VAT, minimum and maximum price applied."""
        return totals_of(self.plan, self._billed())

    def total_incl_minor(self) -> int:
        """What the driver would pay now, in minor units; the quick way to `cost().total_incl_minor`."""
        return round_half_up(self.totals().incl * 10 ** minor_digits(self.plan.tariff.currency))

    def cost(self) -> Cost:
        """The cost so far, with lines."""
        return cost_of(self.plan, self._billed())

    def _billed(self) -> dict[int, Exact]:
        flat = self._flat_at_start() if self.flat is None and not self.volumes else self.flat
        last = (self.last_energy, self.last_time)
        return billed_volumes(self.plan, volumes=self.volumes, flat=flat, last=last)

    def _flat_at_start(self) -> int | None:
        """The fee that a session owes before its first sample, as far as it can be known then."""
        if self.ended_us != self.started_us:
            return None
        clock = self.wall_clock.matches_at(self.started_us)
        chosen = self.plan.select(Dimension.FLAT, Moment(clock, 0, 0, None, None))
        return None if chosen is None else chosen.index

    def to_state(self) -> dict[str, Any]:
        """The live cost as JSON values, to be kept beside the session's tariff and time zone."""
        return {
            "started_us": self.started_us,
            "ended_us": self.ended_us,
            "energy_wh": str(self.energy_wh),
            "volumes": {str(index): str(volume) for index, volume in self.volumes.items()},
            "flat": self.flat,
            "last_energy": self.last_energy,
            "last_time": self.last_time,
        }

    @classmethod
    def from_state(cls, tariff: Tariff, time_zone: str, state: Mapping[str, Any]) -> LiveCost:
        """Read what `to_state` wrote for the same tariff and site.

        Raises `InvalidState` and `UnknownTimeZone`.
        """
        plan = plan_for(tariff)
        try:
            chosen = [state[name] for name in ("flat", "last_energy", "last_time")]
            volumes = {int(index): exact(Fraction(text)) for index, text in state["volumes"].items()}
            known = range(len(plan.components))
            if not all(index in known for index in (*volumes, *(c for c in chosen if c is not None))):
                raise InvalidState("The stored live cost belongs to another tariff.")
            return cls(
                plan,
                plan.wall_clock(time_zone),
                int(state["started_us"]),
                int(state["ended_us"]),
                exact(Fraction(state["energy_wh"])),
                volumes,
                *chosen,
            )
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise InvalidState(f"Not a stored live cost: {error}") from error


class _Tally:
    """Adds pieces to a copy of a live cost's figures; lives for one `advance`."""

    def __init__(self, live: LiveCost) -> None:
        self._live, self._plan = live, live.plan
        self._volumes = dict(live.volumes)
        self._energy_wh = live.energy_wh
        self._flat, self._last_energy, self._last_time = live.flat, live.last_energy, live.last_time

    def add(self, piece: Piece, segment: Segment) -> None:
        """Price one piece: the flat fee if it is still open, energy, and the time of its state."""
        moment = self._moment(piece, segment)
        if self._flat is None:
            self._flat = _index(self._plan.select(Dimension.FLAT, moment))
        if piece.energy_wh:
            chosen = self._plan.select(Dimension.ENERGY, moment)
            self._last_energy = self._book(chosen, piece.energy_wh, self._last_energy)
        if piece.length_us:
            chosen = self._plan.select(_TIME_OF[segment.state], moment)
            self._last_time = self._book(chosen, piece.length_us, self._last_time)
        self._energy_wh = exact(self._energy_wh + piece.energy_wh)

    def _moment(self, piece: Piece, segment: Segment) -> Moment:
        power_w = segment.power_w
        if power_w is None and piece.length_us:
            power_w = exact(Fraction(piece.energy_wh * HOUR_US) / piece.length_us)
        current_a = segment.current_a
        if current_a is None and segment.state is SegmentState.PARKED:
            current_a = 0
        duration_us = piece.start_us - self._live.started_us
        return Moment(piece.clock, self._energy_wh, duration_us, current_a, power_w)

    def _book(self, chosen: PlannedComponent | None, volume: Exact, last: int | None) -> int | None:
        if chosen is None:
            return last
        self._volumes[chosen.index] = exact(self._volumes.get(chosen.index, 0) + volume)
        return chosen.index

    def after(self, ended_us: int) -> LiveCost:
        """The live cost with everything added."""
        return replace(
            self._live,
            ended_us=ended_us,
            energy_wh=self._energy_wh,
            volumes=self._volumes,
            flat=self._flat,
            last_energy=self._last_energy,
            last_time=self._last_time,
        )


def _index(planned: PlannedComponent | None) -> int | None:
    return None if planned is None else planned.index
