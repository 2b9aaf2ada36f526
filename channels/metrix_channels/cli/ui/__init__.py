"""What a terminal shows: results, tables, progress."""
