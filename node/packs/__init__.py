"""Model packs (模型包) at a node: fetched, checked, switched to, and what is in force."""
