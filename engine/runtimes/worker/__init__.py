"""Models in another interpreter or process."""
