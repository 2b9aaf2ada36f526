"""On a cluster, too, nothing says of a recipient whom a request may have reached that it was not sent to."""

import pytest

from helpers.accounting_server import AccountingServer, Taken
from helpers.campaigns import balance, people
from helpers.cluster import Workers, on_postgres


@pytest.mark.parametrize("excluded", [("u0", "u2"), ("u0", "u1", "u2", "u3")], ids=["some", "all"])
def test_who_opts_out_after_an_attempt_in_doubt_is_unknown(project, postgres_url, excluded):
    """The list is read on resume; a later campaign knows that they may have the message."""
    answers = iter([Taken(500), Taken(403, taken=False)])
    with AccountingServer(lambda *_: next(answers, Taken())) as server, Workers(project) as workers:
        project.configure(server.url, batch_size=10, concurrency=1)
        on_postgres(project, postgres_url)
        project.audience(people(4, names=("سارا",)))
        optout = project.folder / "optout.csv"
        optout.write_text("customUserId\n")
        project.campaign(suppress=["optout.csv"])
        workers.start()
        halted = project.run("run", "offer.yaml", "--yes").document
        assert (halted["state"], halted["pending"]) == ("halted", 4)

        optout.write_text("\n".join(["customUserId", *excluded]) + "\n")
        ended = project.run("resume", "offer").document
        assert (ended["unknown"], ended["skipped"], ended["pending"]) == (len(excluded), {}, 0)
        assert (ended["accepted"], balance(ended)) == (4 - len(excluded), 0)
        assert all(server.account[who] == 1 for who in excluded)

        project.audience(people(5, names=("سارا",)))
        project.campaign("rest", audience={"file": "audience.csv", "except": ["offer"]})
        rest = project.run("run", "rest.yaml", "--yes").document
        assert (rest["accepted"], rest["skipped"]) == (1, {"suppressed": 4})
