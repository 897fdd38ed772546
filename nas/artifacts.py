"""Where the weights of candidates lie: in the search's own folder, or in one that all nodes of a cluster see."""

from pathlib import Path

from sr.errors import InputError

_FOLDER = "candidates"


def weights_folder(out: Path, artifacts: Path | None) -> Path:
    """Return the folder of the weights, as a path that is the same on every node which sees it.

    Args:
        out: Of the search.
        artifacts: The folder that they lie in instead, of this search alone; `out`/candidates becomes a link to it.

    Raises:
        InputError: Where the weights already lie elsewhere, or the link cannot be made.
    """
    own = out / _FOLDER
    if artifacts is None:
        return own.resolve()
    there = artifacts.resolve()
    try:
        for folder in (there, out):
            folder.mkdir(parents=True, exist_ok=True)
        if not own.exists() and not own.is_symlink():
            own.symlink_to(there, target_is_directory=True)
    except OSError as error:
        why = error.strerror or error
        raise InputError(f"--artifacts {artifacts}: {why}; name a folder that can be written") from error
    if own.resolve() != there:
        lie = own.resolve()
        raise InputError(f"--artifacts {artifacts}: the weights of this search lie in {lie}; give that, or move them")
    return there
