import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from simulator.clock import SimClock
from simulator.day import day
from simulator.phone import Phone
from simulator.scenario import read
from simulator.steps import Restart, Send, Signal, Step, Wait, Who
from simulator.transport import Answered, Http, Turned, Unreachable, phone_client
from simulator.truth import Diary, Run, Truth
from simulator.truth import Phone as Paired
from simulator.wire import Action, Actions, Attachment, Message, Positions, encode
from tests.simulator.days import DATE, LEAVES, QUIET, WHO, StepClock, route
from tests.simulator.standin import StandIn

RUN = Run("http://127.0.0.1", DATE, 7, "http", "", None, 4)
HOSTILE = read(
    """
    network = {gaps_per_hour = 6, gap_s = [60, 600], duplicates = 0.3, reordering = 0.3, lost_answers = 0.2}
    app = {restarts_per_day = 80, restart_s = [5, 60]}
    proof = {resumable = 0}
    """
)


def begun(path: Path | None = None) -> tuple[Truth, Diary]:
    truth = Truth.begin(RUN, path)
    return truth, truth.paired(Paired("D1", "DRV001", "DRV001", "token", route(4)))


async def drive(standin: StandIn, truth: Truth, diary: Diary, speed: float = 40_000.0) -> Phone:
    transport = Http(lambda: phone_client(standin.url), "token")
    phone = Phone(diary, truth, transport, SimClock(LEAVES - 600, speed), WHO.rng("phone"))
    async with asyncio.timeout(120):
        await phone.live(day(route(4), WHO, HOSTILE))
    return phone


async def test_everything_arrives_through_lost_answers_cut_connections_gaps_and_restarts(seed: int):
    async with StandIn(seed, mischief=0.4).running() as standin:
        truth, diary = begun()
        phone = await drive(standin, truth, diary)
    assert phone.turned is None and phone.queued == 0
    done = [step.message for step in day(route(4), WHO, HOSTILE) if isinstance(step, Send)]
    fixes = {fix.at_ms for message in done if isinstance(message, Positions) for fix in message.positions}
    assert set(standin.positions) == fixes
    assert set(standin.actions) == {a.id for message in done if isinstance(message, Actions) for a in message.actions}
    assert set(standin.files) == {message.id for message in done if isinstance(message, Attachment)}
    assert standin.repeats > 0 and phone.measures.retries > 0
    assert all(diary.is_acknowledged(message.n) for message in done)


async def test_a_day_that_is_stopped_delivers_what_was_done_and_nothing_else(seed: int):
    async with StandIn(seed, mischief=0.2).running() as standin:
        truth, diary = begun()
        transport = Http(lambda: phone_client(standin.url), "token")
        clock = StepClock(LEAVES - 600, 3000.0)
        phone = Phone(diary, truth, transport, clock, WHO.rng("phone"))
        living = asyncio.create_task(phone.live(day(route(4), WHO, HOSTILE)))
        async with asyncio.timeout(120):
            while len(standin.positions) < 20:
                await asyncio.sleep(0.01)
            phone.stop()
            await living
    assert phone.queued == 0
    assert 20 <= len(diary.fixes()) == diary.fixes_acknowledged
    assert all(acknowledged for _, acknowledged in diary.actions()) and diary.actions()
    assert not any(action["action"] == "off_duty" for action in standin.actions.values())


async def test_after_the_simulator_was_killed_the_state_file_says_what_is_left(seed: int, tmp_path: Path):
    path = tmp_path / "state.jsonl"
    async with StandIn(seed, mischief=0.3).running() as standin:
        truth, diary = begun(path)
        transport = Http(lambda: phone_client(standin.url), "token")
        clock = StepClock(LEAVES - 600, 3000.0)
        phone = Phone(diary, truth, transport, clock, WHO.rng("phone"))
        living = asyncio.create_task(phone.live(day(route(4), WHO, HOSTILE)))
        async with asyncio.timeout(120):
            while len(standin.positions) < 30:
                await asyncio.sleep(0.01)
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)
        path.write_bytes(path.read_bytes() + b'{"type":"sent","driver_id":"D1","n":9')
        truth.close()
        known = Truth.read(path)
        numbers = range(1000)
        for is_so in (Diary.is_sent, Diary.is_acknowledged):
            assert [is_so(known.diaries["D1"], n) for n in numbers] == [is_so(diary, n) for n in numbers]
        before = sum(map(diary.is_acknowledged, numbers))
        phone = await drive(standin, known, known.diaries["D1"])
    done = [step.message for step in day(route(4), WHO, HOSTILE) if isinstance(step, Send)]
    assert 0 < before < len(done)
    assert all(known.diaries["D1"].is_acknowledged(message.n) for message in done)
    assert set(standin.actions) == {a.id for message in done if isinstance(message, Actions) for a in message.actions}


async def test_requests_are_the_same_bytes_every_time(seed: int):
    async def content() -> list[bytes]:
        seen: list[bytes] = []

        async def answer(request: httpx.Request) -> httpx.Response:
            seen.append(request.headers["content-type"].encode() + await request.aread())
            return httpx.Response(200, json={"accepted": 1, "actions": [{"success": True}]})

        async with httpx.AsyncClient(base_url="http://x", transport=httpx.MockTransport(answer)) as client:
            phone = Http(lambda: client, "token")
            for step in day(route(3), Who("DRV001", DATE, seed), HOSTILE):
                if isinstance(step, Send):
                    await phone.deliver(step.message)
        return seen

    first = await content()
    assert first == await content()
    assert any(part.startswith(b"multipart") for part in first)


class Refusing:
    """A transport that turns the phone away, or refuses one item."""

    def __init__(self, answers: list[Answered | Exception]) -> None:
        self.answers = answers
        self.seen: list[bytes] = []

    async def deliver(self, message: Message) -> Answered:
        self.seen.append(encode(message))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def reset(self) -> None:
        return None


@pytest.mark.parametrize("answers", [[Turned("ERR_TOKEN")], [Unreachable("no"), {}, Turned("ERR_TOKEN")]])
async def test_a_phone_whose_token_is_revoked_ends(answers: list[Answered | Exception]):
    truth, diary = begun()
    phone = Phone(diary, truth, Refusing(answers), SimClock(LEAVES, 50_000.0), WHO.rng("phone"))
    async with asyncio.timeout(120):
        await phone.live(day(route(4), WHO, HOSTILE))
    assert phone.turned == "ERR_TOKEN"


async def test_what_is_refused_is_not_sent_again_and_not_counted_as_acknowledged():
    truth, diary = begun()
    refusing = Refusing([{0: "ERR_TIMESTAMP_FUTURE"}])
    phone = Phone(diary, truth, refusing, SimClock(LEAVES, 50_000.0), WHO.rng("phone"))
    async with asyncio.timeout(120):
        await phone.live(day(route(2), WHO, QUIET))
    done = [step.message for step in day(route(2), WHO, QUIET) if isinstance(step, Send)]
    assert len(refusing.seen) == len(set(refusing.seen)) == len(done)
    assert not any(acknowledged for _, acknowledged in diary.actions())
    assert diary.refused() == {"ERR_TIMESTAMP_FUTURE": len(done)}


class Line:
    """A transport that writes down what happens to it, and answers after a moment."""

    def __init__(self) -> None:
        self.log: list[str] = []

    async def deliver(self, message: Message) -> Answered:
        await asyncio.sleep(0.005)
        self.log.append(f"message {message.n}")
        return {}

    async def reset(self) -> None:
        self.log.append("hung up")


async def lived(*steps: Step) -> tuple[list[str], Phone]:
    """What a phone does to its line in a day of these steps, an hour a second."""
    truth, diary = begun()
    line = Line()
    phone = Phone(diary, truth, line, StepClock(LEAVES, 3600.0), WHO.rng("phone"))
    async with asyncio.timeout(120):
        await phone.live(iter(steps))
    return line.log[:-1], phone  # at home it hangs up too


def told(n: int) -> Send:
    return Send(Actions(n, (Action(f"a{n}", "on_duty", LEAVES + n),)))


async def test_without_signal_the_connection_is_gone_and_all_that_waited_is_sent_over_a_new_one():
    """A storm is one of connections too: they were kept through every gap, and nobody reconnected."""
    gap = [Signal(False), Wait(LEAVES + 200), told(1), told(2), Wait(LEAVES + 400), Signal(True)]
    log, phone = await lived(Wait(LEAVES), told(0), Wait(LEAVES + 100), *gap, Wait(LEAVES + 500), told(3))
    assert log == ["message 0", "hung up", "message 1", "message 2", "message 3"]
    assert phone.measures.injected["signal lost"] == 1


async def test_what_is_being_answered_as_the_signal_goes_is_heard_and_nothing_is_sent_after_it():
    twice = Send(told(0).message, twice=True)
    log, _ = await lived(
        Wait(LEAVES), twice, Wait(LEAVES + 5), Signal(False), told(1), Wait(LEAVES + 600), Signal(True)
    )
    assert log[:2] == ["message 0", "hung up"]
    assert sorted(log[2:]) == ["message 0", "message 1"]


async def test_an_app_that_was_killed_with_a_full_outbox_sends_all_of_it_when_it_is_back():
    away = [Signal(False), told(1), told(2), told(3), Restart(600.0), Restart(10.0), Signal(True)]
    log, phone = await lived(Wait(LEAVES), told(0), Wait(LEAVES + 60), *away, told(4), Wait(LEAVES + 300), told(5))
    assert [each for each in log if each != "hung up"] == [f"message {n}" for n in range(6)]
    assert phone.measures.injected["app killed with messages waiting"] == 2
    assert all(phone.diary.is_acknowledged(n) for n in range(6))


async def test_a_shorter_restart_does_not_bring_back_an_app_that_is_away_for_longer():
    away = [Restart(1800.0), Restart(10.0), told(0), Wait(LEAVES + 1000)]
    truth, diary = begun()
    line, clock = Line(), SimClock(LEAVES, 3600.0)
    phone = Phone(diary, truth, line, clock, WHO.rng("phone"))
    living = asyncio.create_task(phone.live(iter([Wait(LEAVES), *away, Wait(LEAVES + 7200)])))
    async with asyncio.timeout(120):
        while "message 0" not in line.log:
            await asyncio.sleep(0.005)
        assert clock.now() >= LEAVES + 1800
        await living


async def test_a_day_that_goes_on_does_not_switch_the_phone_off_for_what_was_over_before():
    """A battery that had been empty in the morning kept it silent for as long once more."""
    truth, diary = begun()
    line, heard = Line(), list[str]()
    phone = Phone(diary, truth, line, StepClock(LEAVES + 7200, 3600.0), WHO.rng("phone"))

    def steps() -> Iterator[Step]:
        yield from (Wait(LEAVES), Restart(1800.0), Wait(LEAVES + 1900), told(0), Wait(LEAVES + 9000))
        heard.extend(line.log)
        yield Wait(LEAVES + 9001)

    async with asyncio.timeout(120):
        await phone.live(steps())
    assert "message 0" in heard


async def test_what_is_late_under_way_left_no_later_than_the_day_went_on(tmp_path: Path):
    """Else a run that was broken off while its server was away went on hours after its day, or in the future."""
    truth, diary = begun(tmp_path / "state.jsonl")
    phone = Phone(diary, truth, Line(), SimClock(LEAVES, 50_000.0), WHO.rng("phone"))
    async with asyncio.timeout(120):
        await phone.live(iter([Wait(LEAVES), *(told(n) for n in range(9)), Wait(LEAVES + 1)]))
    truth.close()
    again = Truth.read(tmp_path / "state.jsonl")
    again.close()
    assert all(map(again.diaries["D1"].is_acknowledged, range(9))) and LEAVES <= again.last_at <= LEAVES + 1


async def test_what_was_refused_is_not_sent_once_more():
    """A phone ahead of the server's clock is refused first, and taken a moment later."""
    refusing = Refusing([{0: "ERR_TIMESTAMP_FUTURE"}, {}])
    truth, diary = begun()
    phone = Phone(diary, truth, refusing, StepClock(LEAVES, 3600.0), WHO.rng("phone"))
    async with asyncio.timeout(120):
        await phone.live(iter([Wait(LEAVES), Send(told(0).message, twice=True), Wait(LEAVES + 60)]))
    assert len(refusing.seen) == 1 and diary.refused() == {"ERR_TIMESTAMP_FUTURE": 1}


class Busy(Line):
    """A line to a server that refuses so many requests before it takes any."""

    def __init__(self, refusals: int) -> None:
        super().__init__()
        self.refusals, self.together, self.most = refusals, 0, 0

    async def deliver(self, message: Message) -> Answered:
        self.together += 1
        if len(self.log) >= 4 and self.refusals:
            self.most = max(self.most, self.together)
        await asyncio.sleep(0.005)
        self.together -= 1
        self.log.append("refused" if self.refusals else f"message {message.n}")
        if self.refusals:
            self.refusals -= 1
            raise Unreachable("HTTP 503", 0.02)
        return {}


async def test_where_a_server_is_busy_a_phone_asks_with_one_message_at_a_time_and_sends_all_in_the_end():
    truth, diary = begun()
    busy = Busy(refusals=8)
    phone = Phone(diary, truth, busy, StepClock(LEAVES, 3600.0), WHO.rng("phone"))
    async with asyncio.timeout(120):
        await phone.live(iter([Wait(LEAVES), *(told(n) for n in range(6)), Wait(LEAVES + 60)]))
    assert sorted(each for each in busy.log if "message" in each) == [f"message {n}" for n in range(6)]
    assert phone.measures.retries == 8 == busy.log.count("refused")
    assert busy.most == 1
