"""Many sends at once; several loops, threads and processes; sends that are cancelled in the middle."""

import asyncio
import gc
import json
import os
import signal
import threading
import traceback

import pytest

from helpers.command_line import eventually, wait_until
from helpers.fault_server import Answer, FaultServer, Hang
from helpers.project import make_project, takes
from metrix_channels import Notifier
from metrix_channels.errors import MetrixChannelsError, OutcomeUnknown, Unreachable, UsageError


def test_many_sends_at_once(tmp_path):
    """200 of them at a concurrency of 32: all accepted, each recipient once, never more in flight than agreed.

    Nor are more written down as under way: after a crash only those in flight are in doubt.
    """
    lock, now, most, unsettled = threading.Lock(), 0, 0, []

    class Slow:
        def play(self, conversation):
            nonlocal now, most
            with lock:
                now += 1
                most = max(most, now)
                if len(unsettled) < 3:  # under the lock: a crowd of readers would keep the ledger from writing
                    [(count,)] = project.query("SELECT count(*) FROM attempts WHERE ended_at IS NULL")
                    unsettled.append(count)
            conversation.stopping.wait(0.01)
            with lock:
                now -= 1
            return Answer().play(conversation)

    async def run():
        async with project.notifier() as notifier:
            sends = [notifier.send("sms", f"u{number}", "hello", {"name": "x"}) for number in range(200)]
            return await asyncio.gather(*sends)

    with FaultServer([Slow()]) as server:
        project = make_project(tmp_path, server.url)
        receipts = asyncio.run(run())
    assert {receipt.outcome for receipt in receipts} == {"accepted"}
    sent = [recipient for request in server.requests for recipient in json.loads(request.body)["recipients"]]
    assert sorted(sent) == sorted(f"u{number}" for number in range(200))
    assert most <= 32
    # An acceptance is written down with the next intent, so a few that have ended may still look open.
    assert max(unsettled) <= 64


def test_a_send_that_finds_no_free_place_ends_at_its_deadline(tmp_path):
    """Waiting for its turn counts; nothing of it left, and nothing is in doubt."""

    async def run(project):
        async with project.notifier() as notifier:
            sends = [notifier.send("sms", f"u{number}", "hello", {"name": "x"}) for number in range(12)]
            return await asyncio.gather(*sends, return_exceptions=True)

    with FaultServer([Hang()]) as server, takes(1, 30):
        project = make_project(tmp_path, server.url, concurrency=2, timeout="2s", deadline="2s")
        errors = asyncio.run(run(project))
    outcomes = [error.receipt.outcome for error in errors]
    made = len(server.requests)  # two; a slow machine gives later sends a moment after the first have ended
    assert outcomes.count("unknown") == made in range(2, 12)
    assert outcomes.count("not_sent") == 12 - made
    assert {error.code for error in errors} == {"outcome_unknown", "deadline_passed"}
    assert {error.receipt.attempts for error in errors if error.code == "deadline_passed"} == {0}
    assert project.query("SELECT count(*) FROM attempts") == [(made,)]


def test_a_rate_limit_beyond_the_deadline_ends_the_send(tmp_path):
    """The turn would come too late."""
    with FaultServer() as server, takes(0, 15):
        project = make_project(tmp_path, server.url, rate_limit="1/m", deadline="10s")
        assert project.send().outcome == "accepted"
        error = project.error()
    assert (error.code, error.exit_status, error.receipt.outcome) == ("unavailable", 4, "not_sent")
    assert len(server.requests) == 1


# -- loops, threads, forks


# The connection of a loop that has ended cannot be closed any more, only be collected.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_one_notifier_in_two_event_loops(tmp_path):
    """Each with waits, places and a connection of its own."""
    with FaultServer([Answer(503), Answer(), Answer(), Answer(503), Answer(), Answer()]) as server:
        project = make_project(tmp_path, server.url, concurrency=1)
        notifier = project.notifier()

        async def once(key):
            sends = [notifier.send("sms", who, "hello", {"name": "x"}, key=key + who) for who in ("u1", "u2")]
            return sum(receipt.attempts for receipt in await asyncio.gather(*sends))

        async def last():
            try:
                return await once("second")
            finally:
                await notifier.close()

        assert asyncio.run(once("first")) == 3
        assert asyncio.run(last()) == 3
        gc.collect()


# The connection of a loop that has ended cannot be closed any more, only be collected.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_events_of_one_notifier_in_two_event_loops(tmp_path):
    """They too have places of their own in each loop; without a send before them."""
    with FaultServer() as server:
        notifier = make_project(tmp_path, server.url, concurrency=1).notifier()

        async def together():
            receipts = await asyncio.gather(*(notifier.track(f"u{number}", name="page_seen") for number in range(3)))
            return [receipt.outcome for receipt in receipts]

        async def last():
            try:
                return await together()
            finally:
                await notifier.close()

        assert asyncio.run(together()) == asyncio.run(last()) == ["accepted"] * 3
        gc.collect()


def test_one_notifier_in_two_running_event_loops_is_refused(tmp_path):
    """Each would use the connections of the other, so that requests fail and are repeated; one of them goes on."""
    calls = {
        "send": lambda notifier: notifier.send("sms", "u1", "hello", {"name": "x"}),
        "track": lambda notifier: notifier.track("u1", name="page_seen"),
        "track_many": lambda notifier: notifier.track_many([{"user": "u1", "name": "page_seen"}]),
        "drain": lambda notifier: notifier.drain(),
        "run_campaign": lambda notifier: notifier.run_campaign("offer.yaml"),
    }
    with FaultServer() as server:
        notifier = make_project(tmp_path, server.url).notifier()

        async def main():
            assert (await calls["send"](notifier)).attempts == 1
            for call in calls.values():
                with pytest.raises(UsageError, match="another event loop"):
                    await asyncio.to_thread(lambda call=call: asyncio.run(call(notifier)))
            assert (await calls["send"](notifier)).attempts == 1
            await notifier.close()

        asyncio.run(main())
    assert len(server.requests) == 2


def test_a_call_during_the_end_of_a_notifier_waits_for_it(tmp_path):
    """Then it opens a loop of its own; both loops never run at once."""
    answered, may_end = threading.Event(), threading.Event()
    receipts = []

    class Later:
        def play(self, conversation):
            answered.set()
            may_end.wait(60)
            return Answer().play(conversation)

    with FaultServer([Later(), Answer()]) as server:
        notifier = Notifier.from_config(make_project(tmp_path, server.url).config)

        def send(recipient):
            receipts.append(notifier.send("sms", recipient, "hello", {"name": "x"}))

        first, end, second = (
            threading.Thread(target=work, args=arguments, daemon=True)
            for work, arguments in ((send, ("u1",)), (notifier.close, ()), (send, ("u2",)))
        )
        first.start()
        assert answered.wait(60)
        end.start()
        wait_until(lambda: notifier._portal._loop is None)
        second.start()
        may_end.set()
        for thread in (first, end, second):
            thread.join(60)
        assert not second.is_alive()
        notifier.close()
    assert [receipt.attempts for receipt in receipts] == [1, 1]


def test_stopped_stays_stopped_in_the_next_loop(tmp_path):
    """Until it is closed."""
    with FaultServer() as server:
        notifier = make_project(tmp_path, server.url).notifier()

        async def once():
            return await notifier.send("sms", "u1", "hello", {"name": "x"})

        async def stopped():
            notifier.stop()
            with pytest.raises(Unreachable):
                await once()

        asyncio.run(stopped())
        asyncio.run(stopped())
        assert server.requests == []
        asyncio.run(notifier.close())


def test_one_notifier_in_eight_threads(tmp_path):
    """All of them send."""
    outcomes = []
    with FaultServer() as server, Notifier.from_config(make_project(tmp_path, server.url).config) as notifier:

        def work(thread):
            for number in range(10):
                receipt = notifier.send("sms", f"u{thread}-{number}", "hello", {"name": "x"})
                outcomes.append(receipt.outcome)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert outcomes == ["accepted"] * 80
    assert len({json.loads(request.body)["recipients"][0] for request in server.requests}) == 80


def test_closing_waits_for_sends_of_other_threads(tmp_path):
    """None of them hangs, and what was under way gets its outcome."""
    answered = threading.Event()
    receipts = []

    class Later:
        def play(self, conversation):
            answered.set()
            conversation.stopping.wait(0.2)
            return Answer().play(conversation)

    with FaultServer([Later()]) as server:
        notifier = Notifier.from_config(make_project(tmp_path, server.url).config)
        thread = threading.Thread(
            target=lambda: receipts.append(notifier.send("sms", "u1", "hello", {"name": "x"})), daemon=True
        )
        thread.start()
        assert answered.wait(60)
        notifier.close()
        thread.join(60)
        assert not thread.is_alive()
    assert [receipt.outcome for receipt in receipts] == ["accepted"]


def test_an_exception_from_a_signal_handler_ends_the_send(tmp_path):
    """Such as SystemExit: the caller is gone, so nothing further is attempted."""

    class Enough(Exception):
        pass

    def enough(number, frame):
        raise Enough

    def busy(_request):
        if len(server.requests) == 2:
            os.kill(os.getpid(), signal.SIGALRM)
        return Hang() if len(server.requests) == 2 else Answer(503)

    before = signal.signal(signal.SIGALRM, enough)
    try:
        with FaultServer(busy) as server:
            project = make_project(tmp_path, server.url, max_attempts=100)
            with Notifier.from_config(project.config) as notifier:
                with pytest.raises(Enough):
                    notifier.send("sms", "u1", "hello", {"name": "x"})
                asyncio.run(asyncio.sleep(0.5))  # many a next attempt would have come
                assert len(server.requests) == 2
    finally:
        signal.signal(signal.SIGALRM, before)


def in_a_child(work):
    """Run `work` in a forked child, and return its exit status, or what ended it."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(60)
            work()
            status = 0
        except BaseException:  # noqa: BLE001 - the child must not go on as a second test run
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_both_sides_of_a_fork_send(tmp_path):
    """The parent before and after, the child in between; nothing is shared that both would use."""
    with FaultServer() as server, Notifier.from_config(make_project(tmp_path, server.url).config) as notifier:

        def send(who):
            return notifier.send("sms", who, "hello", {"name": "x"}, key=who)

        def child():
            assert send("child").outcome == "accepted"
            assert send("parent") == first
            notifier.close()

        first = send("parent")
        assert in_a_child(child) == 0
        assert send("parent") == first
        assert send("parent-again").outcome == "accepted"
    assert [json.loads(request.body)["recipients"] for request in server.requests] == [
        ["parent"],
        ["child"],
        ["parent-again"],
    ]
    assert len({request.connection for request in server.requests}) >= 2


def test_forks_in_the_middle_of_sends(tmp_path):
    """Whatever another thread holds at that moment, neither side waits for it for ever."""
    stop = threading.Event()
    failures = []
    with FaultServer() as server, Notifier.from_config(make_project(tmp_path, server.url).config) as notifier:

        def parent():
            number = 0
            while not stop.is_set():
                number += 1
                try:
                    notifier.send("sms", f"p{number}", "hello", {"name": "x"}, key=f"p{number}")
                except MetrixChannelsError as error:
                    failures.append(error)

        threads = [threading.Thread(target=parent) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            for number in range(12):
                send = lambda name=f"c{number}": notifier.send("sms", name, "hello", {"name": "x"})  # noqa: E731
                assert in_a_child(send) == 0
        finally:
            stop.set()
            for thread in threads:
                thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert failures == []


# -- cancelled in the middle


async def cancelled(notifier, when, **settings):
    """Start a send, cancel it when `when` is true, and see that it ends."""
    task = asyncio.create_task(notifier.send("sms", "u1", "hello", {"name": "x"}, **settings))
    await eventually(when)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("mode", ["hold", "retry"])
def test_a_send_cancelled_in_the_middle_stays_in_doubt(tmp_path, mode):
    """The next call with its key: hold makes it unknown, retry sends again and says so."""
    with FaultServer([Hang(), Answer()]) as server:
        project = make_project(tmp_path, server.url, on_ambiguous=mode)

        async def run():
            async with project.notifier() as notifier:
                await cancelled(notifier, lambda: server.requests, key="k")
                assert project.query("SELECT disposition, ended_at FROM attempts") == [(None, None)]
                return await notifier.send("sms", "u1", "hello", {"name": "x"}, key="k")

        if mode == "hold":
            with pytest.raises(OutcomeUnknown) as caught:
                asyncio.run(run())
            assert caught.value.receipt.outcome == "unknown"
            assert len(server.requests) == 1
        else:
            receipt = asyncio.run(run())
            assert (receipt.outcome, receipt.attempts, receipt.possible_duplicate) == ("accepted", 2, True)
            assert len(server.requests) == 2


@pytest.mark.parametrize("turns", range(12))
def test_a_send_cancelled_at_any_moment_leaves_its_key_usable(tmp_path, turns):
    """Also while the ledger writes: nobody waits for a call that is no more."""
    with FaultServer() as server:
        project = make_project(tmp_path, server.url)

        async def run():
            async with project.notifier() as notifier:
                await notifier.send("sms", "u0", "hello", {"name": "x"})
                left = iter(range(turns))
                task = asyncio.create_task(notifier.send("sms", "u1", "hello", {"name": "x"}, key="k"))
                for _ in left:
                    await asyncio.sleep(0.0005 if turns > 6 else 0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                return await notifier.send("sms", "u1", "hello", {"name": "x"}, key="k")

        assert asyncio.run(run()).outcome == "accepted"
