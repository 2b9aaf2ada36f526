"""Plans a run: turns the rows of an audience into shards."""
