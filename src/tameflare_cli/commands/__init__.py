"""The subcommands of `tf`, one module for each; `app.py` lists them."""
