"""Single sends: claims and outcomes by key, and outbox messages."""
