"""Protocol packages."""
