"""Rows → specs, or every problem of them; and each row's own key."""
