"""What Spaces take: the keys of a README's front matter and their values, versions, and limits.

From the Hub's documentation (spaces-config-reference, spaces-zerogpu, spaces-overview, repositories) in the autumn of
2026; what a rule says of a value completes the sentence "KEY …".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import regex

Rule = Callable[[Any], str | None]
"""What is wrong with a value, or None."""

KINDS = ("cpu", "zerogpu")
PYTHONS = {"cpu": ("3.10", "3.11", "3.12", "3.13"), "zerogpu": ("3.12.12", "3.10.13")}
"""The versions that a kind of Space can be built for; a CPU Space takes the newest of a series."""
TORCHES = ("2.8.0", "2.9.1", "2.10.0", "2.11.0", "2.12.1", "2.13.0")
"""The versions of torch that ZeroGPU has patches for; the last two since September 2026."""
BITSANDBYTES = (0, 46)
"""The first that ZeroGPU can pretend a GPU to."""
MEMORY = 16_000_000_000
"""Bytes of memory that a Space on `cpu-basic` has."""
LARGE = 10_000_000
"""Bytes from which git takes a file through LFS alone."""
TOTAL = 1_000_000_000
"""Bytes that a Space's repository may hold."""
ZEROGPU = "zero-a10g"

COLOURS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
HARDWARE = (
    *("cpu-basic", "cpu-upgrade", ZEROGPU, "t4-small", "t4-medium", "l4x1", "l4x4", "l40sx1", "l40sx4", "l40sx8"),
    *("a10g-small", "a10g-large", "a10g-largex2", "a10g-largex4", "a100-large", "a100x4", "a100x8"),
    *("rtx-pro-6000", "rtx-pro-6000x2", "rtx-pro-6000x4", "rtx-pro-6000x8"),
)
HEADERS = ("cross-origin-embedder-policy", "cross-origin-opener-policy", "cross-origin-resource-policy")
NAME = r"[A-Za-z0-9][\w.-]*/[\w.-]+"
"""Of a repository: its owner and itself."""
SHORT = 60  # characters of a short_description


def check_text(value: Any) -> str | None:
    """Return what is wrong with a text."""
    return None if isinstance(value, str) and value.strip() else "must be a text"


def check_boolean(value: Any) -> str | None:
    """Return what is wrong with a truth value."""
    return None if isinstance(value, bool) else "must be true or false"


def build_whole_rule(most: int) -> Rule:
    """Return a rule for whole numbers from 1 to `most`."""

    def rule(value: Any) -> str | None:
        right = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most
        return None if right else f"must be a whole number up to {most}"

    return rule


def build_choice_rule(*names: str) -> Rule:
    """Return a rule for one of some names."""
    return lambda value: None if value in names else f"must be one of {', '.join(names)}"


def build_pattern_rule(pattern: str, what: str) -> Rule:
    """Return a rule for texts of a pattern, which `what` describes."""
    return lambda value: None if isinstance(value, str) and regex.fullmatch(pattern, value) else f"must be {what}"


def build_list_rule(rule: Rule, what: str) -> Rule:
    """Return a rule for lists whose items keep a rule; `what` describes them."""

    def all_right(value: Any) -> str | None:
        if not isinstance(value, list) or not value:
            return f"must be a list of {what}"
        wrong = [each for each in value if rule(each) is not None]
        return f"must be a list of {what}, which {wrong[0]!r} is none of" if wrong else None

    return all_right


def check_short_text(value: Any) -> str | None:
    """Return what is wrong with a short_description."""
    if check_text(value) is None and len(value) > SHORT:
        return f"has {len(value)} characters, the Hub takes {SHORT}"
    return check_text(value)


def check_headers(value: Any) -> str | None:
    """Return what is wrong with a mapping of headers."""
    right = isinstance(value, dict) and value and set(value) <= set(HEADERS)
    return None if right else f"must be a mapping from {', '.join(HEADERS)}"


def check_texts(value: Any) -> str | None:
    """Return what is wrong with a text or a list of texts."""
    return check_text(value) if isinstance(value, str) else build_list_rule(check_text, "texts")(value)


REPOSITORIES = build_list_rule(build_pattern_rule(NAME, "owner/name"), "names such as owner/name")
VERSION = build_pattern_rule(r"\d+(\.\d+){1,3}", "a version such as 6.31.0, in quotation marks")
KEYS: Mapping[str, Rule] = {
    "title": check_text,
    "emoji": build_pattern_rule(r"(\p{Extended_Pictographic}|\p{Emoji_Modifier}|\p{RI}|\u200d|\ufe0f)+", "an emoji"),
    "colorFrom": build_choice_rule(*COLOURS),
    "colorTo": build_choice_rule(*COLOURS),
    "sdk": build_choice_rule("gradio", "docker", "static"),
    "sdk_version": VERSION,
    "python_version": build_pattern_rule(r"3\.\d+(\.\d+)?", "a version such as 3.12, in quotation marks"),
    "app_file": build_pattern_rule(r"(?!/)(?!.*\.\.).+", "a path from the root of the repository"),
    "app_build_command": check_text,
    "app_port": build_whole_rule(65535),
    "base_path": build_pattern_rule(r"/.*", "a path that begins with /"),
    "fullWidth": check_boolean,
    "header": build_choice_rule("mini", "default"),
    "short_description": check_short_text,
    "models": REPOSITORIES,
    "datasets": REPOSITORIES,
    "tags": build_list_rule(check_text, "texts"),
    "thumbnail": build_pattern_rule(r"https://\S+", "an address that begins with https://"),
    "pinned": check_boolean,
    "license": build_pattern_rule(r"[a-z0-9][a-z0-9.-]*", "one of the Hub's names of licences, such as apache-2.0"),
    "suggested_hardware": build_choice_rule(*HARDWARE),
    "suggested_storage": build_choice_rule("small", "medium", "large"),
    "startup_duration_timeout": build_pattern_rule(r"[1-9]\d*(s|m|h)", "a time such as 30m or 1h"),
    "preload_from_hub": build_list_rule(
        build_pattern_rule(NAME + r"( [^\s,]+(,[^\s,]+)*( [0-9a-f]{40})?)?", "a repository"),
        "repositories, each alone, or with files (joined by commas), or with files and a commit",
    ),
    "custom_headers": check_headers,
    "hf_oauth": check_boolean,
    "hf_oauth_scopes": build_list_rule(check_text, "texts"),
    "hf_oauth_expiration_minutes": build_whole_rule(43200),
    "hf_oauth_authorized_org": check_texts,
    "disable_embedding": check_boolean,
    "duplicated_from": build_pattern_rule(NAME, "owner/name"),
}
REQUIRED = (
    *("title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version", "app_file"),
    *("short_description", "license", "tags", "pinned", "suggested_hardware"),
)
"""What a front matter has to have here: the Hub takes less, but then shows its own guesses."""

SECRETS = {
    "a token of the Hub": r"\bhf_[A-Za-z0-9]{30,}\b",
    "a token of GitHub": r"\b(gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{50,})\b",
    "a key of AWS": r"\b(AKIA|ASIA)[0-9A-Z]{16}\b",
    "a key of an API": r"\bsk-[A-Za-z0-9_-]{32,}",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
}
SECRET_FILES = re.compile(
    r"\.env(\..+)?|\.netrc|\.git-credentials|\.pypirc|\.npmrc|id_(rsa|dsa|ecdsa|ed25519)|.+\.(pem|key|p12)"
)
