"""Security core: identities, sealed envelopes, chains, logs and encryption at rest.

Everything here verifies bytes as they were received and refuses by raising a subclass of
``security.errors.SecurityError``. No module below ``security.exchange`` reads a clock, opens a
socket or knows what a payload means.
"""
