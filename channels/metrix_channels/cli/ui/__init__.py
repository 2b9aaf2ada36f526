"""Terminal output: results, tables, progress."""
