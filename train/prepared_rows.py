"""What is known of each prepared crop, the split of all of them, and the account of it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import h5py
import numpy as np

from livecam.datatypes import Image
from livecam.wording import utf8
from train import copies
from train.dropped import Dropped
from train.faces import DEV, LEFT_OUT, TEST, TRAIN
from train.labels import FEMALE, MALE, UNKNOWN, Label
from train.published_sets import Entry

DIGEST_BYTES = 32


@dataclass
class Rows:
    """The written crops, in their order, and what was left out before; kept small, because a
    million of them must fit."""

    thumbnails: copies.Thumbnails
    dataset: list[str] = field(default_factory=list)
    file: list[str] = field(default_factory=list)
    label: list[Label] = field(default_factory=list)
    part: bytearray = field(default_factory=bytearray)
    person: list[str] = field(default_factory=list)
    detected: bytearray = field(default_factory=bytearray)
    digests: bytearray = field(default_factory=bytearray)
    dropped: Dropped = field(default_factory=Dropped)
    without: list[Entry] = field(default_factory=list)  # a crop: unreadable, or no face found

    def __len__(self) -> int:
        return len(self.file)

    def append(self, entry: Entry, digest: bytes, is_detected: bool, thumbnail: Image) -> None:
        self.dataset.append(utf8(entry.dataset))
        self.file.append(utf8(entry.file))
        self.label.append(entry.label)
        self.part.append(entry.part)
        self.person.append(entry.person)
        self.detected.append(is_detected)
        self.digests += digest
        self.thumbnails.append(thumbnail)

    def split(
        self, test_names: set[str], dev_names: set[str], dev_share: float, seed: int
    ) -> Split:
        """Groups by copies; none has rows in two parts, and no person either. Parts are those of
        the data sets' own lists and of the names; the dev part is drawn too, unless names are given
        for it. What is a copy of a row in a list, or of its person, and in none, is left out; so is
        what may be a copy of a row that scores or choices are made on."""
        first = self._first_of_content()
        is_copy = first != np.arange(len(self))
        same = np.stack([first[is_copy], np.nonzero(is_copy)[0]], axis=1)
        alike, doubtful = copies.near_copies(self.thumbnails.rows())
        group = copies.groups(len(self), np.concatenate([same, alike]))
        side = self._with_people(group)
        own_part = np.frombuffer(self.part, np.int8)
        is_test = self._are_in(test_names) | (own_part == TEST)
        is_named = self._are_in(dev_names)
        is_dev = is_named | (own_part == DEV)
        if not dev_names:
            is_dev |= np.isin(side, side[self._drawn(side, dev_share, seed)])
        part = np.full(len(self), TRAIN, np.int8)
        part[np.isin(side, side[is_dev])] = LEFT_OUT
        part[is_dev] = DEV
        part[np.isin(side, side[is_test])] = LEFT_OUT
        part[is_copy & ~(is_named | (own_part == DEV))] = LEFT_OUT
        part[is_test] = TEST
        part[self._are_again(first, part)] = LEFT_OUT
        is_apart = _kept_apart(part, doubtful)
        part[is_apart] = LEFT_OUT
        ages = Ages.of(self.label)
        merged = ages.merged(group)
        merged.set(is_test, ages)  # the labels of a published test part stay as they are
        own = self._genders()
        stays = (part == TRAIN) | (part == DEV)
        gender = np.where(stays, merged_genders(own, group), own)
        missing = {
            "dev": self._missing(DEV, dev_names),
            "test": self._missing(TEST, test_names),
        }
        return Split(part, group, merged, gender, is_copy, is_apart, missing)

    def _missing(self, part: int, names: set[str]) -> dict[str, int]:
        """How many pictures of each data set that part lacks, as they have no crop. Of those that
        would be drawn for it, none is: nobody knows which these are."""
        return Counter(
            utf8(entry.dataset)
            for entry in self.without
            if entry.part == part or not names.isdisjoint(_names_of(entry.dataset, entry.file))
        )

    def _with_people(self, group: np.ndarray) -> np.ndarray:
        """Larger groups (n,), which hold all pictures of a person too."""
        known = np.flatnonzero(np.array(self.person, object) != "")
        people = np.array(self.person, object)[known].astype(str)
        _, first, which = np.unique(people, return_index=True, return_inverse=True)
        copied = np.stack([group, np.arange(len(self))], axis=1)
        same = np.stack([known[first[which]], known], axis=1)
        return copies.groups(len(self), np.concatenate([copied, same]))

    def _genders(self) -> np.ndarray:
        return np.array([label.gender for label in self.label], np.int8)

    def _are_in(self, names: set[str]) -> np.ndarray:
        """Which rows a list names."""
        found = np.zeros(len(self), bool)
        for rows in self._rows_of(names).values():
            found[rows] = True
        return found

    def _rows_of(self, names: set[str]) -> dict[str, list[int]]:
        """The rows of each name that is one: of `file`, of `dataset/file` to tell data sets apart,
        or else of the only `file` that ends in it, as data sets' own lists leave out folders."""
        found, ends = defaultdict(list), defaultdict(list)
        for row, (dataset, file) in enumerate(zip(self.dataset, self.file, strict=True)):
            *whole, end = _names_of(dataset, file)
            for name in names.intersection(whole):
                found[name].append(row)
            if end in names:
                ends[end].append(row)
        return {name: rows for name, rows in ends.items() if len(rows) == 1} | found

    def _drawn(self, group: np.ndarray, share: float, seed: int) -> np.ndarray:
        """Whether each row (n,) is the first of a group that is drawn. What decides is the bytes
        of that picture: a pair that another processor takes for copies moves no other group."""
        drawn = np.zeros(len(self), bool)
        for row in np.unique(group):
            digest = hashlib.sha256(f"{seed} ".encode() + self._digest(row)).digest()
            drawn[row] = int.from_bytes(digest[:8]) < share * 2**64
        return drawn

    def _are_again(self, first: np.ndarray, part: np.ndarray) -> np.ndarray:
        """Which rows (n,) are of the same part, bytes and name, without folders, as one before: a
        picture that was given or listed twice. Copies of other names stay in a published test."""
        is_again = np.zeros(len(self), bool)
        met: set[tuple[int, int, str]] = set()
        for row in np.flatnonzero(np.bincount(first, minlength=len(self))[first] > 1):
            picture = int(first[row]), int(part[row]), self.file[row].rpartition("/")[2]
            is_again[row] = picture in met
            met.add(picture)
        return is_again

    def _digest(self, row: int) -> bytes:
        return bytes(self.digests[row * DIGEST_BYTES : (row + 1) * DIGEST_BYTES])

    def _first_of_content(self) -> np.ndarray:
        """For each row the first row of the same bytes: itself, if it is no copy."""
        digests = np.frombuffer(self.digests, f"S{DIGEST_BYTES}")
        _, first, which = np.unique(digests, return_index=True, return_inverse=True)
        return first[which]

    def write(self, h5: h5py.File, split: Split) -> None:
        text = h5py.string_dtype()
        h5["dataset"] = np.array(self.dataset, dtype=text)
        h5["file"] = np.array(self.file, dtype=text)
        h5["label_age"] = Ages.of(self.label).age
        h5["age"] = split.ages.age
        h5["age_low"] = split.ages.low
        h5["age_high"] = split.ages.high
        h5["gender"] = split.gender
        h5["ethnicity"] = np.array([label.ethnicity for label in self.label], np.int8)
        h5["detected"] = np.frombuffer(self.detected, np.bool_)
        h5["group"] = split.group
        h5["split"] = split.part
        h5.attrs["data_hash"] = self._data_hash(split)
        h5.attrs["missing"] = json.dumps(split.missing)

    def _data_hash(self, split: Split) -> str:
        """Changes when a picture's bytes, its age (by a tenth of a year) or the split changes. Not
        of genders, ethnicities or names: hashes that runs and models hold would be others."""
        digest = hashlib.sha256()
        ages = split.ages
        for i in range(len(self)):
            content = self._digest(i).hex()
            interval = f" {ages.low[i]}-{ages.high[i]}" if ages.low[i] < ages.high[i] else ""
            digest.update(f"{content} {ages.age[i]:.1f}{interval} {split.part[i]}\n".encode())
        return digest.hexdigest()[:16]

    def summary(self, split: Split, **lists: set[str]) -> str:
        """The table that says what became of every picture, and of the names of each list."""
        return "\n".join(self._summary(split, lists))

    def _summary(self, split: Split, lists: Mapping[str, set[str]]) -> Iterator[str]:
        yield _line("pictures", len(self) + sum(self.dropped.values()))
        left_out = split.part == LEFT_OUT
        reasons = Counter(self.dropped)
        reasons["exact copy of another picture"] = int((left_out & split.is_copy).sum())
        others = left_out & ~split.is_copy & ~split.is_apart
        is_listed = np.isin(split.group, split.group[(split.part == DEV) | (split.part == TEST)])
        by_person = others & ~is_listed & (np.array(self.person, object) != "")
        reasons["copy of a listed picture"] = int((others & ~by_person).sum())
        reasons["person of a listed picture"] = int(by_person.sum())
        reasons["may copy a listed picture"] = int(split.is_apart.sum())
        for why, n in sorted(reasons.items()):
            if n:
                yield _line(f"  left out: {why}", n)
        of_set = Counter(self.dataset)
        if len(of_set) > 1:
            for dataset, n in of_set.items():
                yield _line(f"  readable, of {dataset}", n)
        for part, name in ((TRAIN, "train"), (DEV, "dev"), (TEST, "test")):
            ages = split.ages.age[split.part == part]
            median = f"   median age {np.median(ages):.0f}" if len(ages) else ""
            own = np.sum((split.part == part) & (np.frombuffer(self.part, np.int8) == part))
            by_list = (
                f"   {own} of them by the data set's own split" if part != TRAIN and own else ""
            )
            if cropless := sum(split.missing.get(name, {}).values()):
                by_list += f"   {cropless} more have no crop"
            yield (
                _line(name, len(ages)) + (median or ("" if part == TEST else "   none!")) + by_list
            )
        sizes = np.bincount(split.group)
        yield _line("groups of copies", int((sizes > 1).sum())) + f"   largest {sizes.max()}"
        if people := Counter(filter(None, self.person)):
            several = sum(n > 1 for n in people.values())
            yield _line("people of several pictures", several) + f"   most {max(people.values())}"
        relabelled = split.ages.differ(Ages.of(self.label)) & ~left_out
        relabelled |= split.gender != self._genders()
        yield _line("labels merged within groups", int(relabelled.sum()))
        yield _line("no face found, place assumed", len(self) - sum(self.detected))
        for which, names in lists.items():
            found = self._rows_of(names)
            if missing := names - found.keys():
                yield _line(f"{which} list names not in the data", len(missing)) + (
                    f"   such as {min(missing)}; in the data are names such as {self.file[0]}"
                )
            if several := sum(len({self.dataset[i] for i in r}) > 1 for r in found.values()):
                yield _line(f"{which} list names in several data sets", several)
        yield from self.dropped.lines()


def _names_of(dataset: str, file: str) -> tuple[str, str, str]:
    """What a list may call a picture; the last one only where no other picture is called so."""
    return file, f"{dataset}/{file}", file.rpartition("/")[2]


def _line(what: str, n: int) -> str:
    return f"{what:42}{n:>8}"


@dataclass(frozen=True)
class Ages:
    """Per row: `age` float32, in the whole years `low` to `high` int16, as of `labels.Label`."""

    age: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @staticmethod
    def of(labels: list[Label]) -> Ages:
        return Ages(
            np.array([label.age for label in labels], np.float32),
            np.array([label.age_low for label in labels], np.int16),
            np.array([label.age_high for label in labels], np.int16),
        )

    def set(self, rows: np.ndarray, other: Ages) -> None:
        self.age[rows], self.low[rows], self.high[rows] = (
            other.age[rows],
            other.low[rows],
            other.high[rows],
        )

    def differ(self, other: Ages) -> np.ndarray:
        return (self.age != other.age) | (self.low != other.low) | (self.high != other.high)

    def merged(self, group: np.ndarray) -> Ages:
        """One label for each group (n,): the median of its exact ages; without any, what is
        common to its intervals; if nothing is, the medians of their ends and middles."""
        merged = Ages(self.age.copy(), self.low.copy(), self.high.copy())
        order = np.argsort(group, kind="stable")
        ends = np.nonzero(np.diff(group[order], append=-1))[0] + 1
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            if end - start > 1:
                members = order[start:end]
                age, low, high = self._common(members)
                merged.age[members], merged.low[members], merged.high[members] = age, low, high
        return merged

    def _common(self, members: np.ndarray) -> tuple[float, int, int]:
        exact = members[self.low[members] == self.high[members]]
        if len(exact):
            age = float(np.median(self.age[exact]))
            return age, int(age), int(age)
        low, high = int(self.low[members].max()), int(self.high[members].min())
        if low > high:
            low = int(np.median(self.low[members]))
            high = int(np.median(self.high[members]))
        return (low + high) / 2, low, high


def _kept_apart(part: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Which rows (n,) cannot be of their part, as they may be copies, in pairs (k, 2), of rows on
    which scores are made, or choices."""
    one, other = np.concatenate([pairs, pairs[:, ::-1]]).T
    tested = (part[one] == TEST) & np.isin(part[other], (TRAIN, DEV))
    chosen_on = (part[one] == DEV) & (part[other] == TRAIN)
    is_apart = np.zeros(len(part), bool)
    is_apart[other[tested | chosen_on]] = True
    return is_apart


def merged_genders(gender: np.ndarray, group: np.ndarray) -> np.ndarray:
    """(n,) the gender that most rows of each group (n,) have, of those where it is known; -1 where
    as many have one as the other."""
    n = len(group)
    males, females = (np.bincount(group[gender == of], minlength=n) for of in (MALE, FEMALE))
    merged = np.select([males > females, females > males], [MALE, FEMALE], UNKNOWN)
    return merged[group].astype(np.int8)


@dataclass(frozen=True)
class Split:
    """Per row: `part`, `group` of copies, merged `ages`, `gender` (merged unless the row is left
    out or of the test part), whether it repeats another's bytes, and whether it is left out because
    it may be a copy. `missing`: by part and data set, how many pictures have no crop."""

    part: np.ndarray
    group: np.ndarray
    ages: Ages
    gender: np.ndarray
    is_copy: np.ndarray
    is_apart: np.ndarray
    missing: Mapping[str, Mapping[str, int]]
