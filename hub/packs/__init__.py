"""Model packs (模型包) at a hub: its copy of the repository, what it serves, and the roll-out."""
