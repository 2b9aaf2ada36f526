"""From the shards of a run to outcomes."""
