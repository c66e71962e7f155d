"""Rows → specs, or every problem in them; and each row's key."""
