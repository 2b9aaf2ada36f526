"""The filters and tests that a template may use."""
