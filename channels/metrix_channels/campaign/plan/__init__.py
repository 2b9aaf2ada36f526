"""From the rows of an audience to the shards of a run."""
