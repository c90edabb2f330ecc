"""How right and how fast docpipe is, beside what one would use instead. Run, not tested: `make bench`."""
