"""The Processing provider and its algorithms, which the dialogs run, too."""
