"""Writing files so that a reader never sees half of one; what a reader sees of a file that is damaged all the same."""
from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

# Whatever h5py raises where the bytes of a file are not what they should be (found by flipping them).
DAMAGE = (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError)


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary name beside `path`; on success it becomes `path`, on any exception it vanishes."""
    path = Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    try:
        yield Path(temporary)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load_numpy(path: str | os.PathLike) -> np.ndarray | dict[str, np.ndarray]:
    """The array of a .npy file, or those of a .npz file by name. ValueError whatever is wrong with its bytes."""
    import zipfile
    import zlib

    import numpy as np

    try:
        loaded = np.load(path, allow_pickle=False)
        return loaded if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
    except FileNotFoundError:
        raise
    except (*DAMAGE, EOFError, SyntaxError, zipfile.BadZipFile, zlib.error) as e:
        raise ValueError(f"{path} is not a NumPy file, or a damaged one") from e


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
