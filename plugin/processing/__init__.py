"""The Processing provider and its algorithms. The dialogs run these, so that there is one way."""
