#!/bin/sh
# Make the default from nothing: E5 (e5-small-q4.bin), CORPUS and HELDOUT (folders of text), WORK (folder to fill).
set -eu
if [ $# -ne 4 ]; then
    echo "usage: sh training/make.sh E5 CORPUS HELDOUT WORK" >&2
    exit 2
fi
e5=$1 corpus=$2 heldout=$3 work=$4
: "${PYTHON:=python}" "${MINUTES:=90}" "${COOLDOWN:=15}"
mkdir -p "$work"
vocabulary=$work/vocabulary.model encoded=$work/encoded run=$work/run

# A step whose result is there is not done again, so that the script can be given again after a break.
[ -f "$vocabulary" ] || "$PYTHON" -m training.vocabulary --e5 "$e5" --corpus "$corpus" \
    --out "$vocabulary" ${LIKE:+--like "$LIKE"}
[ -f "$encoded/index.json" ] ||
    "$PYTHON" -m training.corpus --corpus "$corpus" --vocabulary "$vocabulary" --out "$encoded"
[ -f "$work/start.pt" ] || "$PYTHON" -m training.transplant \
    --e5 "$e5" --encoded "$encoded" --vocabulary "$vocabulary" --out "$work/start.pt"
[ -f "$run/cooldown.pt" ] ||
    "$PYTHON" -m training.pretrain --start "$work/start.pt" --encoded "$encoded" --run "$run" --minutes "$MINUTES"
"$PYTHON" -m training.pretrain --encoded "$encoded" --run "$run" --cooldown-minutes "$COOLDOWN"
"$PYTHON" -m training.export --state "$run/cooldown.pt" --encoded "$encoded" --vocabulary "$vocabulary" \
    --heldout "$heldout" --out "$work/checkpoint"
