"""A department's own program (部门端): join a hub, ask for products, collect and verify them."""
