"""Pre-scoring (预评分): the hub's kernel and pack, run where the records are."""
