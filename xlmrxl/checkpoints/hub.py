"""From a name to files on disk: a local folder, a repository on the Hugging Face Hub, or the embedded default.

Knows nothing of what the files hold, and imports neither torch nor (until a Hub name is asked for) huggingface_hub.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xlmrxl.errors import CheckpointError, HubError, get_first_line

DEFAULT = "default"
"""The name of the checkpoint that comes with the package (a folder of that name is `./default`)."""


def get_default_folder() -> Path:
    """Return the folder of the embedded checkpoint."""
    return Path(__file__).parents[1] / "default"


def find_local_folder(name_or_path: str | os.PathLike[str]) -> Path | None:
    """Return the folder that a name means on this machine; None where it can only be a name on the Hub.

    Raises:
        CheckpointError: for a path that is no folder.
    """
    if name_or_path == DEFAULT:
        return get_default_folder()
    text = os.fspath(name_or_path)
    path = Path(name_or_path).expanduser()
    if text.strip() and path.is_dir():
        return path
    if path.is_file():
        raise CheckpointError(f"{text} is a file; give the folder that holds it, with its config.json.")
    looks_like_a_path = text.startswith((".", "~", os.sep)) or path.is_absolute() or text.count("/") > 1
    if re.match(r"https?://", text):
        raise CheckpointError("An address is no name of a model. Give the owner/name that is on its page on the Hub.")
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
    """Return where a file of a checkpoint lies, after downloading it if it has to come from the Hub.

    Args:
        name_or_path: a folder, a Hub repository (`facebook/xlm-roberta-xl`), or `"default"`.
        filename: the file's name inside it.
        revision: a branch, a tag or a commit on the Hub; the main branch if None.
        cache_dir: where downloads are kept; the Hub's usual place if None.
        token: what the Hub knows a person by; True: the one of `hf auth login`, False: none.
        local_files_only: take what was downloaded before, and ask no network.
        force_download: download the file again though it is there.
        subfolder: of the folder or the repository.
        required: whether its absence is an error; if not, None is returned.

    Raises:
        CheckpointError: the folder, the repository or the file is not there, or cannot be reached.
    """
    folder = find_local_folder(name_or_path)
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
    return _Request(
        name=os.fspath(name_or_path),
        path=path_in_repo,
        revision=revision,
        cache_dir=None if cache_dir is None else os.fspath(cache_dir),
        token=token,
        local_files_only=local_files_only,
        force_download=force_download,
        required=required,
    ).resolve()


@dataclass(frozen=True)
class _Failure:
    """What the Hub, the way to it, or the disk may answer instead of a file."""

    reason: str
    remedy: str
    from_cache: bool = True
    """Whether a file that was downloaded before serves instead: the repository itself is in order, as far as known."""


_ALTERNATIVE = f"give a folder that holds the model, or use {DEFAULT!r}, which needs no network"
_FAILURES = {
    "name": _Failure(
        "{name!r} is neither a folder nor a name on the Hub",
        "A name looks like 'facebook/xlm-roberta-xl'",
        from_cache=False,
    ),
    "gated": _Failure(
        "{name!r} asks for permission",
        "Accept its terms on its page on the Hub and log in with `hf auth login`",
        from_cache=False,
    ),
    "disabled": _Failure("The Hub has closed {name!r}", "Its page says why; choose another model", from_cache=False),
    "revision": _Failure("{name!r} has no revision {revision!r}", "Look it up on its page", from_cache=False),
    "entry": _Failure(
        "The repository {name!r} holds no {path}",
        f"Choose another; to use one of your own, {_ALTERNATIVE}",
        from_cache=False,
    ),
    "repository": _Failure(
        "There is no {name!r} on the Hub, or it is private",
        "Check the spelling, or log in with `hf auth login`",
        from_cache=False,
    ),
    "unauthorized": _Failure(
        "the Hub does not accept the login (401): the token is invalid or expired, or there is none",
        "Log in again with `hf auth login`, or check the token in HF_TOKEN or `token`",
    ),
    "forbidden": _Failure(
        "the token has no right to read it (403)",
        "Let the token read this repository, in its settings on the Hub, or log in with another by `hf auth login`",
    ),
    "rate limit": _Failure(
        "the Hub has had too many requests from here (429)",
        "Wait {wait} and try again; who is logged in (`hf auth login`) may ask more often",
    ),
    "server": _Failure("the Hub itself has a fault just now ({status})", f"Try again later, {_ALTERNATIVE}"),
    "offline": _Failure("local_files_only keeps the Hub from being asked", f"Leave it out once, {_ALTERNATIVE}"),
    "offline mode": _Failure("HF_HUB_OFFLINE keeps the Hub from being asked", f"Unset it once, {_ALTERNATIVE}"),
    "certificate": _Failure(
        "the certificate of what answers for the Hub is not trusted",
        "Name the certificates of your network in SSL_CERT_FILE and REQUESTS_CA_BUNDLE, and check the clock",
    ),
    "timeout": _Failure(
        "the Hub did not answer in time",
        "Try again; on a slow connection with HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT set to 60 seconds",
    ),
    "broken": _Failure("the connection to the Hub broke off", "Try again, over a steadier connection if there is one"),
    "network": _Failure(
        "the Hub cannot be reached",
        f"Check the network and its proxy and connect once to download it, {_ALTERNATIVE}",
    ),
    "stranger": _Failure(
        "what answers is not the Hub",
        "Look whether the network wants a login in the browser first, and what HF_ENDPOINT and the proxy are set to",
    ),
    "disk": _Failure("there is no space left for it ({cache})", "Make space, or name another disk in HF_HOME"),
    "cache": _Failure(
        "the cache cannot be used ({cache})",
        "Check the rights of its folder, or name another in HF_HOME or `cache_dir`",
    ),
    "other": _Failure("{error}", f"Check the network and the free disk space, {_ALTERNATIVE}"),
}
"""All that can go wrong with a name on the Hub: what is said of it, and what to do about it."""

_KIND_OF_STATUS = {
    401: "unauthorized",
    403: "forbidden",
    404: "repository",
    407: "network",
    408: "timeout",
    429: "rate limit",
}
_KIND_OF_ERRNO = {
    **dict.fromkeys((errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)), "disk"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST), "cache"),
}
_KIND_OF_ANSWER = {
    "GatedRepoError": "gated",
    "DisabledRepoError": "disabled",
    "RevisionNotFoundError": "revision",
    "EntryNotFoundError": "entry",
    "RepositoryNotFoundError": "repository",
}
_KIND_OF_CLASS = {
    "HFValidationError": "name",
    "LocalTokenNotFoundError": "unauthorized",
    "OfflineModeIsEnabled": "offline mode",
    **dict.fromkeys(("ConnectionRefusedError", "gaierror", "NameResolutionError"), "network"),
    **dict.fromkeys(("TimeoutException", "Timeout", "TimeoutError"), "timeout"),
    **dict.fromkeys(("ReadError", "WriteError", "CloseError", "ProtocolError", "ChunkedEncodingError"), "broken"),
    **dict.fromkeys(("ConnectionResetError", "BrokenPipeError", "IncompleteRead"), "broken"),
    **dict.fromkeys(("NetworkError", "ProxyError", "ConnectionError"), "network"),
    **dict.fromkeys(("JSONDecodeError", "FileMetadataError"), "stranger"),
    **dict.fromkeys(("UnsupportedProtocol", "InvalidURL", "InvalidSchema", "MissingSchema"), "stranger"),
}
"""Classes by their names, in the order they count: huggingface_hub stands on requests or on httpx, by its version."""


def _list_causes(error: BaseException) -> list[BaseException]:
    """List an error and the ones that led to it, the latest first."""
    found: list[BaseException] = []
    while error not in found and len(found) < 16:
        found.append(error)
        before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if before is None:
            break
        error = before
    return found


def _classify_error(error: BaseException) -> str:
    """Say which of the failures an error is."""
    causes = _list_causes(error)
    for cause in causes:
        response = getattr(cause, "response", None)
        if response is None:
            continue
        status = response.status_code
        kind = _find_kind(_KIND_OF_ANSWER, [cause]) or _KIND_OF_STATUS.get(
            status, "server" if status >= 500 else "other"
        )
        if status == 401 and kind in ("repository", "unauthorized"):
            # The Hub says 401 of what is not there as well, and huggingface_hub takes an expired token for that.
            return "unauthorized" if _has_refused_token(response) else "repository"
        return kind
    if any("CERTIFICATE_VERIFY_FAILED" in str(cause) for cause in causes):
        return "certificate"
    if kind := _find_kind(_KIND_OF_CLASS, causes):
        return kind
    numbers = [getattr(cause, "errno", None) for cause in causes]
    return next((_KIND_OF_ERRNO[number] for number in numbers if number in _KIND_OF_ERRNO), "other")


def _find_kind(kinds: dict[str, str], errors: list[BaseException]) -> str:
    """Return the first kind whose class is among those of some errors, or an empty text."""
    names = {each.__name__ for error in errors for each in type(error).__mro__}
    return next((kind for name, kind in kinds.items() if name in names), "")


def _has_refused_token(response: Any) -> bool:
    """Say whether the request came with a token, which the Hub then did not know, rather than the repository."""
    sent = getattr(getattr(response, "request", None), "headers", None) or {}
    return "authorization" in {name.lower() for name in sent} and response.headers.get("X-Error-Code") != "RepoNotFound"


def _read_waiting_time(error: BaseException) -> str:
    """Say how long the Hub asks to wait."""
    from email.utils import mktime_tz, parsedate_tz  # noqa: PLC0415 - a date is rarely what it says

    for cause in _list_causes(error):
        headers = getattr(getattr(cause, "response", None), "headers", None) or {}
        after = str(headers.get("Retry-After") or "").strip()
        reset = re.search(r"\bt=(\d{1,9})\b", str(headers.get("RateLimit") or ""))
        if re.fullmatch(r"\d{1,9}", after):
            return f"{int(after)} seconds"
        if after and (date := parsedate_tz(after)):
            return f"{max(1, round(mktime_tz(date) - time.time()))} seconds"
        if reset:
            return f"{reset[1]} seconds"
    return "some minutes"


def _redact(text: str) -> str:
    """Take addresses, which may hold a password or a signature, and tokens out of a text."""
    return re.sub(r"\bhf_\w+|\b[Bb]earer \S+", "…", re.sub(r"\w+://[^\s'\"]+", "the address", text))


_MAX_LISTINGS = 16
_RETRY_SECONDS = 60.0
"""Seconds for which a Hub that could not be asked is not asked again about files that need not be downloaded."""
_listings: dict[tuple[str, str | None, str], tuple[str, frozenset[str]]] = {}
_failure_times: dict[tuple[str, str | None, str], float] = {}


@dataclass(frozen=True)
class _Request:
    """One file of a Hub repository."""

    name: str
    path: str
    revision: str | None
    cache_dir: str | None
    token: str | bool | None = field(repr=False)
    local_files_only: bool
    force_download: bool
    required: bool

    def resolve(self) -> Path | None:
        """Return where the file lies, after downloading it if need be; None where it is neither there nor required.

        Raises:
            HubError: for all that `_FAILURES` lists.
        """
        try:
            from huggingface_hub import constants, hf_hub_download  # noqa: PLC0415 - a third of a second
            from huggingface_hub.utils._validators import validate_repo_id  # noqa: PLC0415
        except ValueError:  # it reads the address when it is imported
            raise HubError("HF_ENDPOINT is no address. Unset it, or write it as https://HOST.") from None
        try:
            validate_repo_id(self.name)
            before = self._find_in_cache(self.revision)
        except Exception as error:
            raise self._make_error(error) from None
        if self.local_files_only or constants.HF_HUB_OFFLINE:
            return self._fall_back_to_cache(before, "offline" if self.local_files_only else "offline mode")
        needless = not self.force_download and (before is not None or not self.required)
        if needless and time.monotonic() - _failure_times.get(self._make_key(), -_RETRY_SECONDS) < _RETRY_SECONDS:
            return before
        try:
            commit, files = self._fetch_listing()
        except Exception as error:
            kind = _classify_error(error)
            if not _FAILURES[kind].from_cache:
                raise self._make_error(error) from None
            # No network, or a server that is down: what is in the cache still serves.
            if len(_failure_times) >= _MAX_LISTINGS:
                _failure_times.clear()
            _failure_times[self._make_key()] = time.monotonic()
            return self._fall_back_to_cache(before, kind, error)
        if self.path not in files:
            return self._fall_back_to_cache(None, "entry")
        try:
            cached = None if self.force_download else self._find_in_cache(commit)
            return cached or Path(
                hf_hub_download(
                    self.name,
                    self.path,
                    revision=self.revision,
                    cache_dir=self.cache_dir,
                    token=self.token,
                    force_download=self.force_download,
                )
            )
        except Exception as error:
            raise self._make_error(error) from None

    def _make_key(self) -> tuple[str, str | None, str]:
        """Name what a listing is of, and who asked, without holding on to the token."""
        return self.name, self.revision, hashlib.sha256(repr(self.token).encode()).hexdigest()

    def _fetch_listing(self) -> tuple[str, frozenset[str]]:
        """Return the commit that a revision means and the files it has.

        Asked once a process, so that the files of a model are all of one commit even if it changes meanwhile.
        """
        from huggingface_hub import HfApi, constants  # noqa: PLC0415

        key = self._make_key()
        listing = _listings.get(key)
        if listing is None:
            timeout = constants.HF_HUB_ETAG_TIMEOUT
            info = HfApi().model_info(self.name, revision=self.revision, token=self.token, timeout=timeout)
            while len(_listings) >= _MAX_LISTINGS:
                _listings.pop(next(iter(_listings)), None)
            listing = str(info.sha), frozenset(file.rfilename for file in info.siblings or ())
            _listings[key] = listing
            _failure_times.pop(key, None)
        return listing

    def _find_in_cache(self, revision: str | None) -> Path | None:
        """Return where the file lies in the cache, if it does."""
        from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415

        found = try_to_load_from_cache(self.name, self.path, cache_dir=self.cache_dir, revision=revision)
        return Path(found) if isinstance(found, str) else None

    def _fall_back_to_cache(self, cached: Path | None, kind: str, error: BaseException | None = None) -> Path | None:
        """Return a file that was downloaded before, or None where it need not be there.

        Raises:
            HubError: there is none, or it was to be downloaded again.
        """
        if self.force_download and _FAILURES[kind].from_cache:
            raise self._make_error(error, kind) from None
        if cached is None and self.required:
            raise self._make_error(error, kind) from None
        return cached

    def _make_error(self, error: BaseException | None, kind: str = "") -> HubError:
        """Make the sentence for a failure."""
        from huggingface_hub import constants  # noqa: PLC0415

        error = error or HubError()
        kind = kind or _classify_error(error)
        failure = _FAILURES[kind]
        answers = [
            each for each in (getattr(cause, "response", None) for cause in _list_causes(error)) if each is not None
        ]
        sentence = f"{failure.reason}. {failure.remedy}.".format(
            name=self.name,
            path=self.path,
            revision=self.revision,
            cache=self.cache_dir or constants.HF_HUB_CACHE,
            error=f"{type(error).__name__}: {_redact(get_first_line(error)).rstrip('.')}",
            status=answers[0].status_code if answers else "",
            wait=_read_waiting_time(error),
        )
        if failure.from_cache:
            absent = "cannot be downloaded again" if self.force_download else "is not in the local cache"
            sentence = f"{self.path} of {self.name!r} {absent}: {sentence}"
        return HubError(sentence)
