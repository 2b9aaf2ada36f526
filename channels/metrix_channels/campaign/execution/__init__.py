"""Sends planned runs: in this process, or through workers on any machine."""
