"""`python -m core …`: one file per command, gathered by `app`."""
