"""Dialogs, which gather the parameters of the Processing algorithms and start them."""
