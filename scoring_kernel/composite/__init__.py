"""Composite models (综合评分): published star ratings reproduced from a model file."""
