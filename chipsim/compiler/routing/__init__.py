"""What the routers are loaded with: keys, masks and tables."""
