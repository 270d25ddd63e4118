"""`python -m train.audiences`: what its table says of a way of counting that is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from faces_data import bells, write_h5

from livecam.ages import SCHEMES
from livecam.datatypes import AgeGender
from train import audiences, faces

MARKETING = SCHEMES["marketing"]


@pytest.mark.parametrize(("spread", "is_exact"), [(0.0, True), (6.0, False)])
def test_how_many_are_counted_in_a_wrong_bin(
    spread: float, is_exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audiences, "DRAWN", 10)
    random = np.random.default_rng(0)
    ages = random.integers(0, 90, 900)
    probs = bells(ages + random.normal(0, spread, len(ages)), max(spread, 0.1))
    prior = probs.mean(axis=0)
    likeliest, added, counted, held = audiences._drawn(MARKETING, 200, probs, ages, prior)
    if is_exact:
        assert max(likeliest, added, counted) < 0.1
        assert held == 1
    else:
        assert counted < likeliest
        assert counted < added
        assert 0.6 < held <= 1


def test_every_scheme_has_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audiences, "DRAWN", 2)
    monkeypatch.setattr(audiences, "SIZES", (10,))
    monkeypatch.setenv("LIVECAM_AGES__SCHEMES", "{mine: [0, 18]}")
    data = write_h5(tmp_path / "faces.h5")
    ages = faces.load(data, "test").labels.age
    known = AgeGender(bells(ages, 0.1), np.full(len(ages), 0.5, np.float32))
    monkeypatch.setattr(audiences, "answers", lambda *_: known)
    assert audiences.main([str(data)]) == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split()[1] for row in rows] == [*SCHEMES, "mine"]
    assert rows[-1].startswith("| mine | 10 | 0.0 | 0.0 |")


def test_too_few_faces_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audiences.main([str(write_h5(tmp_path / "faces.h5"))]) == 1
    error = capsys.readouterr().err
    assert "28 faces of an exact age in its test part; expected at least 500" in error


def test_a_model_without_a_prior_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.onnx").write_bytes(b"")
    assert audiences.main(["faces.h5", "--model", str(tmp_path / "m.onnx")]) == 2
    assert "no age_prior beside it; python -m train.export writes it" in capsys.readouterr().err
