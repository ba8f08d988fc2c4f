"""Live forms of the supervision rules (事前事中): pure, on one encounter and what is known."""
