"""What locust is given: the users, the shape that ``--shape`` names, the gates at the end.

locust -f loadtests/locustfile.py --headless --host http://127.0.0.1:8000 --key KEY --shape storm --processes 2
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from locust import LoadTestShape, User, events
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadtests.arrivals import Arrivals
from loadtests.gates import judge
from loadtests.limit import Steps, write_knee
from loadtests.onlookers import Map, Office, Recipient
from loadtests.phones import HttpPhone, ProofPhone, SocketPhone
from loadtests.shapes import ARRIVING, SHAPES, step
from loadtests.world import World

__all__ = ["Arrivals", "HttpPhone", "Map", "Office", "ProofPhone", "Recipient", "SocketPhone"]


class Chosen(LoadTestShape):
    """The shape that was asked for; to the limit, it ends a step after the limit was passed."""

    def tick(self) -> tuple[int, float, list[type[User]] | None] | None:
        """How many users there are to be now."""
        environment = self.runner.environment
        options, t = environment.parsed_options, self.get_run_time()
        shape = SHAPES[options.shape]
        if t > shape.seconds:
            return None
        if options.shape == "limit" and (done := step(t) - 1) > 0 and environment.steps.beyond(done - 1):
            return None
        kinds = [HttpPhone, SocketPhone, Map, Recipient, Office, Arrivals]
        if options.shape == "proofs":
            kinds.append(ProofPhone)
        return round(shape.users(t) * options.scale), shape.spawn_rate, kinds


@events.init_command_line_parser.add_listener
def options(parser: Any) -> None:
    """What the load tests ask beside locust's own options."""
    parser.add_argument("--key", env_var="CODRIVER_KEY", required=True, help="Tenant key of the account.")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="steady", help="The load.")
    parser.add_argument("--scale", type=float, default=1.0, help="So many times the users and arrivals.")
    parser.add_argument("--pace", type=float, default=20.0, help="Simulated seconds of the phones' days a second.")
    parser.add_argument("--limit-file", default="limit.json", help="Where --shape limit writes what it found.")


@events.init.add_listener
def begin(environment: Environment, **_: Any) -> None:
    """Count steps in every process, and have workers report theirs."""
    environment.steps = Steps()

    @environment.events.request.add_listener
    def request(name: str, response_time: float, exception: Any, **_: Any) -> None:
        if name == ARRIVING and hasattr(environment, "world"):
            environment.steps.count(environment.world.elapsed, response_time, exception)

    @environment.events.report_to_master.add_listener
    def report(data: dict[str, Any], **_: Any) -> None:
        data["steps"] = environment.steps.take()

    @environment.events.worker_report.add_listener
    def reported(data: dict[str, Any], **_: Any) -> None:
        environment.steps.add(data.get("steps", {}))


@events.test_start.add_listener
def start(environment: Environment, **_: Any) -> None:
    """Every process that has users needs a world."""
    if not isinstance(environment.runner, MasterRunner):
        environment.world = World(environment)


@events.quitting.add_listener
def end(environment: Environment, **_: Any) -> None:
    """The gates, or the limit; the exit code says whether they were passed."""
    if isinstance(environment.runner, WorkerRunner):
        return
    if environment.parsed_options.shape == "limit":
        done = max(environment.steps.times, default=0)
        print(write_knee(environment.steps, done, Path(environment.parsed_options.limit_file)))
        environment.process_exit_code = 0 if done > 0 else 1
        return
    found = judge(environment, SHAPES[environment.parsed_options.shape])
    for each in found:
        print(f"GATE {each}")
    environment.process_exit_code = 1 if found else 0
