"""Searches the messages of single sends, the outbox and campaigns."""
