"""What locust is given: the users, the shape that ``--shape`` names, the gates at the end.

locust -f loadtests/locustfile.py --headless --host http://127.0.0.1:8000 --key KEY --shape storm --processes 2
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gevent
from locust import LoadTestShape, User, events
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadtests.arrivals import Arrivals
from loadtests.gates import FAILED, NOT_MEASURED, PASSED, judge, verdict
from loadtests.generator import Own
from loadtests.limit import Steps, write_knee
from loadtests.machine import machine
from loadtests.onlookers import Map, Office, Recipient
from loadtests.phones import HttpPhone, ProofPhone, SocketPhone
from loadtests.shapes import ARRIVING, LANES, SHAPES, step
from loadtests.world import World

__all__ = ["Arrivals", "HttpPhone", "Map", "Office", "ProofPhone", "Recipient", "SocketPhone"]


class Chosen(LoadTestShape):
    """The shape that was asked for; to the limit, it ends once the limit was passed."""

    def tick(self) -> tuple[int, float, list[type[User]] | None] | None:
        """How many users there are to be now."""
        environment = self.runner.environment
        options, t = environment.parsed_options, self.get_run_time()
        shape = SHAPES[options.shape]
        if t > min(shape.seconds, options.seconds or shape.seconds):
            return None
        if options.shape == "limit" and environment.steps.passed(step(t) - 2, environment.own, options.scale):
            return None
        kinds = [HttpPhone, SocketPhone, Map, Recipient, Office, Arrivals]
        if options.shape == "proofs":
            kinds.append(ProofPhone)
        return LANES + round(shape.users(t) * options.scale), shape.spawn_rate, kinds


@events.init_command_line_parser.add_listener
def options(parser: Any) -> None:
    """What the load tests ask beside locust's own options."""
    parser.add_argument("--key", env_var="CODRIVER_KEY", required=True, help="Tenant key of the account.")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="steady", help="The load.")
    parser.add_argument("--scale", type=float, default=1.0, help="So many times the users and arrivals.")
    parser.add_argument("--pace", type=float, default=20.0, help="Simulated seconds of the phones' days a second.")
    parser.add_argument("--seconds", type=float, default=0, help="End the shape after so many seconds.")
    parser.add_argument("--limit-file", default="limit.json", help="Where --shape limit writes what it found.")


@events.init.add_listener
def begin(environment: Environment, **_: Any) -> None:
    """Count steps in every process, and have workers report theirs."""
    environment.steps, environment.own = Steps(), Own()

    @environment.events.request.add_listener
    def request(name: str, response_time: float, exception: Any, **_: Any) -> None:
        if name == ARRIVING and hasattr(environment, "world"):
            environment.steps.count(environment.world.elapsed, response_time, exception)

    @environment.events.report_to_master.add_listener
    def report(data: dict[str, Any], **_: Any) -> None:
        data["steps"], data["own"] = environment.steps.take(), environment.own.take()

    @environment.events.worker_report.add_listener
    def reported(data: dict[str, Any], **_: Any) -> None:
        environment.steps.add(data["steps"])
        environment.own.add(data["own"])


@events.test_start.add_listener
def start(environment: Environment, **_: Any) -> None:
    """Every process that has users needs a world."""
    if not isinstance(environment.runner, MasterRunner):
        environment.world = World(environment)
        gevent.spawn(environment.own.watch, gevent.sleep, environment.world.step)


@events.test_stopping.add_listener
@events.test_stop.add_listener
def stop(environment: Environment, **_: Any) -> None:
    """What is late while all users leave at once is no matter."""
    if hasattr(environment, "world"):
        environment.world.ended = True


@events.quitting.add_listener
def end(environment: Environment, **_: Any) -> None:
    """The gates, or the limit; the exit code says whether they were passed."""
    if isinstance(environment.runner, WorkerRunner):
        return
    asked = environment.parsed_options
    if asked.shape == "limit":
        done = max(environment.steps.times, default=0)
        told = environment.steps.knee(done, environment.own, asked.scale)
        said = write_knee({**machine(str(environment.host)), **told}, Path(asked.limit_file))
        code = NOT_MEASURED if told["endedBy"] == "generator" else PASSED
        environment.process_exit_code = code if told["limit"]["requestsPerSecond"] else FAILED
    else:
        environment.process_exit_code, said = verdict(judge(environment.stats, SHAPES[asked.shape]), environment.own)
    print("\n".join(said), flush=True)
