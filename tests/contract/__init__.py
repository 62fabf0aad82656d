"""Client against mock: both sides read the same page, neither reads the other."""
