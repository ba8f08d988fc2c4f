"""What all tests share: no test asserts a time, so no example has a deadline."""

from hypothesis import settings

settings.register_profile("yixin", deadline=None)
settings.load_profile("yixin")
