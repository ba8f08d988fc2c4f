"""Cases that break one supervision rule each, and near misses that break none.

They are written into a simulated city on purpose, with the truth beside them; nothing here
knows how a rule is found.
"""
