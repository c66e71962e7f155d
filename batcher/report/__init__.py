"""What people and programs see: plan, progress, outcomes and summary."""
