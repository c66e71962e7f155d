"""Specs → outcomes: workers, requests at the pace, attempts, and reconciling what is unclear."""
