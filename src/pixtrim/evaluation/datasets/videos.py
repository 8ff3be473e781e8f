"""Video: clips of which frames are taken, CamVid frames with labels, DAVIS frames with masks."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixtrim.errors import InputError, require
from pixtrim.evaluation.datasets.adapters import (
    Layout,
    files_in,
    first_truth,
    pairs,
    read_bytes,
    register,
    sample,
)
from pixtrim.evaluation.datasets.photos import are_frames, read_mask
from pixtrim.evaluation.samples import Sample, Truth
from pixtrim.pixels import without_bomb_warning

__all__ = ["FRAMES", "camvid", "davis", "frames", "is_video", "videos"]

FRAMES: Final = 8
"""How many frames of a clip are taken, evenly spread over it."""

VIDEOS: Final = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".gif"})
"""What is taken for a video, by the ending of its name; a GIF only where it moves."""

# Beside one another, and as it is published.
_CAMVID: Final = (
    Layout("", "", "_labels.png"),
    *(Layout(part, f"{part}annot", ".png") for part in ("train", "val", "test")),
)
_DAVIS: Final = (
    Layout("", "", "_mask.png"),
    *(Layout(f"JPEGImages/{size}", f"Annotations/{size}", ".png") for size in ("480p", "Full-Resolution")),
)


def _is_camvid(root: Path) -> bool:
    return first_truth(root, _CAMVID) is not None


@register("camvid", "CamVid frames: x.png, x_labels.png with the class of each pixel", _is_camvid)
def camvid(root: Path) -> Iterator[Sample]:
    """Yield frames of CamVid; those of one drive (``0016E5_07999``) belong together."""
    for picture, path in pairs(root, _CAMVID):
        truth = Truth(segments=partial(_classes, path) if path else None)
        yield sample(root, picture, "video frame", truth, picture.stem.rpartition("_")[0])


def _classes(path: Path) -> NDArray[np.int64]:
    data = read_bytes(path)
    try:
        with without_bomb_warning(), Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            if picture.mode not in ("L", "P"):
                raise InputError(f"{path}: has the mode {picture.mode}, not one number for each pixel")
            return np.asarray(picture).astype(np.int64)
    except (OSError, ValueError, SyntaxError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: is not a picture of labels ({type(error).__name__}); get the file again") from error


def _is_davis(root: Path) -> bool:
    found = first_truth(root, _DAVIS)
    return found is not None and (found[0].parent != root or are_frames(root))


@register("davis", "DAVIS frames: 00000.jpg, 00000_mask.png with the object", _is_davis)
def davis(root: Path) -> Iterator[Sample]:
    """Yield frames of DAVIS with a mask of the object; those of one clip, a folder, belong together."""
    for picture, path in pairs(root, _DAVIS):
        truth = Truth(mask=partial(read_mask, path, picture, 0) if path else None)
        yield sample(root, picture, "video frame", truth, picture.parent.relative_to(root).as_posix())


def is_video(path: Path) -> bool:
    """Whether a file is a video by its name; a GIF where it has several frames."""
    suffix = path.suffix.lower()
    if suffix != ".gif":
        return suffix in VIDEOS
    try:
        with without_bomb_warning(), Image.open(path, formats=["GIF"]) as picture:
            return bool(getattr(picture, "is_animated", False))
    except (OSError, ValueError, EOFError):  # damaged: reading it as a picture says more
        return False


@register("videos", "clips, of which frames are taken: x.mp4, x.gif", lambda _: False)
def videos(root: Path) -> Iterator[Sample]:
    """Yield frames of all clips in a folder."""
    for path in files_in(root):
        if is_video(path):
            yield from frames(root, path)


def frames(root: Path, path: Path) -> Iterator[Sample]:
    """Yield up to `FRAMES` frames of a clip, which belong together, named by their times in seconds.

    The times of all frames are read out of the file; nothing is decoded before a frame is asked for.

    Raises
    ------
    InputError
        If the file is no video that can be read.
    MissingExtraError
        If PyAV is not installed.
    """
    times, unit = _times(path)
    count = min(FRAMES, len(times))
    clip = path.relative_to(root).as_posix()
    for taken in range(count):
        time = times[(2 * taken + 1) * len(times) // (2 * count)]
        yield Sample(f"{clip}#t={time * unit:.3f}", "video frame", partial(_frame, path, time), group=clip)


def _av(path: Path) -> Any:
    return require("av", "video", f"{path}: reading frames of a video")


def _open(av: Any, path: Path) -> Any:
    container = av.open(str(path))
    if not container.streams.video:
        container.close()
        raise InputError(f"{path}: has no video stream; give a file with moving pictures")
    return container


def _times(path: Path) -> tuple[list[int], float]:
    """Return when the frames are shown, in order, and the unit in seconds."""
    av = _av(path)
    try:
        with _open(av, path) as container:
            stream = container.streams.video[0]
            # The last packet only says that there are no more; some old containers hold decoding times alone.
            stamps = (p.pts if p.pts is not None else p.dts for p in container.demux(stream) if p.size)
            times = sorted({stamp for stamp in stamps if stamp is not None})
            unit = float(stream.time_base)
    except (av.FFmpegError, OSError) as error:
        raise _damaged(path, error) from error
    if not times:
        raise InputError(f"{path}: holds no frames; export the video again")
    return times, unit


def _frame(path: Path, time: int) -> bytes:
    """Return a frame as BMP, whose bytes, and with them the key of its results, no version of an encoder changes."""
    av = _av(path)
    try:
        with _open(av, path) as container:
            stream = container.streams.video[0]
            container.seek(time, stream=stream)
            frame = None
            for frame in container.decode(stream):
                if (frame.pts if frame.pts is not None else frame.dts or 0) >= time:
                    break
            if frame is None:
                raise InputError(f"{path}: there is no frame at {time * float(stream.time_base):.3f} s")
            turned = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
    except (av.FFmpegError, OSError) as error:
        raise _damaged(path, error) from error
    encoded = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(turned)).save(encoded, "BMP")
    return encoded.getvalue()


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: is no video that can be read ({type(error).__name__}); export it again")
