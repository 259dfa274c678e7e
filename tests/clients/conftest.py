"""Real clients run on a pseudo-terminal, as those of `tf` do."""

from __future__ import annotations

from tests.cli.conftest import environment as environment
from tests.cli.conftest import folder as folder
from tests.cli.conftest import screen as screen
from tests.cli.conftest import tf as tf
