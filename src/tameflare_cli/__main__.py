"""`python -m tameflare_cli` is `tf`."""

from __future__ import annotations

from tameflare_cli.app import main

main()
