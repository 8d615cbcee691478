"""The timed loop: knows nothing of the rest of collcast."""
