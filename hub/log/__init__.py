"""The hub's transparency log (透明日志) at work: published, witnessed, checked, recovered."""
