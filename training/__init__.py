"""MindSpore networks, recipes and export for the models that the engine runs."""
