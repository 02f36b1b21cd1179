#!/bin/sh
# A dry run's estimate of memory is within 10 % of what the run then takes: measuring, training, and training on
# pairs. CHORUS: the program, SRC: the source tree; MODEL and RECIPE: others than the tiny model and a recipe for it.
set -u
CHORUS=${CHORUS:?the program}
SRC=${SRC:-.}
MODEL=${MODEL:-$SRC/tests/data/tiny/tiny.gguf}
DIR=$(mktemp -d "${TMPDIR:-/tmp}/chorus-memory-XXXXXX") || exit 1
trap 'rm -rf "$DIR"' EXIT
failed=0

mkdir "$DIR/tasks"
awk 'BEGIN {
    print "{\"Definition\": [\"Say a or b.\"], \"Paraphrases\": [\"Answer a or b.\", \"Reply a or b.\","
    print "\"Write a or b.\", \"Give a or b.\", \"Name a or b.\", \"Choose: a or b.\"], \"Instances\": ["
    for (i = 0; i < 120; i++) {
        words = ""
        for (k = 0; k < 8; k++) words = words " word" (i * 7 + k * k) % 97
        printf "%s{\"id\": \"%d\", \"input\": \"%s\", \"output\": [\"%s\"]}\n", i ? "," : "", i, words, i % 2 ? "a" : "b"
    }
    print "]}"
}' > "$DIR/tasks/ab.json"
cat > "$DIR/recipe.yaml" <<END
model: $MODEL
run: $DIR/run
threads: 1
data: {tasks: $DIR/tasks}
split: {train_wordings: 3, test_wordings: 3}
generate: {max_new: 12}
train: {steps: 2, batch: 240, lr: 1e-3, max_rows: 20000, dev_rows: 24}
align: {samples: 1, reward: reference, gold_target: true}
END
cp "${RECIPE:-$DIR/recipe.yaml}" "$DIR/base.yaml"

estimate() # estimate KIND FILE: bytes
{
    sed -n "s/^ *\"$1_bytes_estimate\": \([0-9]*\),*$/\1/p" "$2"
}

# stages NAME ARMS...: a run of these arms, in a process of its own
stages()
{
    name=$1
    arms=$2
    { cat "$DIR/base.yaml"; echo "arms: [$arms]"; } > "$DIR/$name.yaml"
    "$CHORUS" run "$DIR/$name.yaml" --run "$DIR/$name" --dry-run --json > "$DIR/$name.json" 2> "$DIR/err" ||
        { cat "$DIR/err"; failed=$((failed + 1)); return; }
    "$CHORUS" run "$DIR/$name.yaml" --run "$DIR/$name" -v > "$DIR/out" 2> "$DIR/err" ||
        { cat "$DIR/err"; failed=$((failed + 1)); return; }
    took=$(sed -n 's/^memory: \([0-9]*\) bytes at the most$/\1/p' "$DIR/err")
    said=$(for kind in train measure candidates; do estimate $kind "$DIR/$name.json"; done | sort -n | tail -1)
    echo "$name: estimate $said bytes, took $took"
    awk -v said="$said" -v took="$took" 'BEGIN { exit !(took > 1e6 && said > 0.9 * took && said < 1.1 * took) }' ||
        { echo "FAILED: $name: the estimate is not within 10 %"; failed=$((failed + 1)); }
}

base="{name: base, objective: none}"
sft="{name: sft, objective: sft, from: base, augment: true}"
stages measure "$base"
stages train "$base, $sft"
stages cat "$base, $sft, {name: cat, objective: cat, from: sft, augment: true}"
[ "$failed" -eq 0 ]
