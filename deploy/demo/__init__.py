"""The demonstration: the real commands as real processes, from a message to a proven grade."""
