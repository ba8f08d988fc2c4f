"""What the processes of tests find in place of pandas: an installation of yixin has none.

The development environment has it for ``yixin bench``, and pyarrow imports whatever pandas it
finds: a fifth of the time that a process of ours takes to start.
"""

if __name__ == "pandas":
    raise ImportError("the processes of tests run without pandas, as an installation does")
