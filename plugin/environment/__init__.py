"""Python environments for the engine: made, checked, repaired and removed on the person's click."""
