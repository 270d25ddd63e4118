"""Small data sets in the layouts in which the large ones are published: files by name."""

from __future__ import annotations

import datetime
import io
import zipfile
from pathlib import Path

import numpy as np
from scipy.io import savemat

from train.labels import FEMALE, MALE, UNKNOWN, Label, between, exact

Files = dict[str, bytes]
Expected = list[tuple[str, str, Label]]  # data set, file, label

BYTES = b"picture"


def write(folder: Path, files: Files) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def pack(path: Path, files: Files, top: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(top + name, content)
    return path


def pictures(*names: str) -> Files:
    return dict.fromkeys(names, BYTES)


def megaage() -> tuple[Files, Expected, dict[str, int]]:
    files = pictures("train/1.jpg", "train/2.jpg", "test/1.jpg") | {
        "list/train_name.txt": b"1.jpg\n2.jpg\n3.jpg\n",
        "list/train_age.txt": b"20\n3\n40\n",
        "list/test_name.txt": b"1.jpg\r\n",
        "list/test_age.txt": b"69\r\n",
    }
    expected = [
        ("megaage", "test/1.jpg", exact(69)),
        ("megaage", "train/1.jpg", exact(20)),
        ("megaage", "train/2.jpg", exact(3)),
    ]
    return files, expected, {"picture missing": 1}


def matlab_day(year: int, month: int, day: int) -> int:
    return datetime.date(year, month, day).toordinal() + 366


def mat(variable: str, rows: list[tuple[float, int, str, float, float, float]]) -> bytes:
    """The struct of IMDB-WIKI: born, taken, path, gender, face_score, second_face_score."""
    born, taken, paths, gender, score, second = zip(*rows, strict=True)
    cells = np.empty((1, len(rows)), object)
    places = np.empty((1, len(rows)), object)
    for i, path in enumerate(paths):
        cells[0, i] = np.array([path])
        places[0, i] = np.array([[1.0, 1.0, 90.0, 90.0]])
    struct = {
        "dob": np.array([born]),
        "photo_taken": np.array([taken], np.uint16),
        "full_path": cells,
        "gender": np.array([gender]),
        "name": cells,
        "face_location": places,
        "face_score": np.array([score]),
        "second_face_score": np.array([second]),
    }
    out = io.BytesIO()
    savemat(out, {variable: struct})
    return out.getvalue()


def wiki() -> tuple[Files, Expected, dict[str, int]]:
    nan, inf = np.nan, np.inf
    rows = [
        (matlab_day(1980, 7, 1), 2010, "01/a_1980.jpg", 1.0, 3.5, nan),  # 30 on that very day
        (matlab_day(1980, 7, 2), 2010, "01/b_1980.jpg", 0.0, 3.5, nan),
        (matlab_day(1990, 1, 1), 2010, "02/c.jpg", nan, 1.0, nan),
        (matlab_day(1990, 1, 1), 2010, "02/d.jpg", 1.0, -inf, nan),
        (matlab_day(1990, 1, 1), 2010, "02/e.jpg", 1.0, 0.9, nan),
        (matlab_day(1990, 1, 1), 2010, "02/f.jpg", 1.0, 3.0, 2.0),
        (matlab_day(1990, 1, 1), 1985, "02/g.jpg", 1.0, 3.0, nan),
        (1, 2010, "02/h.jpg", 1.0, 3.0, nan),
        (nan, 2010, "02/i.jpg", 1.0, 3.0, nan),
        (matlab_day(1850, 1, 1), 2010, "02/j.jpg", 1.0, 3.0, nan),
        (matlab_day(1990, 1, 1), 2010, "02/k.jpg", 1.0, 3.0, nan),
    ]
    there = [row[2] for row in rows if row[2] != "02/k.jpg"]
    expected = [
        ("wiki", "01/a_1980.jpg", exact(30, MALE)),
        ("wiki", "01/b_1980.jpg", exact(29, FEMALE)),
        ("wiki", "02/c.jpg", exact(20, UNKNOWN)),
    ]
    dropped = {
        "no face in its list": 1,
        "face score below 1": 1,
        "a second face": 1,
        "impossible age": 4,
        "picture missing": 1,
    }
    return pictures(*there) | {"wiki.mat": mat("wiki", rows)}, expected, dropped


def appa_real() -> tuple[Files, Expected, dict[str, int]]:
    header = b"file_name,num_ratings,apparent_age_avg,apparent_age_std,real_age\n"
    files = pictures("train/000000.jpg", "train/000000.jpg_face.jpg", "valid/004113.jpg") | {
        "gt_avg_train.csv": header + b"000000.jpg,36,5.05,0.9,4\n",
        "gt_avg_valid.csv": header + b"004113.jpg,38,41.2,1.5,39\n004114.jpg,38,?,1,x\n",
        "gt_avg_test.csv": header + b"005613.jpg,38,20.5,1.5,21\n",
    }
    expected = [
        ("appa_real", "train/000000.jpg_face.jpg", exact(5.05)),
        ("appa_real", "valid/004113.jpg", exact(41.2)),
    ]
    return files, expected, {"picture missing": 1, "age not understood": 1}


def fairface() -> tuple[Files, Expected, dict[str, int]]:
    header = b"file,age,gender,race,service_test\n"
    files = pictures("train/1.jpg", "train/2.jpg", "val/1.jpg", "val/2.jpg") | {
        "fairface_label_train.csv": header
        + b"train/1.jpg,50-59,Male,East Asian,True\ntrain/2.jpg,0-2,Female,Middle Eastern,False\n",
        "fairface_label_val.csv": header
        + b"val/1.jpg,more than 70,Male,White,True\nval/2.jpg,old,Male,White,True\n",
    }
    expected = [
        ("fairface", "train/1.jpg", between(50, 59, MALE, 2)),
        ("fairface", "train/2.jpg", between(0, 2, FEMALE, 4)),
        ("fairface", "val/1.jpg", between(70, 100, MALE, 0)),
    ]
    return files, expected, {"age not understood": 1}


def adience() -> tuple[Files, Expected, dict[str, int]]:
    header = "user_id\toriginal_image\tface_id\tage\tgender\tx\ty\tdx\tdy\ttilt_ang\t"
    header += "fiducial_yaw_angle\tfiducial_score\n"
    rest = "\t0\t0\t9\t9\t0\t0\t50\n"
    rows = [
        "30@N03\ta_o.jpg\t1\t(25, 32)\tf",
        "30@N03\tb_o.jpg\t2\t35\tm",
        "30@N03\tc_o.jpg\t3\tNone\tm",
        "30@N03\td_o.jpg\t4\t(60, 100)\tu",
        "30@N03\te_o.jpg\t5\t(0, 2)\t",
    ]
    files = pictures(
        "aligned/30@N03/landmark_aligned_face.1.a_o.jpg",
        "faces/30@N03/coarse_tilt_aligned_face.1.a_o.jpg",
        "faces/30@N03/coarse_tilt_aligned_face.2.b_o.jpg",
        "aligned/30@N03/landmark_aligned_face.4.d_o.jpg",
    )
    files["fold_0_data.txt"] = (header + "".join(row + rest for row in rows)).encode()
    files["fold_frontal_0_data.txt"] = files["fold_0_data.txt"]  # the same faces again
    expected = [
        ("adience", "aligned/30@N03/landmark_aligned_face.1.a_o.jpg", between(25, 32, FEMALE)),
        ("adience", "aligned/30@N03/landmark_aligned_face.4.d_o.jpg", between(60, 100)),
        ("adience", "faces/30@N03/coarse_tilt_aligned_face.2.b_o.jpg", exact(35, MALE)),
    ]
    return files, expected, {"without an age": 1, "picture missing": 1}


def table() -> tuple[Files, Expected, dict[str, int]]:
    files = pictures("a.jpg", "sub/b.png", "c.jpg") | {
        "mine.csv": "\ufefffile,age,gender\na.jpg,25,Female\nsub\\b.png,18-24,m\nc.jpg,?,\n"
        "d.jpg,9,\n".encode()
    }
    expected = [
        ("data", "a.jpg", exact(25, FEMALE)),
        ("data", "sub/b.png", between(18, 24, MALE)),
    ]
    return files, expected, {"age not understood": 1, "picture missing": 1}


def folders() -> tuple[Files, Expected, dict[str, int]]:
    files = pictures("25/a.jpg", "18-24/a.jpg", "65+/deep.JPG", "top.jpg", "notes.txt")
    expected = [
        ("data", "18-24/a.jpg", between(18, 24)),
        ("data", "25/a.jpg", exact(25)),
        ("data", "65+/deep.JPG", between(65, 100)),
    ]
    return files, expected, {"in no folder of a class": 1}


LAYOUTS = (megaage, wiki, appa_real, fairface, adience, table, folders)
