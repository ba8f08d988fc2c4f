"""One module per step; a step is never changed after a release."""
