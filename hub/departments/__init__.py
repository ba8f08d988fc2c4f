"""Import desk: departments' CSV files become versioned rows of information items."""
