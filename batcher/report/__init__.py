"""What people and programs are told: plan, progress, outcomes and summary."""
