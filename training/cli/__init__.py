"""Commands of the training package; a module is imported when its command is used."""
