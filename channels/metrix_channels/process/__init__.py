"""What the operating system asks of this process, and what it lends it: signals, temporary files, time zones."""
