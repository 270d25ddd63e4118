"""Modules that need what not everybody has installed, such as Keras."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
from conftest import unavailable

deprecated_in_numpy = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"  # of Keras
)


def require_module(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        unavailable(name)


def keras_module(name: str) -> Any:
    """`train.NAME`, which imports Keras."""
    require_module("tensorflow")
    return importlib.import_module(f"train.{name}")
