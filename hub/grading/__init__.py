"""Grading: from statements and department items to grades, publications and explanations."""
