"""From a name to files on disk: a local folder, a repository on the Hugging Face Hub, or the embedded default.

Knows nothing of what the files hold, and imports neither torch nor (until a Hub name is asked for) huggingface_hub.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

DEFAULT = "default"
"""The name of the checkpoint that comes with the package (a folder of that name is `./default`)."""


class CheckpointError(OSError):
    """A checkpoint that cannot be found or read. The message names the file and what to do."""


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
    options: dict[str, Any] = {
        "revision": revision,
        "cache_dir": cache_dir,
        "token": token,
        "local_files_only": local_files_only,
        "force_download": force_download,
        "subfolder": subfolder or None,
    }
    return _download(os.fspath(name_or_path), filename, options, required=required)


def _download(name: str, filename: str, options: dict[str, Any], *, required: bool) -> Path | None:
    from huggingface_hub import hf_hub_download  # noqa: PLC0415 - a third of a second nobody needs for a local folder
    from huggingface_hub import errors as hub  # noqa: PLC0415

    try:
        return Path(hf_hub_download(name, filename, **options))
    except hub.HFValidationError:
        raise CheckpointError(
            f"{name!r} is neither a folder nor a name on the Hub. A name looks like 'facebook/xlm-roberta-xl'."
        ) from None
    except hub.LocalEntryNotFoundError:
        if not required and options["local_files_only"]:
            return None
        raise CheckpointError(
            f"{filename} of {name!r} is not in the local cache and the Hub cannot be reached. Connect once to download "
            f"it, give a folder that holds it, or use {DEFAULT!r}, which needs no network."
        ) from None
    except hub.GatedRepoError:
        raise CheckpointError(
            f"{name!r} asks for permission. Accept its terms on its page on the Hub and log in with `hf auth login`."
        ) from None
    except hub.RepositoryNotFoundError:
        raise CheckpointError(
            f"There is no {name!r} on the Hub, or it is private. Check the spelling, or log in with `hf auth login`."
        ) from None
    except hub.RevisionNotFoundError:
        raise CheckpointError(f"{name!r} has no revision {options['revision']!r}. Look it up on its page.") from None
    except hub.EntryNotFoundError:
        if not required:
            return None
        raise CheckpointError(f"The repository {name!r} holds no {filename}, so it cannot be loaded here.") from None
    except (hub.HfHubHTTPError, OSError) as error:
        reason = str(error).strip().splitlines()
        raise CheckpointError(
            f"{filename} of {name!r} could not be downloaded ({reason[0] if reason else type(error).__name__}). "
            f"Check the network and the free disk space, or use {DEFAULT!r}, which needs neither."
        ) from error
