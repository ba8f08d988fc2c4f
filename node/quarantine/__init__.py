"""The desk of the quarantine (隔离区): find a refused line, see it masked, mend it, replay it."""
