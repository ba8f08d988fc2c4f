"""Tables from files: readers of any format, and mappings of foreign columns to ours."""
