"""Configurations to start from, one YAML file for each."""

from __future__ import annotations

from importlib.resources import files

__all__ = ["DEFAULT", "names", "summary", "text"]

DEFAULT = "starter"
"""The template that `tf init` writes unless another is named."""


def names() -> list[str]:
    """The names of all templates, sorted."""
    entries = (entry.name for entry in files(__package__).iterdir())
    return sorted(name.removesuffix(".yaml") for name in entries if name.endswith(".yaml"))


def text(name: str) -> str:
    """The configuration called `name`.

    Raises:
        FileNotFoundError: there is none.
    """
    return files(__package__).joinpath(f"{name}.yaml").read_text("utf-8")


def summary(name: str) -> str:
    """What it is for: the words of its first line."""
    return text(name).split("\n", 1)[0].removeprefix("# ")
