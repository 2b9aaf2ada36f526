"""The verbs: one module a group, no logic of its own."""
