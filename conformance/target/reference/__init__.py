"""Target `reference`: a whole small TCP of our own, in memory and in virtual time."""
