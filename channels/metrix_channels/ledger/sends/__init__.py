"""Single sends: who may send under a key, what became of it, and messages that wait for a worker."""
