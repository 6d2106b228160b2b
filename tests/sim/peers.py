"""The others: a charger with its driver and vehicle, and a PTP with its PSP; none of them can be relied on."""

from __future__ import annotations

from collections.abc import Callable

from payments import states as money
from payments.states import CaptureStatus
from sessions_app.states import StopReason
from tests.sim.rows import Letter, Order
from tests.sim.server import Server
from tests.sim.world import World, must

METER_SECONDS = 60.0
RESEND_SECONDS = (5.0, 60.0)


class Charger:
    """An OCPP charger and whoever stands in front of it."""

    def __init__(self, world: World, server: Server) -> None:
        rng = world.rng
        self.world, self.server = world, server
        self.online = rng.random() > 0.05
        self.answers_start = rng.choices(("accept", "reject", "nothing"), (0.92, 0.04, 0.04))[0]
        self.obeys_stop = rng.random() > 0.1
        self.power_w = rng.choice((3_700, 11_000, 50_000, 150_000, 350_000))
        self.plugs_in_after = rng.choice((0.0, 0.0, 0.0, 5.0, 5.0, 40.0, 290.0, 400.0, 10_000.0))
        self.waits_for_plug = rng.choice((60.0, 120.0, 600.0, 600.0))  # its own connection time-out
        self.battery_wh = rng.choice((5, 500, 20_000, 80_000, 80_000))
        self.leaves_after = rng.choice((30.0, 900.0, 900.0, 7_200.0))
        self.state = "idle"  # idle, waiting, charging, full, stopped
        self.acked: set[str] = set()
        self.energy_wh = 0
        self._metered_at = 0.0

    def live(self) -> None:
        """Plan the accidents of this charger's life."""
        rng = self.world.rng
        if rng.random() < 0.25:
            self.world.after(rng.uniform(0, 3600), self._go_offline)
        if rng.random() < 0.1:
            self.world.after(rng.uniform(60, 3600), self._reboot)

    def _go_offline(self) -> None:
        if self.world.faulty:
            self.online = False
            self.world.after(self.world.rng.choice((5.0, 300.0, 20_000.0)), self.come_back)

    def come_back(self) -> None:
        """The socket is there again."""
        if not self.online:
            self.online = True
            self.server.ask(lambda: None)

    def _reboot(self) -> None:
        """It forgets the transaction, or tells its end, or goes on."""
        if not self.world.faulty or self.state not in ("charging", "full"):
            return
        fate = self.world.rng.choice(("forgets", "tells", "goes on"))
        if fate == "forgets":
            self.state = "stopped"
            self.acked.add("stop")
            self._tell("free", self.server.evse_free)
        elif fate == "tells":
            self._stop(StopReason.CHARGER)

    def remote_start(self, order: Order) -> None:
        """RemoteStartTransaction arrives."""
        if not self.online or self.answers_start == "nothing":
            return
        accepted = self.answers_start == "accept" and self.state == "idle"
        self._answer(lambda: self.server.answered(order, accepted=accepted))
        if accepted:
            self.state = "waiting"
            if self.plugs_in_after <= self.waits_for_plug:
                self.world.after(self.plugs_in_after, self._begin)
            else:
                self.world.after(self.waits_for_plug, self._give_up)

    def _give_up(self) -> None:
        if self.state == "waiting":
            self.state = "idle"

    def _begin(self) -> None:
        if self.state != "waiting":
            return
        self.state, self._metered_at = "charging", self.world.seconds
        self._tell("start", self.server.transaction_started)
        self.world.after(METER_SECONDS, self._meter)
        self.world.after(self.leaves_after, lambda: self._stop(StopReason.UNPLUGGED))

    def _flow(self) -> None:
        elapsed, self._metered_at = self.world.seconds - self._metered_at, self.world.seconds
        if self.state == "charging":
            self.energy_wh = min(self.battery_wh, self.energy_wh + int(elapsed * self.power_w / 3600))

    def _meter(self) -> None:
        if self.state not in ("charging", "full"):
            return
        self._flow()
        energy_wh, power_w = self.energy_wh, self.power_w if self.state == "charging" else 0
        if self.online:
            self._answer(lambda: self.server.metered(energy_wh, power_w))
        if self.state == "charging" and self.energy_wh >= self.battery_wh:
            self.state = "full"
            self._tell("paused", self.server.paused)
        if self.state == "charging" or not self.world.faulty:
            self.world.after(METER_SECONDS, self._meter)
        else:
            self.world.after(10 * METER_SECONDS, self._meter)

    def remote_stop(self, order: Order) -> None:
        """RemoteStopTransaction arrives; the stubborn one says yes and charges on, while times are bad."""
        if not self.online:
            return
        running = self.state in ("charging", "full")
        obeys = running and (self.obeys_stop or not self.world.faulty)
        self._answer(lambda: self.server.answered(order, accepted=running))
        if obeys:
            self.world.after(self.world.rng.uniform(0.5, 5), lambda: self._stop(StopReason.CHARGER))

    def _stop(self, reason: StopReason) -> None:
        if self.state not in ("charging", "full"):
            return
        self._flow()
        self.state = "stopped"
        energy_wh = self.energy_wh
        self._tell("stop", lambda: self.server.transaction_stopped(energy_wh, reason))

    def _answer(self, work: Callable[[], None]) -> None:
        self.world.carry(lambda: self.server.ask(work))

    def _tell(self, name: str, work: Callable[[], None]) -> None:
        """A message that is queued and sent again until it was answered, and in order: the start first."""
        if name in self.acked:
            return
        blocked = name == "stop" and self.state == "stopped" and "start" not in self.acked
        if self.online and not blocked:
            self.world.carry(lambda: self.server.ask(work, lambda: self.acked.add(name)))
        self.world.after(self.world.rng.uniform(*RESEND_SECONDS), lambda: self._tell(name, work))


class Ptp:
    """A payment terminal provider; it captures once per CDR id, and its effects on the card are counted."""

    def __init__(self, world: World, server: Server) -> None:
        rng = world.rng
        self.world, self.server = world, server
        self.hold_minor = rng.choice((100, 1_000, 6_000))
        self.captures: list[int] = []
        self.releases = 0
        self.refunds = 0
        self.known: set[int] = set()
        self.down_until = 0.0
        self.status = rng.choices(list(CaptureStatus), (0.9, 0.05, 0.05))[0]
        self.confirms = rng.random() > 0.05
        self.answers_staff = rng.random() > 0.3  # or has a settlement file, which says the same
        self.fault = rng.choices(("", "more", "less", "currency"), (0.85, 0.05, 0.05, 0.05))[0]
        self.returned = 0
        self.captured_minor: int | None = None  # None: it was not told to yet
        self.told = False

    def live(self) -> None:
        """Plan a tap, its repeats, a press of Stop, and an outage."""
        rng, world = self.world.rng, self.world
        for again in range(rng.choice((1, 1, 2, 3))):
            world.after(again * rng.uniform(0, 20), self._start)
        if rng.random() < 0.4:
            world.after(rng.choice((1.0, 20.0, 400.0, 400.0, 3_000.0)), self._press_stop)
        if rng.random() < 0.2:
            world.after(rng.uniform(0, 1_000), self._go_down)

    def _go_down(self) -> None:
        self.down_until = self.world.seconds + self.world.rng.choice((60.0, 3_600.0, 50_000.0))

    def _start(self) -> None:
        if not self.told:
            world = self.world
            world.carry(lambda: self.server.ask(lambda: self.server.open(self.hold_minor), self._started))
            if world.faulty:
                world.after(world.rng.uniform(5, 30), self._start)

    def _started(self) -> None:
        self.told = True

    def _press_stop(self) -> None:
        self.world.carry(lambda: self.server.ask(lambda: self.server.stop(StopReason.TERMINAL)))

    def receive(self, letter: Letter) -> None:
        """A settlement arrives: acted on once by its id, answered each time, if at all."""
        if self.world.faulty and self.world.seconds < self.down_until:
            return
        if id(letter) not in self.known:
            self.known.add(id(letter))
            self._act(letter)
        self.world.carry(lambda: self.server.ask(lambda: self.server.acknowledged(letter)))

    def _act(self, letter: Letter) -> None:
        account = self.server.rows.account
        assert account is not None
        if letter.topic == "release":
            must(not self.captures, "a hold is released that was captured")
            self.releases += 1
        elif letter.topic == "credit":
            self.refunds += account.refunding_minor
        else:
            self._capture(account.due_minor)

    def _capture(self, due_minor: int) -> None:
        must(not self.releases, "a released hold is captured")
        must(not self.captures, "captured twice (S1)")
        must(due_minor <= self.hold_minor, "captured beyond the hold (S2)")
        taken = {CaptureStatus.SUCCESS: due_minor, CaptureStatus.FAILED: 0}.get(self.status, due_minor // 2)
        status = self.status if taken or self.status is CaptureStatus.FAILED else CaptureStatus.FAILED
        if status is CaptureStatus.SUCCESS and self.fault in ("more", "less"):
            taken = due_minor + self.world.rng.randint(1, 7_000) if self.fault == "more" else due_minor // 2
        if taken:
            self.captures.append(taken)
        self.captured_minor = taken
        if self.confirms and status is CaptureStatus.SUCCESS and self.fault == "currency":
            self._confirm("first", money.Confirmed(status, taken * 11, same_currency=False))
        elif self.confirms:
            self._confirm("first", money.Confirmed(status, taken))

    @property
    def answer_minor(self) -> int | None:
        """What it tells staff who ask, or in its settlement file; None while it has nothing to tell."""
        return self.captured_minor if self.answers_staff else None

    def give_back(self, amount_minor: int) -> None:
        """Staff asked for what was taken too much."""
        self.returned += amount_minor
        must(self.returned <= sum(self.captures), "more given back than was taken")

    def _confirm(self, name: str, event: money.Confirmed) -> None:
        """Told again until it was answered."""
        answered: list[bool] = []

        def tell() -> None:
            if answered:
                return
            work = lambda: self.server.confirmed(name, event)  # noqa: E731
            self.world.carry(lambda: self.server.ask(work, lambda: answered.append(True)))
            self.world.after(self.world.rng.uniform(10, 120), tell)

        self.world.after(self.world.rng.choice((0.1, 1.0, 100.0)), tell)
