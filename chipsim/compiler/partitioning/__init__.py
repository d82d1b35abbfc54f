"""What goes on which core, under all limits of a core at once."""
