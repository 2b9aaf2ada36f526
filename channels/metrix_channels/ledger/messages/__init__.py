"""What was sent to whom: one look over single sends, the outbox and campaigns."""
