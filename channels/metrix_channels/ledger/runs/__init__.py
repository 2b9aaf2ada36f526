"""Runs of campaigns: their batches, their counts, and who may send them."""
