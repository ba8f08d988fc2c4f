"""What a node speaks about: faults, institutions and records. No clock, no file, no socket."""
