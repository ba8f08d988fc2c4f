"""Pure rules of a hub: member ids, the custody register and the slot rule."""
