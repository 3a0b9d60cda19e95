"""The command line: ``python -m engine COMMAND``. One module for each family of commands."""
