"""Files that are either absent or complete, whenever the process that writes them is killed."""

from etils import epath


def write_whole(path: epath.Path, text: str) -> None:
    """Write a text file in one indivisible act: rename on a local disk, a single object on gs://.

    Raises `OSError` if that cannot be; what the file held before is then intact.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if "://" in str(path):
        path.write_text(text)
        return
    part = path.parent / f".{path.name}.part"
    try:
        part.write_text(text)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
