"""One file per format; each turns a file into a Network."""
