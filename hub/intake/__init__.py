"""Intake: verify, open, decode, decide and store what members submit, then give receipts."""
