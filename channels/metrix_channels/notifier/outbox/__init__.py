"""Messages within the caller's own transactions: enqueued, withdrawn, and sent later."""
