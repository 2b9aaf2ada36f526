"""Reads Excel workbooks (.xlsx) as a stream, with constant memory, which no library does."""
