"""A link desk (关联台): one half of every period's key, a register of who may ask, and a log."""
