"""What a run does when Metrix, or the way to it, fails: at what cost, and in what state it is left."""

import asyncio
import itertools
import json
import sqlite3
import threading
import time
from contextlib import closing

import pytest

from helpers.accounting_server import AccountingServer, Taken, always
from helpers.campaigns import balance, people
from helpers.fault_server import refusing_address
from metrix_channels import AsyncNotifier, ChannelUnverified


def run(project, campaign="offer", **options):
    """Run a campaign in this process and return its status as JSON."""
    with project.notifier() as notifier:
        found = notifier.campaigns.run(project.folder / f"{campaign}.yaml", **options).as_dict()
    assert balance(found) == 0
    return found


def test_equal_texts_share_a_request(project):
    """5,000 recipients with five first names cost 50 requests at 100 a request."""
    with AccountingServer() as server:
        project.configure(server.url, batch_size=100)
        project.audience(people(5000))
        project.campaign()
        found = run(project)
    assert (found["state"], found["accepted"], found["requests"], len(server.requests)) == ("finished", 5000, 50, 50)
    assert server.twice == set()
    assert server.texts["u1"] == {"body": "سلام رضا"}


def test_no_more_requests_at_once_than_configured(project):
    """`concurrency` bounds what may be in doubt after a crash."""
    with AccountingServer(seconds=0.02) as server:
        project.configure(server.url, batch_size=1, concurrency=5)
        project.audience(people(60))
        project.campaign()
        run(project)
    assert 2 <= server.most_at_once <= 5


def test_what_never_left_is_no_request(project):
    """Nothing listens there: attempts were made, and no byte left."""
    project.configure("http://127.0.0.1:1", batch_size=1, concurrency=2)
    project.audience(people(3))
    project.campaign()
    found = run(project)
    assert (found["state"], found["requests"], found["pending"]) == ("halted", 0, 3)


@pytest.mark.parametrize("answer", [Taken(503, taken=False), Taken(500), Taken(0)], ids=["503", "500", "drop"])
def test_a_total_outage_costs_few_requests(project, answer):
    """At most max(20 + concurrency, 1.1 x batches); the run halts, and goes on when Metrix is back."""
    with AccountingServer(always(answer)) as server:
        project.configure(server.url, batch_size=1, concurrency=8)
        project.audience(people(300))
        project.campaign()
        found = run(project)
        assert (found["state"], found["halted_by"]["code"]) == ("halted", "outage")
        assert len(server.requests) <= max(20 + 8, 1.1 * 300)
        assert len(server.requests) <= 20 + 8
        server.script = always(Taken())
        again = run(project)
    assert (again["state"], again["accepted"]) == ("finished", 300)
    assert len(server.twice) <= again["possible_duplicates"]


def test_nobody_listens(project):
    """Nothing was sent, so nothing is in doubt."""
    with refusing_address() as url:
        project.configure(url, batch_size=10)
        project.audience(people(500))
        project.campaign()
        found = run(project)
    assert (found["state"], found["pending"], found["possible_duplicates"]) == ("halted", 500, 0)


@pytest.mark.parametrize("status", [401, 403, 404, 405, 307])
def test_what_no_request_can_pass_halts_at_once(project, status):
    """Those under way end; nobody is rejected for it."""
    with AccountingServer(always(Taken(status, taken=False, headers={"Location": "http://127.0.0.1:1/"}))) as server:
        project.configure(server.url, batch_size=1, concurrency=4)
        project.audience(people(100))
        project.campaign()
        found = run(project)
        assert (found["state"], found["rejected"], found["pending"]) == ("halted", 0, 100)
        assert len(server.requests) <= 4
        server.script = always(Taken())
        assert run(project)["accepted"] == 100
    assert server.twice == set()


def test_one_bad_recipient_costs_the_others_nothing(project):
    """Found by halving: the other 499 are accepted, with few extra requests."""

    def refuse(recipients, _message, _body):
        return Taken(400, taken=False) if "u123" in recipients else Taken()

    with AccountingServer(refuse) as server:
        project.configure(server.url, batch_size=500)
        project.audience(people(500, names=("سارا",)))
        project.campaign()
        found = run(project)
        rows = {row.recipient: row for row in project_rows(project)}
    assert (found["state"], found["accepted"], found["rejected"]) == ("finished_with_errors", 499, 1)
    assert (rows["u123"].outcome, rows["u123"].status_code) == ("rejected", 400)
    assert len(server.requests) <= 20


def project_rows(project, campaign="offer"):
    with project.notifier() as notifier:
        return list(notifier.campaigns.rows(campaign))


def test_without_halving_a_refused_batch_is_unknown(project):
    """Nobody knows whom of it Metrix refused."""
    with AccountingServer(always(Taken(400, taken=False))) as server:
        project.configure(server.url, batch_size=10, split_refused=False)
        project.audience(people(10, names=("سارا",)))
        project.campaign()
        assert run(project)["unknown"] == 10


@pytest.mark.parametrize("names", [("سارا",), tuple(f"نام{n}" for n in range(1000))], ids=["one text", "many texts"])
def test_a_message_at_fault_is_found_out_on_few_requests(project, names):
    """The run halts instead of rejecting everybody one by one."""
    with AccountingServer(always(Taken(400, taken=False))) as server:
        project.configure(server.url, batch_size=50, concurrency=4)
        project.audience(people(1000, names=names))
        project.campaign()
        found = run(project)
    assert (found["state"], found["halted_by"]["code"]) == ("halted", "message_refused")
    assert found["rejected"] <= 25
    assert len(server.requests) <= 60


def test_requests_shrink_until_they_fit(project):
    """413: what is too large is divided, and what follows is made smaller before it is sent."""

    def fits(recipients, _message, _body):
        return Taken(413, taken=False) if len(recipients) > 30 else Taken()

    with AccountingServer(fits) as server:
        project.configure(server.url, batch_size=200, concurrency=1)
        project.audience(people(2000, names=("سارا",)))
        project.campaign()
        found = run(project)
    assert (found["state"], found["accepted"]) == ("finished", 2000)
    refused = [each for each in server.requests if len(each) > 30]
    assert len(refused) <= 4


def test_a_web_page_with_200_is_not_believed(project):
    """Three in a row: something answers in Metrix's place."""
    page = Taken(200, body=b"<html>Welcome to the hotel</html>")
    with AccountingServer(always(page)) as server:
        project.configure(server.url, batch_size=1, concurrency=1)
        project.audience(people(50))
        project.campaign()
        found = run(project)
    assert (found["state"], found["halted_by"]["code"]) == ("halted", "answers_unreadable")
    assert (found["unknown"], len(server.requests)) == (3, 3)


def test_retry_after_pauses_the_whole_run(project):
    """Then one request tries whether that was long enough; it counts as one failure, however many were under way."""
    answers = iter([Taken(429, taken=False, headers={"Retry-After": "1"})] * 4)
    times = []

    def busy(_recipients, _message, _body):
        times.append(time.monotonic())
        return next(answers, Taken())

    with AccountingServer(busy) as server:
        project.configure(server.url, batch_size=1, concurrency=4)
        project.audience(people(30))
        project.campaign()
        found = run(project)
    assert (found["state"], found["accepted"], found["possible_duplicates"]) == ("finished", 30, 0)
    assert times[4] - times[3] >= 0.9
    assert server.twice == set()


def test_hold_never_repeats_a_doubtful_request(project):
    """Who may have it is unknown, and nobody gets it twice."""
    answers = iter([Taken(0), Taken(500), Taken(0)])
    with AccountingServer(lambda *_: next(answers, Taken())) as server:
        project.configure(server.url, on_ambiguous="hold", batch_size=1, concurrency=1)
        project.audience(people(20))
        project.campaign()
        found = run(project)
        assert (found["state"], found["unknown"], found["accepted"]) == ("finished_with_errors", 3, 17)
        assert server.twice == set()
        with project.notifier() as notifier:
            again = notifier.campaigns.retry("offer", "unknown").as_dict()
    assert (again["state"], again["unknown"], again["accepted"], again["possible_duplicates"]) == ("finished", 0, 20, 3)
    assert len(server.twice) == 3


@pytest.mark.parametrize("approved", [False, True])
def test_a_doubt_from_before_is_held_once_that_is_asked_for(project, approved):
    """Halted in the middle of repetitions: on_ambiguous counts as it is when the run goes on.

    Who approved of a doubtful batch approved of one more request for it, and not of whatever becomes of that one.
    """
    with AccountingServer(always(Taken(500))) as server:
        project.configure(server.url, batch_size=1, concurrency=1)
        project.audience(people(1))
        if approved:
            project.campaign(on_ambiguous="hold")
            assert run(project)["unknown"] == 1
        project.campaign(on_ambiguous="retry")
        answers = iter([Taken(500), Taken(403, taken=False)])
        server.script = lambda *_: next(answers)
        if approved:
            with project.notifier() as notifier:
                halted = notifier.campaigns.retry("offer", "unknown").as_dict()
        else:
            halted = run(project)
        assert (halted["state"], halted["pending"]) == ("halted", 1)
        made = len(server.requests)
        server.script = always(Taken())
        project.campaign(on_ambiguous="hold")
        found = run(project)
    assert (found["state"], found["unknown"], found["accepted"]) == ("finished_with_errors", 1, 0)
    assert len(server.requests) == made


def test_a_refusal_after_a_doubt_is_unknown(project):
    """The first request may have been taken: that Metrix refuses the second one settles nothing."""
    answers = iter([Taken(500), Taken(400, taken=False)])
    with AccountingServer(lambda *_: next(answers)) as server:
        project.configure(server.url, batch_size=1, concurrency=1)
        project.audience(people(1))
        project.campaign()
        found = run(project)
    assert (found["unknown"], found["rejected"], len(server.requests)) == (1, 0, 2)


def test_who_may_have_it_twice_is_counted_once(project):
    """However often the batch was repeated."""
    answers = iter([Taken(500), Taken(500), Taken(0), Taken()])
    with AccountingServer(lambda *_: next(answers)) as server:
        project.configure(server.url, batch_size=3, concurrency=1)
        project.audience(people(3, names=("سارا",)))
        project.campaign()
        found = run(project)
    assert (found["accepted"], found["possible_duplicates"], found["requests"]) == (3, 3, 4)


def test_repetitions_have_a_budget(project):
    """20, and a tenth of the first requests: also where every other one is taken, and nothing looks like an outage."""
    seen = set()

    def every_other(recipients, _message, _body):
        [recipient] = recipients
        first = recipient not in seen
        seen.add(recipient)
        return Taken(500, taken=False) if first and int(recipient[1:]) % 2 else Taken()

    with AccountingServer(every_other) as server:
        project.configure(server.url, batch_size=1, concurrency=1)
        project.audience(people(200, names=("سارا",)))
        project.campaign()
        found = run(project)
    assert (found["state"], found["halted_by"]["code"]) == ("halted", "retries_spent")
    assert len(server.requests) - len(seen) <= 20 + 0.1 * len(seen) + 1


def test_campaigns_of_one_process_share_its_places(project):
    """However many run beside each other: `concurrency` is of the process."""

    async def both():
        async with AsyncNotifier.from_config(project.config) as notifier:
            files = [project.folder / f"{name}.yaml" for name in ("one", "two")]
            return await asyncio.gather(*map(notifier.run_campaign, files))

    with AccountingServer(seconds=0.02) as server:
        project.configure(server.url, batch_size=1, concurrency=2)
        project.audience(people(30))
        for name in ("one", "two"):
            project.campaign(name)
        assert [each.accepted for each in asyncio.run(both())] == [30, 30]
    assert server.most_at_once == 2


def test_the_parts_of_a_batch_are_sent_once(project):
    """They are in the ledger, too, where the run goes on to look for what is left while they wait for another try."""
    tries = iter([Taken(413, taken=False), *[Taken(503, taken=False)] * 3])

    def divided(recipients, _message, _body):
        return next(tries, Taken()) if "u5" in recipients else Taken()

    with AccountingServer(divided, seconds=0.02) as server:
        project.configure(server.url, batch_size=500, concurrency=8)
        project.audience(people(40_000, names=("سارا",)))
        project.campaign()
        found = run(project)
    assert (found["state"], found["accepted"], found["possible_duplicates"]) == ("finished", 40_000, 0)
    assert server.twice == set()
    [(counts,)] = looked_up(project, "SELECT counts FROM run_counts")
    assert json.loads(counts)["sending"] == 0


def looked_up(project, sql):
    with closing(sqlite3.connect(project.folder / "metrix-channels.db")) as ledger:
        return ledger.execute(sql).fetchall()


def test_of_a_long_answer_the_beginning_is_kept(project):
    """A page that a proxy answers to every request would fill the disk."""
    with AccountingServer(always(Taken(400, taken=False, body=b"why" * 10_000))) as server:
        project.configure(server.url, batch_size=1, concurrency=1)
        project.audience(people(1))
        project.campaign()
        run(project)
    assert looked_up(project, "SELECT substr(answer, 1, 3), length(answer) FROM failed_attempts") == [("why", 2_000)]


def test_too_many_failures_halt_it(project):
    """limits.max_failures; raised, it goes on."""
    answers = iter([Taken(400, taken=False)] * 3)
    with AccountingServer(lambda *_: next(answers, Taken())) as server:
        project.configure(server.url, batch_size=1, concurrency=1)
        project.audience(people(40))
        project.campaign(limits={"max_failures": 2})
        found = run(project)
        assert (found["state"], found["halted_by"]["code"]) == ("halted", "too_many_failures")
        assert found["rejected"] == 3
        project.campaign(limits={"max_failures": 5})
        assert run(project)["accepted"] == 37


def test_the_first_go_alone(project):
    """canary: the others follow only when few of them failed."""
    with AccountingServer(always(Taken(400, taken=False))) as server:
        project.configure(server.url, batch_size=10, concurrency=4)
        project.audience(people(100))
        project.campaign(canary=4)
        found = run(project)
        assert (found["state"], found["halted_by"]["code"], found["rejected"]) == ("halted", "canary_failed", 4)
        assert {recipient for request in server.requests for recipient in request} == {"u0", "u1", "u2", "u3"}
        server.script = always(Taken())
        project.campaign(canary=4, limits={"max_failures": 4})
        assert run(project)["accepted"] == 96


def test_a_rate_is_kept(project):
    """Requests a second; the lower of both rates wins."""
    with AccountingServer() as server:
        project.configure(server.url, batch_size=1, rate_limit="1000/s")
        project.audience(people(21))
        project.campaign(limits={"rate": "40/s"})
        began = time.monotonic()
        assert run(project)["accepted"] == 21
    assert time.monotonic() - began >= 0.5


def test_an_untested_channel_is_refused(project):
    """No request, and no run."""
    with AccountingServer() as server:
        project.configure(server.url, verified=False)
        project.audience(people(10))
        project.campaign()
        with pytest.raises(ChannelUnverified), project.notifier() as notifier:
            notifier.run_campaign(project.folder / "offer.yaml")
        with project.notifier() as notifier:
            assert notifier.campaigns.all() == []
    assert server.requests == []


def test_a_withdrawn_verification_halts_it(project):
    """Looked at again before each claim."""
    limits = {"batch_size": 1, "concurrency": 2}
    count, lock = itertools.count(1), threading.Lock()

    def withdraw(_recipients, _message, _body):
        with lock:
            if next(count) == 8:
                project.configure(server.url, verified=False, **limits)
        return Taken()

    with AccountingServer(withdraw, seconds=0.02) as server:
        project.configure(server.url, **limits)
        project.audience(people(400))
        project.campaign()
        found = run(project)
        made = len(server.requests)
    assert (found["state"], found["halted_by"]["code"]) == ("halted", "channel_unverified")
    assert found["pending"] == 400 - made > 0


def test_a_channel_that_was_tested_in_another_application_halts_the_run(project):
    """A record that says so is edited in while the run goes on: the next claim is refused.

    Each answer takes longer than the time for which one look at the file serves.
    """
    limits = {"batch_size": 1, "concurrency": 1}

    def edit(_recipients, _message, _body):
        project.configure(server.url, verified={"at": "2026-01-02", "app_id": "another"}, **limits)
        return Taken()

    with AccountingServer(edit, seconds=0.02) as server:
        project.configure(server.url, verified={"at": "2026-01-02", "app_id": "app"}, **limits)
        project.audience(people(20))
        project.campaign()
        found = run(project)
    assert (found["state"], found["halted_by"]["code"]) == ("halted", "verification_foreign")
    assert len(server.requests) == 1
