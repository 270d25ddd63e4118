"""livecam's shipped settings, whatever the machine's own are."""

from __future__ import annotations

from livecam.config import load_config
from livecam.shipped import shipped_file

SHIPPED = load_config(shipped_file("config.yaml"), environment={})
