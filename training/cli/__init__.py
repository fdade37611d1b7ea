"""Commands of the training package; each module is imported when its command is used."""
