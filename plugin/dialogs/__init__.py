"""Dialogs. They gather parameters and have the Processing algorithms run."""
