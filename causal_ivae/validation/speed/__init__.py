"""How fast the program is, against other code."""
