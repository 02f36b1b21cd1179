#!/bin/sh
# What a report, a comparison and a second run believe of a run directory: changed recipes, edited and replaced files,
# other judges; directories that were copied or moved; what --fresh deletes; models that are only measured.
# CHORUS: the program, SRC: the source tree. Each check is a sentence; one that fails is printed, and the script ends with 1.
set -u
CHORUS=$(realpath "${CHORUS:?the program}")
SRC=$(cd "${SRC:-.}" && pwd)
TINY=$SRC/tests/data/tiny/tiny.gguf
OTHER=$SRC/tests/data/tiny/tiny_untied.gguf
DIR=$(mktemp -d "${TMPDIR:-/tmp}/chorus-belongs-XXXXXX") || exit 1
trap 'rm -rf "$DIR"' EXIT
export NO_COLOR=1
. "$SRC/tests/support/checks.sh"

silent() { ! grep -qF -e "$1" "$DIR/err"; }
differs() { ! cmp -s "$1" "$2"; }

refused() # refused SENTENCE WORD ARGS...: exit 2, nothing on stdout, one sentence on stderr that holds WORD
{
    what=$1
    word=$2
    shift 2
    run "$@"
    check "$what: exit code 2, not $code" is "$code" 2
    check "$what: stdout stays empty" lines "$DIR/out" 0
    check "$what: says \"$word\"" says "$word"
    grep -v -e '^computes in ' -e 'run.s directory, which is meant' "$DIR/err" > "$DIR/rest"
    check "$what: one sentence on stderr" lines "$DIR/rest" 1
}

mkdir "$DIR/tasks"
cat > "$DIR/tasks/ab.json" <<'END'
{"Definition": ["Say a or b."],
 "Paraphrases": ["Answer a or b.", "Reply a or b.", "Write a or b.", "Give a or b.", "Name a or b."],
 "Instances": [
  {"id": "1", "input": "one", "output": ["a"]}, {"id": "2", "input": "two", "output": ["b"]},
  {"id": "3", "input": "three", "output": ["a"]}, {"id": "4", "input": "four", "output": ["b"]},
  {"id": "5", "input": "five", "output": ["a"]}, {"id": "6", "input": "six", "output": ["b"]},
  {"id": "7", "input": "seven", "output": ["a"]}, {"id": "8", "input": "eight", "output": ["b"]}]}
END
recipe() # recipe RUN [EXTRA [MODEL]]
{
    cat <<END
model: ${3:-$TINY}
run: $1
threads: 1
precision: f32
data: {tasks: $DIR/tasks}
split: {train_wordings: 2, test_wordings: 3}
generate: {max_new: 6}
train: {steps: 6, batch: 4, lr: 1e-3, eval_every: 5, save_every: 2}
align: {reward: reference, gold_target: true}
measure: {resamples: 50}
${2:-}
END
}
arms='arms: [{name: sft, title: S, objective: sft}, {name: cat, title: C, objective: cat, from: sft}]'
again() # again: $DIR/a as the first run left it
{
    rm -rf "$DIR/a"
    cp -a "$DIR/first" "$DIR/a"
}

recipe "$DIR/a" "$arms" > "$DIR/a.yaml"
run run "$DIR/a.yaml"
check "a run ends with 0" is "$code" 0
cp -a "$DIR/a" "$DIR/first"

# ---- a changed recipe

run run "$DIR/a.yaml" --set train.beta=0.3
check "a key that an objective does not read trains nothing" silent "sft/train is made again"
again
"$CHORUS" run "$DIR/a.yaml" --set train.lr=2e-3 --set train.steps=500000 > "$DIR/out" 2> "$DIR/err" &
pid=$!
n=0
until [ -e "$DIR/a/sft/train/state.ckpt" ] || [ $n -ge 300 ]; do
    sleep 0.05
    n=$((n + 1))
done
kill -KILL "$pid"
wait "$pid" 2> /dev/null
check "what is made again is named with the reason" says "sft/train is made again: train.steps was 6, now 500000"
run report "$DIR/a"
check "a report after a changed recipe and a kill ends with 0" is "$code" 0
check "it leaves the old arm out and says why" prints "S is left out: sft/train does not belong to this recipe: train.steps was 6, now 500000"
check "and what was trained from it" prints "C is left out: cat/train does not belong to this recipe"
check "no figure of an old arm is in results.json" sh -c "! grep -q '\"title\": \"S\"\|\"name\": \"S\"' '$DIR/a/results.json'"
refused "an arm of another recipe is not compared" "sft/train does not belong" compare "$DIR/a/base" "$DIR/a/sft"
refused "nor are whole runs" "sft/train does not belong" compare "$DIR/a" "$DIR/first"
run run "$DIR/a.yaml"
check "the old recipe goes on where it stood" is "$code" 0
check "with the model of the first run" same_file "$DIR/a/sft/model.gguf" "$DIR/first/sft/model.gguf"
check "without training it again" silent "sft: 6 updates"
check "the log of another training is not shown as its own" prints "sft/train/log.jsonl is not what was written"
again
run run "$DIR/a.yaml" --threads 2
check "threads renew by name" says "sft/train is made again: computes was f32"
again
sed -i 's/"output": \["b"\]}]}/"output": ["c"]}]}/' "$DIR/tasks/ab.json"
run run "$DIR/a.yaml"
check "another gold renews by name" says "is made again: t"
sed -i 's/"output": \["c"\]}]}/"output": ["b"]}]}/' "$DIR/tasks/ab.json"
again
sed -i 's/resamples: 50 /resamples: 60 /; s/lr: 0.001/lr: 0.002/' "$DIR/a/recipe.yaml"
run report "$DIR/a"
check "an edited recipe.yaml leaves out what is not of it" prints "train.lr was 0.001, now 0.002"

# ---- edited and replaced files

altered() # altered FILE WHO WHAT: after `sed` made FILE another, WHO is left out for WHAT, and a run restores it
{
    run report "$DIR/a"
    check "$1 altered: the report ends with 0" is "$code" 0
    check "$1 altered: it is named" prints "$2 is left out: $3"
    run run "$DIR/a.yaml"
    check "$1 altered: a run goes on" is "$code" 0
    check "$1 altered: and says so" says "is made again: $3"
    check "$1 altered: it is as it was" same_file "$DIR/a/$1" "$DIR/first/$1"
    check "$1 altered: results are as they were" same_file "$DIR/a/results.json" "$DIR/first/results.json"
    again
}
again
sed -i '1s/"answer":"[^"]*"/"answer":"a"/' "$DIR/a/sft/answers.jsonl"
refused "edited answers are not compared" "sft/answers.jsonl is not what was written" compare "$DIR/a/base" "$DIR/a/sft"
altered sft/answers.jsonl S "sft/answers.jsonl is not what was written"
tr 01 10 < "$DIR/first/sft/same.jsonl" > "$DIR/a/sft/same.jsonl"
altered sft/same.jsonl S "sft/same.jsonl is not what was written"
rm "$DIR/a/sft/same.jsonl"
altered sft/same.jsonl S "sft/same.jsonl is missing"
cp "$DIR/a/sft/model.gguf" "$DIR/a/cat/model.gguf"
altered cat/model.gguf C "cat/model.gguf is not what was written"
sed -i 's/"dropped_inputs": 0/"dropped_inputs": 3/' "$DIR/a/cat/answers.done.json"
altered cat/answers.done.json C "cat/answers.done.json is not what was written"
cp "$DIR/a/sft/answers.jsonl" "$DIR/a/sft/answers.done.json" "$DIR/a/sft/same.jsonl" "$DIR/a/sft/same.done.json" "$DIR/a/cat/"
run report "$DIR/a"
check "answers of another arm are not shown as this one's" prints "C is left out: cat/answers does not belong to this recipe"
again
rm "$DIR/a/cat/model.gguf"
run report "$DIR/a"
check "a deleted model takes nothing from its figures" is "$code" 0
check "and is told" prints "cat/model.gguf is missing"
again
sed -i '1s/"answer":"[^"]*"/"answer":"a"/' "$DIR/a/base/answers.jsonl"
refused "a base that was edited leaves nothing to compare with" "base/answers.jsonl is not what was written" report "$DIR/a"
again
sed -i 's/"split": "/"split": "not /' "$DIR/a/run.json"
refused "an edited run.json is not believed" "run.json: is not what the run wrote" report "$DIR/a"
run run "$DIR/a.yaml"
check "and a run renews it" same_file "$DIR/a/run.json" "$DIR/first/run.json"
again
sed -i 's/"same":"[01]*"/"same":"111"/' "$(ls "$DIR"/a/align/*/pairs.jsonl)" 
echo x >> "$(ls "$DIR"/a/align/*/rewards.jsonl)"
cp "$DIR/a/sft/model.gguf" "$DIR/a/cat/model.gguf"
run run "$DIR/a.yaml"
check "edited rewards are made again before they are trained on" says "/pairs is made again: align/"
check "and the model is what it was" same_file "$DIR/a/cat/model.gguf" "$DIR/first/cat/model.gguf"

# ---- what is no file where a run has its own

through() # through FILE: after FILE became a link, a run or report writes it anew and not what it leads to
{
    again
    echo precious > "$DIR/precious"
    rm -f "$DIR/a/$1"
    ln -s "$DIR/precious" "$DIR/a/$1"
    run run "$DIR/a.yaml"
    check "$1 a link: a run ends with 0" is "$code" 0
    check "$1 a link: nothing is written through it" grep -q '^precious$' "$DIR/precious"
    check "$1 a link: it is a file again" sh -c "! [ -L '$DIR/a/$1' ]"
    check "$1 a link: it is as it was" same_file "$DIR/a/$1" "$DIR/first/$1"
}
for f in base/answers.jsonl sft/same.jsonl sft/same.done.json cat/model.gguf cat/train.done.json run.json split.json \
    results.json report.html; do
    through "$f"
done
again
cp "$DIR/a/recipe.yaml" "$DIR/mine.yaml"
ln -sf "$DIR/mine.yaml" "$DIR/a/recipe.yaml"
run run "$DIR/a.yaml" --set measure.resamples=70
check "a linked recipe is not written over" same_file "$DIR/mine.yaml" "$DIR/first/recipe.yaml"
again
rm "$DIR/a/cat/train.done.json"
echo precious > "$DIR/precious"
ln -sf "$DIR/precious" "$DIR/a/cat/train/log.jsonl"
run run "$DIR/a.yaml"
check "a training's log is not written through a link" is "$code $(cat "$DIR/precious")" "0 precious"
again
rm -r "$DIR/a/cat"
ln -s sft "$DIR/a/cat"
refused "two arms in one directory" "/cat: is a link" run "$DIR/a.yaml"
check "which is left alone" same_file "$DIR/a/sft/model.gguf" "$DIR/first/sft/model.gguf"
again
rm "$DIR/a/sft/same.done.json"
mkfifo "$DIR/a/sft/same.done.json"
check "a FIFO as a record is no record" timeout 20 "$CHORUS" report "$DIR/a" > "$DIR/out" 2> "$DIR/err"
check "and is named" prints "sft/same.done.json cannot be read"
check "a run replaces it" timeout -s KILL 60 "$CHORUS" run "$DIR/a.yaml" > "$DIR/out" 2> "$DIR/err"
check "by the record" same_file "$DIR/a/sft/same.done.json" "$DIR/first/sft/same.done.json"
if [ "$(id -u)" -ne 0 ]; then
    chmod 000 "$DIR/a/sft/model.gguf"
    run run "$DIR/a.yaml"
    check "what cannot be read is not made again" is "$code $(grep -c 'made again' "$DIR/err")" "1 0"
fi

# ---- what the environment says of instruction sets is not in any key

again
sed "s|^run: .*|run: $DIR/isa|" "$DIR/a.yaml" > "$DIR/isa.yaml"
ONEDNN_MAX_CPU_ISA=SSE41 DNNL_MAX_CPU_ISA=SSE41 "$CHORUS" run "$DIR/isa.yaml" > "$DIR/out" 2> "$DIR/err"
check "products of a limited oneDNN end with 0" is $? 0
check "and train the same model" same_file "$DIR/isa/cat/model.gguf" "$DIR/first/cat/model.gguf"

# ---- recipe.yaml is of the run beside it

edited() # edited WHAT SED: a report of a run whose recipe.yaml was edited so says by name what differs
{
    again
    sed -i "$2" "$DIR/a/recipe.yaml"
    check "the edit of $1 is one" differs "$DIR/a/recipe.yaml" "$DIR/first/recipe.yaml"
    refused "figures under another $1" "does not belong to the recipe.yaml beside it: $1 was " report "$DIR/a"
    refused "nor a comparison under another $1" "$1 was " compare "$DIR/a/base" "$DIR/a/sft"
}
edited data.tasks "s|^  tasks: .*|  tasks: /elsewhere|"
edited data.max_items 's/max_items: 0/max_items: 3/'
edited split.by 's/by: both/by: wording/'
edited split.test_wordings 's/test_wordings: 3/test_wordings: 2/'
edited model 's|^model: .*|model: none.gguf|'
edited seed 's/^seed: 1/seed: 2/'
edited precision 's/^precision: f32/precision: bf16/'
edited threads 's/^threads: 1/threads: 2/'
edited isa 's/^isa: auto/isa: portable/'
edited measure.judge 's/judge: "base"/judge: other.gguf/'

# ---- records of an older chorus

again
for f in "$DIR"/a/*/*.done.json; do
    sed -i '/"seal"/d; s/"files": {/"old": {/' "$f"
    sed -i ':a;N;$!ba;s/},\n}/}\n}/; s/,\n}/\n}/' "$f"
done
printf '{"model": "tiny", "base_sha256": "%s", "device": "f32", "split": "x"}\n' \
    "$(sha256sum "$TINY" | cut -d ' ' -f 1)" > "$DIR/a/run.json"
rm "$DIR/a/chorus.run"
refused "a report of an older run" "another version of chorus" report "$DIR/a"
run run "$DIR/a.yaml"
check "an older run goes on" is "$code" 0
check "its stages are made again" says "sft/train is made again: it was made by another version of chorus"
check "with the same bytes" same_file "$DIR/a/cat/model.gguf" "$DIR/first/cat/model.gguf"

# ---- models that are replaced, judges that differ

cp "$TINY" "$DIR/m.gguf"
recipe "$DIR/b" "arms: []" "$DIR/m.gguf" > "$DIR/b.yaml"
run run "$DIR/b.yaml"
cp "$OTHER" "$DIR/m.gguf"
refused "a base model that is another file by now" "holds a run of another model" run "$DIR/b.yaml"
cp "$TINY" "$DIR/n.gguf"
run run "$DIR/b.yaml" --model "$DIR/n.gguf"
check "the same file under another name is the same model" is "$code" 0
check "whose answers stand" silent "base/answers is made again"
run run "$DIR/b.yaml" --model "$DIR/n.gguf" --set measure.sim=judge
cp -a "$DIR/b" "$DIR/c"
cp "$OTHER" "$DIR/judge.gguf"
run run "$DIR/c/recipe.yaml" --set measure.judge="$DIR/judge.gguf"
check "another judge ends with 0" is "$code" 0
check "and judges again by name" says "base/same is made again: judge was "
run compare "$DIR/b" "$DIR/c"
check "runs with two judges are compared by exact match" prints "same answer: exact"
check "and why is said" prints "was not said in the same way"
run compare "$DIR/b" "$DIR/b" --json
check "with one judge as in their runs" prints '"sim": "as in their runs"'
cp "$TINY" "$DIR/judge.gguf"
run run "$DIR/c/recipe.yaml"
check "a judge that is another file judges again" says "base/same is made again: judge was "

# ---- a run directory is itself

again
mv "$DIR/a" "$DIR/moved"
run run "$DIR/moved/recipe.yaml"
check "a moved run's recipe means the moved run" is "$code" 0
check "which is told" says "lies in a run's directory, which is meant"
check "nothing is made where it was" absent "$DIR/a"
check "nothing is trained" silent " updates in "
cp -a "$DIR/moved" "$DIR/copy"
run run "$DIR/copy/recipe.yaml" --set train.steps=7
check "a copied run's recipe means the copy" same_file "$DIR/moved/sft/model.gguf" "$DIR/first/sft/model.gguf"
check "where it trains" differs "$DIR/copy/sft/model.gguf" "$DIR/first/sft/model.gguf"
(cd "$DIR/moved" && "$CHORUS" run recipe.yaml > "$DIR/out" 2> "$DIR/err")
check "from within, too" is $? 0
run run "$DIR/copy/recipe.yaml" --run "$DIR/named" --dry-run
check "the command line may name another" silent "which is meant"
mkdir "$DIR/d"
echo '{' > "$DIR/d/chorus.run.tmp"
: > "$DIR/d/recipe.yaml.tmp"
recipe "$DIR/d" "arms: []" > "$DIR/d.yaml"
run run "$DIR/d.yaml"
check "temporary files of a first write are no strangers" is "$code" 0
check "and are gone" is "$(find "$DIR/d" -name '*.tmp' | wc -l)" 0
echo x > "$DIR/d/base/answers.jsonl.tmp"
run run "$DIR/d.yaml"
check "nor are later ones" is "$code $(find "$DIR/d" -name '*.tmp' | wc -l)" "0 0"
mkdir "$DIR/mine"
recipe "$DIR/mine" > "$DIR/mine/recipe.yaml"
echo precious > "$DIR/mine/results.json"
refused "a recipe alone makes no run" "holds no run" run "$DIR/mine/recipe.yaml"
refused "even with --fresh" "holds no run" run "$DIR/mine/recipe.yaml" --fresh
check "whose files are left alone" grep -q precious "$DIR/mine/results.json"
sed 's|^model:.*|model: models/none.gguf|' "$DIR/d.yaml" > "$DIR/none.yaml"
refused "a relative path that is not there" "count from the current directory, which is" run "$DIR/none.yaml"

# ---- --fresh

again
mkdir "$DIR/a/notes" "$DIR/a/models" "$DIR/away"
echo mine > "$DIR/a/notes/answers.jsonl"
echo mine > "$DIR/a/cat/notes.txt"
cp "$TINY" "$DIR/a/models/model.gguf"
cp "$TINY" "$DIR/a/sft/last.gguf"
cp -a "$DIR/a/sft/model.gguf" "$DIR/away/model.gguf"
rm -r "$DIR/a/sft/train"
ln -s "$DIR/away" "$DIR/a/sft/train"
echo mine > "$DIR/away/log.jsonl"
recipe "$DIR/a" "arms: []" "$DIR/a/models/model.gguf" > "$DIR/fresh.yaml"
run run "$DIR/fresh.yaml" --fresh --seed 3
check "what is left alone is named" says "no run wrote it: cat, models, notes, sft"
check "--fresh does not clean behind a link" says "sft/train: is a link"
check "what runs wrote is gone" absent "$DIR/a/cat/model.gguf"
check "with the candidates" absent "$DIR/a/align"
rm "$DIR/a/sft/train"
check "nothing is deleted through it" grep -q mine "$DIR/away/log.jsonl"
run run "$DIR/fresh.yaml" --seed 3
check "--fresh with the model inside ends with 0" is "$code" 0
check "the model is still there" same_file "$DIR/a/models/model.gguf" "$TINY"
check "files of others are" grep -q mine "$DIR/a/notes/answers.jsonl"
check "in arms' directories, too" grep -q mine "$DIR/a/cat/notes.txt"
again
recipe "$DIR/a" 'arms: [{name: sft, objective: sft}]' "$DIR/a/cat/model.gguf" > "$DIR/own.yaml"
run run "$DIR/own.yaml" --fresh
check "--fresh with an older arm's model as the model ends with 0" is "$code" 0
check "and keeps that" same_file "$DIR/a/cat/model.gguf" "$DIR/first/cat/model.gguf"
again
rm "$DIR/a/recipe.yaml" "$DIR/a/run.json" "$DIR/a/sft/model.gguf"
run run "$DIR/a.yaml" --fresh --seed 3
check "a deletion that was cut short can be repeated" is "$code" 0
again
ln -s "$DIR/a" "$DIR/link"
refused "--fresh through a link" "is a link" run "$DIR/a.yaml" --fresh --run "$DIR/link"
check "deletes nothing" same_file "$DIR/a/sft/model.gguf" "$DIR/first/sft/model.gguf"
sed "s|^model:.*|model: $DIR/a/sft/model.gguf|" "$DIR/a.yaml" > "$DIR/over.yaml"
refused "a run that would write over its model" "would write arm sft over it" run "$DIR/over.yaml" --fresh
check "leaves it" same_file "$DIR/a/sft/model.gguf" "$DIR/first/sft/model.gguf"

# ---- models that are only measured

cp "$OTHER" "$DIR/x.gguf"
recipe "$DIR/e" "arms: [{name: other, title: O, objective: none, model: $DIR/x.gguf}, {name: sft, title: S, objective: sft}, {name: twin, title: T, objective: none, model: $TINY}]" > "$DIR/e.yaml"
run run "$DIR/e.yaml" --dry-run
check "a dry run with measured arms ends with 0" is "$code" 0
run run "$DIR/e.yaml"
check "models that are only measured end with 0" is "$code" 0
check "they are in the table" is "$(grep -cE '^(O|T|S)  ' "$DIR/out" | awk '{print ($1 >= 3)}')" 1
check "only the trained arm trains" is "$(grep -c ' updates in ' "$DIR/err")" 1
check "a model measured twice has the same answers" same_file "$DIR/e/base/answers.jsonl" "$DIR/e/twin/answers.jsonl"
check "another has others" differs "$DIR/e/base/answers.jsonl" "$DIR/e/other/answers.jsonl"
check "nothing is written for a model that is not trained" absent "$DIR/e/other/model.gguf"
check "its hash is in the results" grep -q "$(sha256sum "$DIR/x.gguf" | cut -d ' ' -f 1)" "$DIR/e/results.json"
run run "$DIR/e/recipe.yaml"
check "the saved recipe keeps its model" is "$code $(grep -c 'made again' "$DIR/err")" "0 0"
cp "$TINY" "$DIR/x.gguf"
run run "$DIR/e.yaml"
check "a measured model that is another file is measured again" says "other/answers is made again: training was "
recipe "$DIR/f" "arms: [{name: o, objective: none}]" > "$DIR/f.yaml"
refused "a measured arm without a model" "belong together" run "$DIR/f.yaml"
recipe "$DIR/f" "arms: [{name: o, objective: sft, model: $TINY}]" > "$DIR/f.yaml"
refused "a trained arm with a model" "belong together" run "$DIR/f.yaml"
recipe "$DIR/f" "arms: [{name: o, objective: none, model: $TINY}, {name: s, objective: sft, from: o}]" > "$DIR/f.yaml"
refused "training from a model that is only measured" "only measured" run "$DIR/f.yaml"
recipe "$DIR/f" "arms: [{name: o, objective: none, model: $DIR/none.gguf}]" > "$DIR/f.yaml"
refused "a measured model that is not there" "none.gguf" run "$DIR/f.yaml"
check "none of them left a directory" absent "$DIR/f"

checks_done && [ "$checks" -gt 100 ]
