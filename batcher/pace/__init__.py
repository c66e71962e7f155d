"""How fast: the rate, its window and the brake, shared by every run that uses the key."""
