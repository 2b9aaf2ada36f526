"""What the operating system asks of this process, and what it lends it: signals, files, time zones, the wall clock."""
