"""The command ``debias-eval``: parsing in ``app``, everything that is printed in ``show``."""

from importlib import import_module


def main() -> None:
    """Run the command; the module is loaded here so that importing this one costs nothing."""
    import_module("debias_eval.cli.app").app()


__all__ = ["main"]
