"""Sends the shards of a run."""
