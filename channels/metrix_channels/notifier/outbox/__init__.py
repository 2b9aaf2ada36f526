"""Messages that take part in transactions of the caller's own: enqueued, withdrawn, and sent later."""
