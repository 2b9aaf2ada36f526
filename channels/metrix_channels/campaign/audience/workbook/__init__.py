"""Excel workbooks (.xlsx), read as a stream: no library does that in a memory that does not grow with the sheet."""
