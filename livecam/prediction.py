"""Ages and genders of pictures, batched across pictures: the library call and the command's rows.

The library gives a `Face` for each face; a row of the command is one with the name of its file
before it. README says what each key is.
"""

from __future__ import annotations

import copy
import operator
import os
import shlex
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cache
from typing import Any, NotRequired, TypedDict, TypeVar, overload

import numpy as np

from livecam import MAX_PIXELS
from livecam.ages import at_least, median_age
from livecam.config import Config, load_config
from livecam.crops import aligned_crops, assumed_landmarks
from livecam.datatypes import AGES, AgeGender, Faces, Image
from livecam.errors import LivecamError, UsageError
from livecam.inputs import CLIP_SUFFIXES, Input, Opened
from livecam.pictures import read_picture
from livecam.pipeline import Models
from livecam.threads import POLL_S

Row = dict[str, Any]
Source = str | os.PathLike[str] | np.ndarray
T = TypeVar("T")

BATCH = 64
BATCH_BYTES = 64_000_000  # of decoded pictures
FETCHED_BYTES = 4 * MAX_PIXELS  # of a picture; a camera's address may give bytes for ever
NO_LISTS = (bytes, bytearray, memoryview)  # although one may go through them
READERS = 4  # threads; decoding and network wait outside of Python's lock


class Face(TypedDict):
    """A face in a picture; `livecam predict --json` has the same keys, and `file` before them."""

    face: int  # from 1, from left to right
    xyxy: list[float]  # px
    confidence: float
    age: float  # years
    age_low: int
    age_high: int
    age_bin: str
    bins: dict[str, float]
    female_prob: float | None
    over: NotRequired[dict[str, float]]


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """`assume_face`: every picture is one cropped face. `over`: ages to give P(age >= a) for."""

    assume_face: bool = False
    gender: bool = True
    over: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of one input, or why there are none."""

    name: str
    rows: list[Row]
    error: str | None = None


@overload
def predict(
    source: Source,
    *,
    assume_face: bool = False,
    over: int | Iterable[int] = (),
    scheme: str | None = None,
) -> list[Face]: ...
@overload
def predict(
    source: list[Any] | tuple[Any, ...] | Iterator[Any],
    *,
    assume_face: bool = False,
    over: int | Iterable[int] = (),
    scheme: str | None = None,
) -> list[list[Face]]: ...
def predict(
    source: Source | Iterable[Any],
    *,
    assume_face: bool = False,
    over: int | Iterable[int] = (),
    scheme: str | None = None,
) -> list[Face] | list[list[Face]]:
    """The faces in a picture, from left to right, as dicts with the keys of `predict --json`
    but `file`.

    `source` is a path, a URL, an array (H, W, 3) or (H, W) RGB uint8 or float in [0, 1], or a
    list or iterator of these, which gives a list of answers. A picture without a face gives [].
    `assume_face`: every picture is one cropped face. `over`: an age in years, or several, to give
    the probability of being as old or older for. `scheme`: the name of an age scheme; without it,
    and for all else, the settings in force count.
    Raises TypeError for another source, LivecamError if a picture cannot be read, UsageError for an
    unknown scheme or an age that is none from 0 to 100.
    """
    if isinstance(source, (str, os.PathLike, np.ndarray)):
        (faces,) = predict([source], assume_face=assume_face, over=over, scheme=scheme)
        return faces
    if isinstance(source, NO_LISTS) or not isinstance(source, Iterable):
        raise _no_source(source)
    if isinstance(source, Sequence):  # before the work; an iterator may give more than memory holds
        for one in source:
            _require_source(one)
    ages = _ages(over)
    models = _models(scheme)
    options = PredictOptions(assume_face, models.config.overlay.gender, ages)
    batches = _batches(map(_as_bgr, source), lambda picture: picture.nbytes)
    return [faces for batch in batches for faces in faces_of(batch, models, options)]


def _require_source(given: object) -> None:
    if not isinstance(given, (str, os.PathLike, np.ndarray)):
        raise _no_source(given)


def _no_source(given: object) -> TypeError:
    kind = type(given).__qualname__
    return TypeError(f"expected a path, a URL, an array or a list of these, received {kind}")


def _ages(over: int | Iterable[int]) -> tuple[int, ...]:
    ages = tuple(map(operator.index, over if isinstance(over, Iterable) else [over]))
    for age in ages:
        if not 0 <= age < AGES:
            raise UsageError(f"over: expected an age from 0 to {AGES - 1}, received {age}")
    return ages


@cache
def _models(scheme: str | None) -> Models:
    """One of each network, whatever the schemes."""
    config = load_config(flags={"ages.scheme": scheme}, origins={"ages.scheme": "scheme"})
    with _loading:
        for loaded in _loaded:
            if _networks(loaded.config) == _networks(config):
                models = copy.copy(loaded)
                models.config = config
                return models
        _loaded.append(Models(config))
        return _loaded[-1]


_loaded: list[Models] = []
_loading = threading.Lock()


def _networks(config: Config) -> tuple[object, ...]:
    """What decides which they are."""
    return config.classifier, config.detector, config.runtime


def _as_bgr(source: Source) -> Image:
    _require_source(source)
    if isinstance(source, np.ndarray):
        return _array_as_bgr(source)
    with Opened(Input.typed(os.fsdecode(source)), FETCHED_BYTES) as opened:
        return _picture(opened)


def _picture(opened: Opened) -> Image:
    name = opened.input.name
    if opened.input.suffix in CLIP_SUFFIXES:
        hint = f"label clips with: livecam annotate {shlex.quote(name)}"
        raise LivecamError(f"{name}: not a picture; {hint}")
    return read_picture(name, opened.path)


def _array_as_bgr(array: np.ndarray) -> Image:
    """RGB or grey, uint8 or float in [0, 1] -> BGR uint8."""
    is_picture = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    if not is_picture or not array.size:
        raise LivecamError(
            f"array: expected shape (H, W, 3) RGB or (H, W) grey, received {array.shape}"
        )
    if array.dtype.kind == "f":
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise LivecamError("array: expected floats from 0 to 1, or uint8 from 0 to 255")
        array = (array * 255).round().astype(np.uint8)
    if array.dtype != np.uint8:
        raise LivecamError(f"array: expected uint8 or float, received {array.dtype}")
    rgb = array[..., None] if array.ndim == 2 else array[..., :3]
    return np.ascontiguousarray(np.broadcast_to(rgb[..., ::-1], (*rgb.shape[:2], 3)))


def answers(inputs: Sequence[Input], models: Models, options: PredictOptions) -> Iterator[Answer]:
    """One answer for each input, in order; read by several threads, labelled in batches."""
    stop = threading.Event()
    pool = ThreadPoolExecutor(READERS)
    try:
        for batch in _batches(_read_ahead(pool, inputs, stop), lambda read: read.size):
            pictures = [read.picture for read in batch if read.picture is not None]
            found = iter(faces_of(pictures, models, options))
            for read in batch:
                name = read.source.name
                if read.picture is None:
                    yield Answer(name, [], read.error)
                else:
                    rows: list[Row] = [{"file": name, **face} for face in next(found)]
                    yield Answer(name, rows or [_no_face(name, options)])
    finally:
        stop.set()  # interrupted, nobody waits for what is still on its way
        pool.shutdown(wait=False, cancel_futures=True)


def _batches(items: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """Lists of at most BATCH items that end with the one that makes BATCH_BYTES full."""
    batch: list[T] = []
    total = 0
    for item in items:
        batch.append(item)
        total += size(item)
        if len(batch) == BATCH or total >= BATCH_BYTES:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


def _read_ahead(
    pool: ThreadPoolExecutor, inputs: Sequence[Input], stop: threading.Event
) -> Iterator[_Read]:
    """The pictures in order, with no more than READERS of them decoded and waiting."""
    waiting: deque[Future[_Read]] = deque()
    for source in inputs:
        waiting.append(_submitted(pool, source, stop))
        if len(waiting) > READERS:
            yield _awaited(waiting.popleft())
    while waiting:
        yield _awaited(waiting.popleft())


def _awaited(future: Future[_Read]) -> _Read:
    """Looks up now and then: before Python 3.14, Ctrl-C waits as long as a lock on Windows."""
    while not wait([future], POLL_S).done:
        pass
    return future.result()


def _submitted(pool: ThreadPoolExecutor, source: Input, stop: threading.Event) -> Future[_Read]:
    if not source.is_stream:
        return pool.submit(_read, source, stop)
    done: Future[_Read] = Future()  # in this thread, which Ctrl-C ends although nothing comes
    done.set_result(_read(source, stop))
    return done


@dataclass(frozen=True, slots=True)
class _Read:
    """An input, and its picture or why there is none."""

    source: Input
    picture: Image | None = None
    error: str | None = None

    @property
    def size(self) -> int:
        return 0 if self.picture is None else self.picture.nbytes


def _read(source: Input, stop: threading.Event) -> _Read:
    try:
        with Opened(source, FETCHED_BYTES, stop) as opened:
            return _Read(source, _picture(opened))
    except LivecamError as error:
        return _Read(source, error=str(error))


def faces_of(
    pictures: Sequence[Image], models: Models, options: PredictOptions
) -> list[list[Face]]:
    """The faces in each BGR picture: one detection and one classification for all."""
    if options.assume_face:
        found = [
            faces if len(faces) else _assumed(picture)
            for picture, faces in zip(pictures, models.detector.find_main(pictures), strict=True)
        ]
    else:
        found = models.detector.find_in_pictures(pictures)
    found = [faces[np.argsort(faces.xyxy[:, 0], kind="stable")] for faces in found]
    crops = [
        aligned_crops(picture, faces.landmarks)
        for picture, faces in zip(pictures, found, strict=True)
    ]
    answer = models.classify_once(np.concatenate(crops)) if crops else AgeGender.none()
    said = _said(found, answer, models, options)
    return [[next(said) for _ in range(len(faces))] for faces in found]


def _assumed(picture: Image) -> Faces:
    """A tight crop in which no face was found: the whole of it, with no confidence."""
    height, width = picture.shape[:2]
    xyxy = np.array([[0, 0, width, height]], np.float32)
    return Faces(xyxy, np.zeros(1, np.float32), assumed_landmarks((width, height)))


def _said(
    found: Sequence[Faces], answer: AgeGender, models: Models, options: PredictOptions
) -> Iterator[Face]:
    scheme = models.config.scheme
    ages = median_age(answer.age_probs)
    ranges = models.classifier.age_range(answer.age_probs)
    bins = scheme.bin_probs(answer.age_probs)
    over = {str(age): at_least(answer.age_probs, age) for age in options.over}
    i = 0
    for faces in found:
        for face in range(len(faces)):
            said: Face = {
                "face": face + 1,
                "xyxy": [round(float(v), 1) for v in faces.xyxy[face]],
                "confidence": round(float(faces.confidence[face]), 4),
                "age": round(float(ages[i]), 2),
                "age_low": int(ranges[i, 0]),
                "age_high": int(ranges[i, 1]),
                "age_bin": scheme.labels[int(np.argmax(bins[i]))],
                "bins": {
                    label: round(float(p), 5)
                    for label, p in zip(scheme.labels, bins[i], strict=True)
                },
                "female_prob": round(float(answer.female_prob[i]), 4) if options.gender else None,
            }
            if over:
                said["over"] = {age: round(float(p[i]), 4) for age, p in over.items()}
            yield said
            i += 1


KEYS = tuple(key for key in Face.__annotations__ if key != "over")  # that every row has


def _no_face(name: str, options: PredictOptions) -> Row:
    keys = (*KEYS, "over") if options.over else KEYS
    return {"file": name, **dict.fromkeys(keys)}
