"""Wire and errors of a hub: servicers, authorisation table, error table."""
