"""Pictures of a file of faces: ages, classes (your own ones too), gender, ethnicity, copies, and
some of its faces.

`-o` takes a name that ends in .html, for one page, or a folder, for PNG files. The crops are not
loaded, but for those that are shown.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from livecam.ages import AgeScheme
from livecam.arguments import Parser
from livecam.config import load_config
from livecam.datatypes import Image
from livecam.document import table
from livecam.errors import LivecamError, UsageError
from livecam.exit_codes import exit_code
from livecam.extras import require
from livecam.files import PartialFile, check_folder, check_output, write_text
from livecam.pictures import write_picture
from livecam.wording import counted
from train import faces, metrics
from train.labels import ETHNICITIES, GENDERS
from train.scores import age_bands, bins_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PARTS = (*faces.SPLITS, "left out")  # by their numbers
SHOWN = 8  # faces of each age band
SEVERAL = "in several"  # of classes or bands


@dataclass(frozen=True)
class Columns:
    """All columns (n,) of the file but the crops; numbers as in `train.faces` and `labels`."""

    dataset: np.ndarray
    split: np.ndarray
    age: np.ndarray
    age_low: np.ndarray
    age_high: np.ndarray
    label_age: np.ndarray
    gender: np.ndarray
    ethnicity: np.ndarray
    group: np.ndarray
    detected: np.ndarray

    def __len__(self) -> int:
        return len(self.age)

    @property
    def is_used(self) -> np.ndarray:
        return self.split != faces.LEFT_OUT


def main(argv: list[str] | None = None) -> int:
    parser = Parser(
        prog="python -m train.explore",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path, help="HDF5 file from python -m train.prepare")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FOLDER|FILE.html",
        help="one page, or a folder for pictures",
    )  # fmt: skip
    parser.add_argument(
        "--no-gallery", action="store_true", help="no faces: it can be shown to others"
    )
    return exit_code(_explore, parser, argv)


def _explore(args: argparse.Namespace) -> None:
    require("matplotlib", "train")
    schemes = load_config().schemes
    is_page = bool(args.output.suffix) and not args.output.is_dir()
    if is_page:
        check_output("--output", args.output, [".html"], [args.data], may_replace=True)
    else:
        check_folder("--output", args.output)
        if args.no_gallery and (older := sorted(args.output.glob("faces-*.png"))):
            raise UsageError(
                f"--no-gallery: {older[0]} is there, of an earlier run; delete it and its like, or "
                "give another folder"
            )
    with faces.opened(args.data) as h5:
        columns = read_columns(h5)
        if not len(columns):
            raise LivecamError(f"{args.data}: holds no face; see python -m train.prepare -h")
        shown = {} if args.no_gallery else sample_faces(h5, columns)
    if is_page:
        write_text(args.output, page(args.data.name, columns, schemes, shown))
    else:
        _write_folder(args.output, columns, schemes, shown)
    print(args.output)


def read_columns(h5: h5py.File) -> Columns:
    names = [field.name for field in dataclasses.fields(Columns) if field.name != "dataset"]
    return Columns(h5["dataset"].asstr()[()], **{name: h5[name][()] for name in names})


def sample_faces(h5: h5py.File, columns: Columns) -> dict[str, Image]:
    """Up to eight used crops (k, px, px, 3) of each age band, by chance, always the same; the last
    are of labels that lie in no one band."""
    rng = np.random.default_rng(0)
    shown = {}
    band, names = bands(columns.age_low, columns.age_high)
    for number, name in enumerate(names):
        where = np.nonzero((band == number) & columns.is_used)[0]
        if len(where):
            chosen = np.sort(rng.choice(where, min(SHOWN, len(where)), replace=False))
            shown[name] = h5["crops"][chosen]
    return shown


def bands(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """The number of each label's age band (n,), and the bands' names."""
    names, rows = zip(*age_bands(low, high), strict=True)
    return with_several(np.argmax(rows, axis=0), np.any(rows, axis=0), names)


def with_several(
    place: np.ndarray, has_one: np.ndarray, names: Sequence[str]
) -> tuple[np.ndarray, list[str]]:
    """Numbers of classes (n,) and their names, with one more class for labels that are in several,
    if there are such."""
    if has_one.all():
        return place, list(names)
    return np.where(has_one, place, len(names)), [*names, SEVERAL]


def group_sizes(columns: Columns) -> list[tuple[int, int]]:
    """(size, groups of that size), of all pictures; a size of 1 is a picture without copies."""
    sizes = np.bincount(columns.group)
    values, how_many = np.unique(sizes[sizes > 0], return_counts=True)
    return list(zip(values.tolist(), how_many.tolist(), strict=True))


def merged_labels(columns: Columns) -> np.ndarray:
    """By how many years the merging of copies changed the labels that it changed: (m,)."""
    change = np.abs(columns.age - columns.label_age)[columns.is_used]
    return change[change > 0]


def drawings(columns: Columns, schemes: Mapping[str, AgeScheme]) -> dict[str, Figure]:
    """Every picture but the faces, by name."""
    from train import plots

    figures = {}
    for dataset in np.unique(columns.dataset):
        here = columns.dataset == dataset
        ages = {
            part: columns.age[here & (columns.split == number)] for number, part in enumerate(PARTS)
        }
        middles = (
            ", intervals at their middle"
            if (columns.age_low < columns.age_high)[here].any()
            else ""
        )
        figures[f"ages-{dataset}"] = plots.age_histogram(ages, f"ages of {dataset}{middles}")
    used = columns.is_used
    split, low, high = columns.split[used], columns.age_low[used], columns.age_high[used]
    for name, scheme in schemes.items():
        place, bars = with_several(*bins_of(low, high, scheme), scheme.labels)
        counts = metrics.cross_table(place, split, (len(bars), len(faces.SPLITS)))
        figures[f"classes-{name}"] = plots.stacked_bars(
            counts, bars, tuple(faces.SPLITS), f"classes of {name}", "faces"
        )
    band, names = bands(low, high)
    for title, values, parts in (
        ("gender", columns.gender, GENDERS),
        ("ethnicity", columns.ethnicity, ETHNICITIES),
    ):
        unknown_last = np.where(values[used] < 0, len(parts), values[used])
        counts = metrics.cross_table(band, unknown_last, (len(names), len(parts) + 1))
        figures[f"{title}-by-age"] = plots.stacked_bars(
            counts, names, (*parts, "unknown"), f"{title} by age", "faces"
        )
    return figures


def page(
    name: str, columns: Columns, schemes: Mapping[str, AgeScheme], shown: dict[str, Image]
) -> str:
    """The whole file."""
    from train import report

    figures = {key: report.drawing(figure) for key, figure in drawings(columns, schemes).items()}

    def drawn(*starts: str) -> str:
        return report.row(*(html for key, html in figures.items() if key.startswith(starts)))

    sizes = [(str(size), str(groups)) for size, groups in group_sizes(columns)]
    sections = [
        report.Section("Parts", [table(*parts_table(columns))]),
        report.Section("Ages", [drawn("ages-")]),
        report.Section("Gender and ethnicity", [drawn("gender-by-age", "ethnicity-by-age")]),
        report.Section("Classes", [drawn("classes-")]),
        report.Section(
            "Copies",
            [
                report.text(_merged(columns)),
                table(("pictures in a group of copies", "groups"), sizes),
            ],
        ),
    ]
    intro = []
    if shown:
        intro.append(report.note("It shows people: keep it to yourself, or give --no-gallery."))
        parts = []
        for band, crops in shown.items():
            title = "Labels in several bands" if band == SEVERAL else f"{band} years"
            parts.append(f"<h3>{report.escape(title)}</h3>")
            parts.append(report.row(*(report.picture(crop, title) for crop in crops)))
        sections.append(report.Section("Some faces", parts))
    return report.page(f"{counted(len(columns), 'face')} of {name}", intro, sections)


def parts_table(columns: Columns) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    header = ("data set", *PARTS, "median age", "ages", "female", "no face found")
    rows = []
    for dataset in np.unique(columns.dataset):
        here = columns.dataset == dataset
        ages = columns.age[here]
        known = here & (columns.gender >= 0)
        female = f"{100 * columns.gender[known].mean():.0f} %" if known.any() else "-"
        if 0 < known.sum() < here.sum():
            female += f" of {known.sum()}"
        rows.append(
            (
                str(dataset),
                *(str((here & (columns.split == number)).sum()) for number in range(len(PARTS))),
                f"{np.median(ages):.0f}",
                f"{ages.min():.0f}-{ages.max():.0f}",
                female,
                str((~columns.detected[here]).sum()),
            )
        )
    return header, rows


def _merged(columns: Columns) -> str:
    change = merged_labels(columns)
    if not len(change):
        return "Merging copies changed no label."
    return (
        f"Labels that merging copies changed: {len(change)}, by {np.median(change):.1f} years "
        f"(median), at most {change.max():.0f}."
    )


def _write_folder(
    folder: Path,
    columns: Columns,
    schemes: Mapping[str, AgeScheme],
    shown: dict[str, Image],
) -> None:
    import cv2

    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in drawings(columns, schemes).items():
        safe = re.sub(r'[/\\:*?"<>|]', "_", name)  # a scheme of one's own may be called anything
        with PartialFile(folder / f"{safe}.png") as partial:
            figure.savefig(partial)
    for band, crops in shown.items():
        row = cv2.cvtColor(np.concatenate(list(crops), axis=1), cv2.COLOR_RGB2BGR)
        write_picture(folder / f"faces-{band.replace(' ', '-')}.png", row)


if __name__ == "__main__":
    sys.exit(main())
