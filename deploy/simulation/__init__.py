"""A simulated city: messages and department files that nobody's real life is in.

Everything is a function of the seed. Persons carry identity numbers of an area code that is
assigned to nobody, names say that they are made up, and misconduct is injected on purpose and
listed in a ground-truth file.
"""
