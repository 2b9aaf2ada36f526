"""Every wait before a request, and everything that may forbid the request, in random order and on a simulated clock."""

import asyncio
import random
from datetime import UTC, datetime, time
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from attrs import define, field

from helpers.simulated_time import SimulatedLoop, run, wall_clock
from helpers.verdicts import judged
from metrix_channels.api import Reply
from metrix_channels.campaign.definition import QuietHours
from metrix_channels.campaign.dispatch.dispatcher import Dispatch, DispatchDeps, DispatchLimits
from metrix_channels.delivery import CircuitBreaker, Holdback, Policy, ProcessLimit, RateLimiter
from metrix_channels.errors import problem
from metrix_channels.ledger import BatchState, Committed, ControlRequest, Counts, RunClaim, Shard
from metrix_channels.ledger.runs.batches import DOUBT, REPEATED, new_statuses
from metrix_channels.models import OnAmbiguous
from metrix_channels.process import wall_clock as wall

QUIET = QuietHours(from_=time(22, 0), to=time(22, 1), timezone=ZoneInfo("UTC"))
BEFORE_QUIET = datetime(2026, 11, 20, 21, 59, 40, tzinfo=UTC).timestamp()
MESSAGE = b'{"text":"hello"}'
ROWS = 40


@define
class Claim(RunClaim):
    """A run in memory, whose disk takes as long as it likes.

    Attributes:
        shard: all of it.
        chance: how long a commit takes.
        slowest: seconds of a commit.
        control: what another process asks for.
    """

    shard: Shard
    chance: random.Random
    slowest: float
    control: ControlRequest | None = None

    @property
    def is_held(self):
        return True

    async def next_shards(self, after, *, canary, limit):
        return [] if canary or after else [self.shard]

    async def commit(self, changes, counts):
        await asyncio.sleep(self.chance.uniform(0, self.slowest))
        return Committed([], self.control)

    async def become(self, state):
        return

    async def requested_control(self):
        return self.control


@define
class World:
    """What surrounds a dispatch: a Metrix that keeps account of what may not be, and all that may forbid requests.

    Attributes:
        chance: decides everything.
        clock: the loop's.
        claim: the run.
        rate: requests a second; None for no limit.
    """

    chance: random.Random
    clock: object
    claim: Claim
    rate: float | None
    stop: asyncio.Event = field(factory=asyncio.Event)
    withdrawn_at: float | None = None
    asked_at: float | None = None
    held_until: float = 0.0
    must_probe: bool = False
    probe: int | None = None
    sent: list = field(factory=list)
    busy: float = 0.0
    wrong: list = field(factory=list)

    def admit(self):
        return None if self.withdrawn_at is None else problem("channel_unverified", "Withdrawn.")

    async def screen(self, recipients):
        await asyncio.sleep(self.chance.uniform(0, self.claim.slowest))
        return {}

    async def post(self, batch, body, seconds):
        now = self.clock()
        self.look(now)
        self.sent.append((now, batch.slot))
        if self.must_probe:
            self.must_probe, self.probe = False, batch.slot
        await asyncio.sleep(self.chance.uniform(0.01, 1.0))
        if self.probe == batch.slot:
            self.probe = None
        if self.chance.random() < self.busy:
            asked = self.chance.choice([0, 3, 20])
            self.held_until, self.must_probe = max(self.held_until, self.clock() + asked), True
            exchange = Reply(429, retry_after=str(asked))
        else:
            exchange = Reply(200)
        return exchange, judged(exchange)

    def look(self, now):
        """Note what forbids a request that leaves now."""
        if self.stop.is_set():
            self.wrong.append("stopped")
        if self.withdrawn_at is not None and now > self.withdrawn_at + 0.011:  # requests of one moment share a look
            self.wrong.append("withdrawn")
        if self.asked_at is not None and now > self.asked_at + 0.51:  # other processes are heard twice a second
            self.wrong.append("paused")
        if wall.now().hour == 22 and wall.now().minute == 0:
            self.wrong.append("quiet")
        if now < self.held_until:
            self.wrong.append("held back")
        if self.probe is not None:
            self.wrong.append("beside the one that tries alone")

    async def happen(self, wall_time):
        """Let something begin or end now and then."""
        while True:
            await asyncio.sleep(self.chance.expovariate(1 / 15))
            match self.chance.choice(["clock", "busy", "calm", "clock", "final"]):
                case "clock":
                    wall_time.ahead += self.chance.choice([-7200, -30, 30, 7200, BEFORE_QUIET - wall_time() + 15])
                case "busy":
                    self.busy = 0.3
                case "calm":
                    self.busy = 0.0
                case "final" if self.chance.random() < 0.2:
                    match self.chance.choice(["stop", "withdraw", "pause"]):
                        case "stop":
                            self.stop.set()
                        case "withdraw":
                            self.withdrawn_at = self.clock()
                        case "pause":
                            self.claim.control, self.asked_at = ControlRequest.PAUSE, self.clock()
                    return


def shard_of(statuses):
    """Return a shard with a batch for each recipient."""
    return Shard.opened(1, False, [({}, [f"u{at}"]) for at in range(ROWS)], statuses)


def made(chance, loop):
    """Return a world and a dispatch in it."""
    claim = Claim(shard_of(new_statuses(ROWS)), chance, chance.choice([0.001, 0.02, 0.3, 5.0]))
    world = World(chance, loop.time, claim, chance.choice([None, 0.5, 2.0, 30.0]))
    counts = Counts(rows=ROWS, pending=ROWS, batches=ROWS)
    record = SimpleNamespace(counts=counts, facts={"canary": 0}, waits_after_canary=False)
    limits = DispatchLimits(Policy(1_000, 10.0, OnAmbiguous.RETRY), chance.choice([1, 8]), None, 0)
    breaker = CircuitBreaker()
    breaker.began = lambda *, again: None  # a run halts when Metrix asks to wait too often: not what this is about
    breaker.failed = lambda verdict: None
    deps = DispatchDeps(
        post=world.post,
        admit=world.admit,
        rate_limiter=RateLimiter([] if world.rate is None else [ProcessLimit(world.rate)]),
        quiet=QUIET,
        screen=chance.choice([None, world.screen]),
        observe=lambda: None,
        stop=world.stop,
        places=asyncio.Semaphore(chance.choice([2, 8])),
        breaker=breaker,
        holdback=Holdback(loop.time),
    )
    renderer = SimpleNamespace(render_body=lambda values: MESSAGE)
    return world, record, Dispatch(record, claim, renderer, limits, deps)


def live(seed):
    """Let a dispatch go on while things happen; return its world, its counts and its ending."""
    loop, chance = SimulatedLoop(), random.Random(seed)

    async def main():
        with wall_clock(loop, BEFORE_QUIET + chance.uniform(-30, 90)) as wall_time:
            world, record, dispatch = made(chance, loop)
            happening = asyncio.create_task(world.happen(wall_time))
            ending = await dispatch.run()
            happening.cancel()
            return world, record.counts, ending

    return run(main(), loop)


def check(seed):
    """Nothing left that was forbidden; what did not leave is pending, as if it had never been declared."""
    world, counts, ending = live(seed)
    assert world.wrong == []
    if world.rate is not None:  # of each stretch of the schedule at most one request
        moments = [moment for moment, _ in world.sent]
        for first in range(len(moments)):
            for last in range(first + 2, len(moments)):
                assert moments[last] - moments[first] >= (last - first - 1) / world.rate - 0.04
    batches = shard_of(world.claim.shard.statuses).taken()
    assert counts.balance == counts.sending == counts.possible_duplicates == 0
    assert counts.requests == len(world.sent) == sum(batch.attempts for batch in batches)
    assert not any(batch.flags & (DOUBT | REPEATED) for batch in batches)
    assert {batch.state for batch in batches} <= {BatchState.PENDING, BatchState.ACCEPTED}
    if not (ending.problem or ending.control or ending.interrupted):
        assert counts.accepted == ROWS


@pytest.mark.parametrize("seed", range(40))
def test_no_request_leaves_while_something_forbids_it(seed):
    """Places, the disk, caps and backoffs are waited for; quiet hours, Retry-After, withdrawal, pause and stop come."""
    check(seed)


@pytest.mark.long
@pytest.mark.parametrize("first", range(0, 4_000, 200))
def test_no_request_leaves_while_something_forbids_it_in_thousands_of_orders(first):
    """The same, again and again."""
    for seed in range(first, first + 200):
        check(seed)
