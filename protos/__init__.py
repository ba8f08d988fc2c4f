"""Wire formats of yixin."""
