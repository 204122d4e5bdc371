"""From a name to files on disk: a local folder, a repository on the Hugging Face Hub, or the embedded default.

Knows nothing of what the files hold, and imports neither torch nor (until a Hub name is asked for) huggingface_hub.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

DEFAULT = "default"
"""The name of the checkpoint that comes with the package (a folder of that name is `./default`)."""


class CheckpointError(OSError):
    """A checkpoint that cannot be found or read. The message names the file and what to do."""


def first_line(error: BaseException) -> str:
    """Return what an error says first, for a message that names the cause in passing."""
    lines = str(error).strip().splitlines()
    return shorten(lines[0], 300) if lines else type(error).__name__


def shorten(text: str, most: int = 80) -> str:
    """Return a text as a message may show it, cut in the middle where it is long."""
    half = (most - 3) // 2
    return text if len(text) <= most else f"{text[:half]}...{text[-half:]}"


def describe(value: object, most: int = 80) -> str:
    """Return the repr of a value as a message may show it, whatever the value is."""
    try:
        return shorten(repr(value), most)
    except (RecursionError, ValueError):  # nested without end, or a number of thousands of digits
        return f"a {type(value).__name__}"


def default_folder() -> Path:
    """The folder of the embedded checkpoint."""
    return Path(__file__).parent / "default"


def local_folder(name_or_path: str | os.PathLike[str]) -> Path | None:
    """The folder that a name means on this machine, or None where it can only be a name on the Hub.

    Raises:
        CheckpointError: for a path that is no folder.
    """
    if name_or_path == DEFAULT:
        return default_folder()
    text = os.fspath(name_or_path)
    path = Path(name_or_path).expanduser()
    if text.strip() and path.is_dir():
        return path
    if path.is_file():
        raise CheckpointError(f"{text} is a file; give the folder that holds it, with its config.json.")
    looks_like_a_path = text.startswith((".", "~", os.sep)) or path.is_absolute() or text.count("/") > 1
    if looks_like_a_path or not text.strip():
        raise CheckpointError(
            f"There is no folder {text!r}. Give a folder that holds a checkpoint, a name on the Hub such as "
            f"'facebook/xlm-roberta-xl', or {DEFAULT!r} for the embedded model."
        )
    return None


def resolve_file(
    name_or_path: str | os.PathLike[str],
    filename: str,
    *,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    force_download: bool = False,
    subfolder: str = "",
    required: bool = True,
) -> Path | None:
    """Where one file of a checkpoint lies, after downloading it if it has to come from the Hub.

    Args:
        name_or_path: a folder, a Hub repository (`facebook/xlm-roberta-xl`), or `"default"`.
        filename: the file's name inside it.
        required: whether its absence is an error; if not, None is returned.

    Raises:
        CheckpointError: the folder, the repository or the file is not there, or cannot be reached.
    """
    folder = local_folder(name_or_path)
    if folder is not None:
        path = folder / subfolder / filename
        if path.is_file():
            return path
        if not required:
            return None
        raise CheckpointError(
            f"{folder / subfolder} holds no {filename}. Check that this is the folder of a checkpoint "
            "and that it was copied or downloaded completely."
        )
    path_in_repo = f"{subfolder}/{filename}" if subfolder else filename
    try:
        found = _download(
            os.fspath(name_or_path), path_in_repo, revision, token, cache_dir, local_files_only, force_download
        )
    except _NotCached:
        found = None
        reason = f"{filename} of {name_or_path!r} is not in the local cache and the Hub cannot be reached. Connect once"
    else:
        reason = f"The repository {name_or_path!r} holds no {path_in_repo}. Choose another; to use one of your own,"
    if found is None and required:
        raise CheckpointError(
            f"{reason} to download it, give a folder that holds it, or use {DEFAULT!r}, which needs no network."
        )
    return found


class _NotCached(Exception):
    """The Hub cannot be asked, and the file was not downloaded before."""


@lru_cache(maxsize=16)
def _listing(name: str, revision: str | None, token: str | bool | None) -> tuple[str, frozenset[str]]:
    """The commit that a revision means and the files it has.

    Asked once a process, so that the files of a model are all of one commit even if it changes meanwhile.
    """
    from huggingface_hub import HfApi  # noqa: PLC0415 - a third of a second nobody needs for a local folder

    info = HfApi().model_info(name, revision=revision, token=token, timeout=10)
    return str(info.sha), frozenset(file.rfilename for file in info.siblings or ())


def _download(
    name: str,
    path: str,
    revision: str | None,
    token: str | bool | None,
    cache_dir: str | os.PathLike[str] | None,
    local_files_only: bool,
    force_download: bool,
) -> Path | None:
    """A file of a Hub repository, or None where the repository has none; without a network, from the cache."""
    from huggingface_hub import errors, hf_hub_download, try_to_load_from_cache  # noqa: PLC0415
    from huggingface_hub.utils._validators import validate_repo_id  # noqa: PLC0415

    cache = None if cache_dir is None else os.fspath(cache_dir)
    try:
        validate_repo_id(name)
        if not local_files_only:
            try:
                commit, files = _listing(name, revision, token)
            except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
                raise
            except Exception:
                # No network, a server that is down, or offline mode: what is in the cache still serves.
                local_files_only = True
            else:
                if path not in files:
                    return None
                cached = try_to_load_from_cache(name, path, cache_dir=cache, revision=commit)
                if isinstance(cached, str) and not force_download:
                    return Path(cached)
        return Path(
            hf_hub_download(
                name,
                path,
                revision=revision,
                cache_dir=cache,
                token=token,
                force_download=force_download,
                local_files_only=local_files_only,
            )
        )
    except errors.HFValidationError:
        raise CheckpointError(
            f"{name!r} is neither a folder nor a name on the Hub. A name looks like 'facebook/xlm-roberta-xl'."
        ) from None
    except errors.LocalEntryNotFoundError:
        raise _NotCached from None
    except errors.GatedRepoError:
        raise CheckpointError(
            f"{name!r} asks for permission. Accept its terms on its page on the Hub and log in with `hf auth login`."
        ) from None
    except errors.RepositoryNotFoundError:
        raise CheckpointError(
            f"There is no {name!r} on the Hub, or it is private. Check the spelling, or log in with `hf auth login`."
        ) from None
    except errors.RevisionNotFoundError:
        raise CheckpointError(f"{name!r} has no revision {revision!r}. Look it up on its page.") from None
    except (errors.HfHubHTTPError, OSError) as error:
        raise CheckpointError(
            f"{path} of {name!r} could not be downloaded ({first_line(error)}). "
            f"Check the network and the free disk space, or use {DEFAULT!r}, which needs neither."
        ) from error
