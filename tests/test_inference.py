"""Which of ONNX Runtime's execution providers is used."""

from __future__ import annotations

import onnxruntime
import pytest

from livecam.errors import UsageError
from livecam.inference import usable_providers

AZURE, COREML, CPU, CUDA = (
    f"{name}ExecutionProvider" for name in ("Azure", "CoreML", "CPU", "CUDA")
)


@pytest.mark.parametrize(
    ("available", "used"),
    [
        ([CPU], [CPU]),
        ([CUDA, CPU], [CUDA, CPU]),
        ([COREML, AZURE, CPU], [CPU]),  # those of a wheel for macOS
    ],
)
def test_the_best_that_is_there(
    monkeypatch: pytest.MonkeyPatch, available: list[str], used: list[str]
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: available)
    assert usable_providers(()) == used


def test_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [COREML, CPU])
    assert usable_providers([COREML]) == [COREML, CPU]
    with pytest.raises(UsageError, match=f"'{CUDA}' is not in this ONNX Runtime; it has {COREML}"):
        usable_providers([CUDA])
    with pytest.raises(UsageError, match=r"^mine: 'CPU' is not in this"):
        usable_providers(["CPU"], "mine")
