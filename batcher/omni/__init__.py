"""The Omni API: fields, requests, answers and what they mean."""
