"""The phone in the van as its sensors see the day: when it takes a fix, what the fix says, when it is off."""

from __future__ import annotations

from msgspec import Struct

from simulator.chance import draw
from simulator.driving import Motion
from simulator.receiver import Receiver
from simulator.scenario import Scenario
from simulator.steps import Who
from simulator.wire import Position

EMPTY, FULL = 0.02, 0.98
USUAL_PER_HOUR = 0.06
CHARGED_PER_HOUR = 0.5


class Battery(Struct):
    """Full in the morning. Where ``dies`` is a time (Unix seconds), it is empty then, and charged from ``back`` on."""

    begun: float
    dies: float | None = None
    back: float = 0.0

    def off(self, t: float) -> bool:
        """Whether the phone is off."""
        return self.dies is not None and self.dies <= t < self.back

    def level(self, t: float) -> float:
        """The charge from 0 to 1."""
        if self.dies is None:
            return max(0.05, FULL - USUAL_PER_HOUR * (t - self.begun) / 3600.0)
        if t < self.dies:
            return EMPTY + (FULL - EMPTY) * (self.dies - t) / (self.dies - self.begun)
        return min(FULL, EMPTY + max(0.0, t - self.back) / 3600.0 * CHARGED_PER_HOUR)


class Handset:
    """Takes fixes from when it is switched on. ``offset`` is how far its clock is ahead, in seconds; ``last`` is the
    newest fix, ``batch`` those that are not sent yet.
    """

    def __init__(self, who: Who, scenario: Scenario, on: float, device: int = 0) -> None:
        self._scenario, self._rng = scenario, who.rng(_named("gps", device))
        self._receiver = Receiver(self._rng, scenario.gps, f"{who.seed}")
        self._says_unknown = who.rng(_named("platform", device)).random() < 0.45  # as the phones of one big maker do
        self._sky_left, self._seen = self._rng.expovariate(1.0), on
        self.device, self.next_fix = device, on
        self.offset = clock_of(who, scenario, device)
        self.battery = battery_of(who, scenario, on)
        self.last: Position | None = None
        self.batch: list[Position] = []

    def take(self, truth: Motion) -> Position | None:
        """The fix that is due, of where the van truly is; None where there is none. The next one is due later."""
        t, reporting = self.next_fix, self._scenario.reporting
        moving = truth.speed > 0.3
        period = draw(reporting.period_s if moving else reporting.standing_period_s, self._rng)
        self.next_fix = t + max(0.1, period * self._rng.uniform(0.99, 1.01))
        if self._dropped(t, truth) or self.battery.off(t):
            return None
        self.last = self._fix(t, truth)
        self.batch.append(self.last)
        return self.last

    def _fix(self, t: float, truth: Motion) -> Position:
        measured = self._receiver.fix(t, truth)
        moving = measured.speed > 0.5
        unknown = -1.0 if self._says_unknown else None
        return Position(
            timestamp=round(t + self.offset, 3),
            latitude=round(measured.latitude, 7),
            longitude=round(measured.longitude, 7),
            accuracy=round(measured.accuracy, 1),
            speed=round(measured.speed, 2) if moving or not self._says_unknown else unknown,
            heading=round(truth.heading + self._rng.gauss(0.0, 1.5), 1) % 360.0 if moving else unknown,
            battery=round(self.battery.level(t), 2),
        )

    def _dropped(self, t: float, truth: Motion) -> bool:
        """Dropouts come by chance as time passes, and time between tall houses counts several times."""
        if t < self._seen:
            return True
        gps = self._scenario.gps
        tall = self._receiver.reflection(truth.latitude, truth.longitude) is not None
        self._sky_left -= (t - self._seen) / 3600.0 * gps.dropouts_per_hour * (gps.tall_dropouts if tall else 1.0)
        self._seen = t
        if self._sky_left > 0.0:
            return False
        self._sky_left, self._seen = self._rng.expovariate(1.0), t + self._rng.uniform(*gps.dropout_s)
        return True


def handsets(who: Who, scenario: Scenario, on: float) -> list[Handset]:
    """What takes fixes in a driver's van."""
    return [Handset(who, scenario, on, device) for device in devices(who, scenario)]


def devices(who: Who, scenario: Scenario) -> range:
    """The numbers of what takes fixes in a driver's van: 0 is the phone, 1 the second device if that does so too."""
    both = has_second(who, scenario) and who.rng("both").random() < scenario.devices.both
    return range(1 + both)


def has_second(who: Who, scenario: Scenario) -> bool:
    """Whether a driver has two devices."""
    return who.rng("devices").random() < scenario.devices.second


def clock_of(who: Who, scenario: Scenario, device: int = 0) -> float:
    """How many seconds a device's clock is ahead."""
    rng, clock = who.rng(_named("clock", device)), scenario.clock
    usual = rng.uniform(*clock.offset_s)
    return rng.uniform(*clock.wrong_s) if rng.random() < clock.wrong else usual


def ahead_of(who: Who, scenario: Scenario) -> float:
    """How many seconds the foremost clock of what takes fixes in a driver's van is ahead."""
    return max(clock_of(who, scenario, device) for device in devices(who, scenario))


def _named(purpose: str, device: int) -> str:
    """The stream of chance of one device."""
    return f"{purpose}/{device}" if device else purpose


def battery_of(who: Who, scenario: Scenario, on: float) -> Battery:
    """The battery of a driver's phone that is switched on at this time."""
    rng, devices = who.rng("battery"), scenario.devices
    if rng.random() >= devices.dying:
        return Battery(on)
    dies = on + rng.uniform(*devices.lasts_h) * 3600.0
    return Battery(on, dies, dies + rng.uniform(*devices.charging_s))
