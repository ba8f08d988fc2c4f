"""``yixin model``: check, score, explain, compile and simulate rating models."""
