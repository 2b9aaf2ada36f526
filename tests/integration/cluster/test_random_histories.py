"""Random histories of a campaign whose workers die after any commit: the report agrees with what Metrix accepted."""

import os

import pytest

from helpers.cluster import LEASE, Workers, on_postgres
from helpers.command_line import wait_until
from helpers.histories import History

SEED = int(os.environ.get("METRIX_CHANNELS_TEST_SEED", "1"))


class ClusterHistory(History):
    """One worker lives on; with each command comes another one, which dies."""

    commit = ("metrix_channels.ledger.postgres.sessions:Session", "commit")

    def __init__(self, project, url, seed, mode):
        super().__init__(project, seed, mode)
        self.url = url
        self.workers = Workers(project)

    def play(self, commands):
        with self.workers:
            super().play(commands)

    def configure(self, **settings):
        super().configure(**settings)
        on_postgres(self.project, self.url)
        self.workers.start()

    def started(self, *arguments, commits=0):
        commits_of_worker = self.chance.randrange(5, 60)
        self.log.append(commits_of_worker)
        with self.workers.log.open("ab") as log:
            options = ("worker", "--concurrency", "3", "--lease", f"{int(LEASE)}s")
            self.workers.processes.append(self.process(commits_of_worker, *options, stdout=log, stderr=log))
        detach = ["--detach"] if arguments[0] in ("run", "resume") else []
        return super().started(*arguments, *detach, commits=commits)

    def finished(self, process):
        status = super().finished(process)
        wait_until(self.is_at_rest, 90)
        wait_until(lambda: self.server.at_once == 0)
        return status

    def is_at_rest(self):
        with self.project.notifier() as notifier:
            states = {each.campaign: each.state for each in notifier.campaigns.all()}
        return states.get(self.name) not in ("planning", "running", "waiting")


def test_a_random_history(project, postgres_url):
    """A sample of `make long`."""
    ClusterHistory(project, postgres_url, SEED, "either").play(3)


@pytest.mark.long
@pytest.mark.parametrize("mode", ["hold", "retry", "either"])
@pytest.mark.parametrize("number", range(1, 11))
def test_many_random_histories(project, postgres_url, mode, number):
    """Longer ones, ten in each mode."""
    ClusterHistory(project, postgres_url, SEED + number, mode).play(6)
