"""Operating system services: signals, file descriptors, temporary files, time zones, the wall clock."""
