#!/bin/sh
# The program as people use it, on a model of a few thousand weights: help, misuse, bad files, a whole run, skipping,
# killing and going on. CHORUS: the program, SRC: the source tree. Each check is a sentence; one that fails is
# printed, and the script ends with 1.
set -u
CHORUS=${CHORUS:?the program}
SRC=${SRC:-.}
TINY=$SRC/tests/data/tiny/tiny.gguf
DIR=$(mktemp -d "${TMPDIR:-/tmp}/chorus-cli-XXXXXX") || exit 1
trap 'rm -rf "$DIR"' EXIT
export NO_COLOR=1
. "$SRC/tests/support/checks.sh"


refused() # refused SENTENCE WORD ARGS...: exit 2, nothing on stdout, one line on stderr that holds WORD
{
    what=$1
    word=$2
    shift 2
    run "$@"
    check "$what: exit code 2, not $code" is "$code" 2
    check "$what: stdout stays empty" lines "$DIR/out" 0
    check "$what: says \"$word\"" says "$word"
    # What computes is logged before some files are read; the sentence itself is the last line.
    grep -v '^computes in ' "$DIR/err" > "$DIR/rest"
    check "$what: one sentence on stderr" lines "$DIR/rest" 1
}

# ---- tasks

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
recipe() # recipe RUN [STEPS [EXTRA]]
{
    cat <<END
model: $TINY
run: $1
threads: 1
precision: f32
data: {tasks: $DIR/tasks}
split: {train_wordings: 2, test_wordings: 3}
generate: {max_new: 6}
train: {steps: ${2:-12}, batch: 4, lr: 1e-3, eval_every: 5, save_every: 2}
align: {reward: reference, gold_target: true}
${3:-}
END
}

# ---- help

run --help
check "chorus --help ends with 0" is "$code" 0
check "help goes to stdout alone" lines "$DIR/err" 0
commands=$(sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p' "$DIR/out")
check "eight commands are listed" is "$(echo "$commands" | wc -l)" 8
for c in $commands; do
    run "$c" --help
    check "$c --help ends with 0" is "$code" 0
    check "$c --help says how it is used" prints "Usage: chorus $c"
    undocumented=$(grep -E '^  +(-., )?--' "$DIR/out" | grep -cvE -- '--[a-z-]+( [A-Z=]+)? +[^ ]')
    check "every option of $c is explained" is "$undocumented" 0
    check "$c has --isa" grep -q -- '^ *--isa I ' "$DIR/out"
done
run run --help
check "defaults are shown" prints "[default: runs/chorus]"
run train --help
check "a recipe key's default is an option's default" prints "[default: 1e-4]"
run help measure
check "help COMMAND is COMMAND --help" sh -c "'$CHORUS' measure --help | cmp -s - '$DIR/out'"
run help recipe
check "help recipe ends with 0" is "$code" 0
check "and goes to stdout alone" lines "$DIR/err" 0
check "it shows what is possible" prints "1e-30 .. 10 [default: 1e-4]"
check "and the choices" prints "independent | grouped"
check "README points to it" grep -qF "chorus help recipe" "$SRC/README.md"
untold=$(sed -n 's/^  \([a-z_0-9]*\)  *[^ ].*/\1/p' "$DIR/out" | sort -u | while read -r key; do
    [ "$key" = and ] || grep -qF "\`$key\`" "$SRC/README.md" || echo "$key"
done)
check "README names every key, not [$untold]" is "$untold" ""
bare=$(grep -c '^  *$' "$DIR/out" || true)
check "no key is without its meaning" is "$bare" 0
check "a constant says who reads it" prints "cat, listwise: "
cp "$DIR/out" "$DIR/keys"
run --version
check "--version ends with 0" is "$code" 0

# ---- misuse

refused "an unknown command" "did you mean measure?" mesure
refused "no command" "chorus --help"
refused "an unknown option" "did you mean --tasks?" measure --model "$TINY" --taks x
refused "an option without its value" "--model wants a value" measure --model
refused "a missing option" "--tasks is wanted" measure --model "$TINY"
refused "a number that is none" "a whole number" measure --model "$TINY" --tasks x --max-items many
refused "an argument too many" "one argument too many" report a b
refused "a wrong choice" 'did you mean "bf16"?' measure --model "$TINY" --tasks x --precision fb16
refused "an unknown key in --set" "did you mean train.lr?" run --model "$TINY" --tasks x --set train.lt=1
refused "neither recipe nor model" "--model and --tasks" run

# ---- bad files

refused "no such model" "none.gguf" measure --model "$DIR/none.gguf" --tasks "$DIR/tasks"
head -c 60000 "$TINY" > "$DIR/cut.gguf"
refused "a model cut short" "cut.gguf" measure --model "$DIR/cut.gguf" --tasks "$DIR/tasks"
refused "a model that is no GGUF" "ab.json" measure --model "$DIR/tasks/ab.json" --tasks "$DIR/tasks"
refused "no such tasks" "nowhere" measure --model "$TINY" --tasks "$DIR/nowhere"
echo '{"Definition": "Say a.", "Paraphrases": ["Reply a."], "Instances": []}' > "$DIR/empty.json"
refused "a task without instances" "empty.json" measure --model "$TINY" --tasks "$DIR/empty.json"
echo '{"Definition": "Say a.", "Paraphrases": ["Reply a."], "Instances": [{"input": "x", "output": [""]}]}' > "$DIR/gold.json"
refused "a task with an empty output" "gold.json" measure --model "$TINY" --tasks "$DIR/gold.json"
echo '{"Definition": "Say a.", "Instances": [{"input": "x", "output": ["a"]}]}' > "$DIR/bare.json"
refused "a task without wordings" "wording" measure --model "$TINY" --tasks "$DIR/bare.json"
recipe "$DIR/no" | sed 's/steps:/stpes:/' > "$DIR/typo.yaml"
refused "an unknown key in a recipe" 'did you mean `steps`?' run "$DIR/typo.yaml"
recipe "$DIR/no" | sed 's/tests.data.tiny/nowhere/' > "$DIR/nomodel.yaml"
refused "a recipe whose model is missing" "tiny.gguf" run "$DIR/nomodel.yaml"
recipe "$DIR/no" 12 "arms: [{name: x, objective: sftt}]" > "$DIR/noobj.yaml"
refused "an unknown objective" "did you mean sft?" run "$DIR/noobj.yaml"
check "nothing was written by any of these" absent "$DIR/no"
long=$(yes 'many words ' | head -n 400 | tr -d '\n')
echo '{"Definition": "Say a.", "Paraphrases": ["Reply a."], "Instances": [{"id": "L", "input": "'"$long"'", "output": ["a"]}, {"id": "S", "input": "x", "output": ["a"]}]}' > "$DIR/long.json"
refused "a prompt longer than the context names its row" "instance L" \
    measure --model "$TINY" --tasks "$DIR/long.json" --threads 1
run measure --model "$TINY" --tasks "$DIR/long.json" --threads 1 --overlong drop --max-new 4 --json
check "overlong: drop measures the rest" is "$code" 0
check "and says how many were dropped" prints "1 inputs did not fit"

# ---- commands that only read

run measure --model "$TINY" --tasks "$DIR/tasks" --threads 1 --max-new 4 --json --answers "$DIR/answers.jsonl"
check "measure --json ends with 0" is "$code" 0
check "it prints CR" prints '"cr"'
check "8 inputs under 6 wordings are 48 answers" lines "$DIR/answers.jsonl" 48
run measure --model "$TINY" --tasks "$DIR/tasks" --threads 1 --max-new 4
check "the table names CR" prints "CR"
run generate --model "$TINY" --threads 1 --max-new 4 --json "one" "two"
check "generate answers each prompt" lines "$DIR/out" 2
printf 'one\n{"prompt": "two"}\n' | "$CHORUS" generate --model "$TINY" --threads 1 --max-new 4 --json > "$DIR/piped" 2> "$DIR/err"
check "stdin gives what arguments give" same_file "$DIR/out" "$DIR/piped"
echo '{"promt": "x"}' | "$CHORUS" generate --model "$TINY" --threads 1 > "$DIR/out" 2> "$DIR/err"
check "a JSON row without a prompt is refused" is $? 2
run measure --model "$TINY" --tasks "$DIR/tasks" --threads 1 --max-new 4 --sim judge --json
check "a judge can say what is the same" is "$code" 0
check "the report names the judge" prints "judge tiny"
run train --model "$TINY" --tasks "$DIR/tasks" --threads 1 --steps 2 --out "$DIR/t" --save f16
check "train prints the model that it wrote" test -s "$(cat "$DIR/out")"
run measure --model "$DIR/t/sft/model.gguf" --tasks "$DIR/tasks" --threads 1 --max-new 4 --json
check "and it can be measured" is "$code" 0
check "all inputs are trained on, and all wordings" \
    is "$(tr -d ' \n' < "$DIR/t/split.json" | grep -oE '"train_inputs":\[[^]]*\]' | tr -cd , | wc -c)" 7
check "none is tested" grep -q '"test_inputs": \[\]' "$DIR/t/split.json"
check "nor watched" grep -q '"dev_inputs": \[\]' "$DIR/t/split.json"
check "no wording is kept" grep -q '"test_wordings": \[\]' "$DIR/t/split.json"
run train --model "$TINY" --tasks "$DIR/tasks" --threads 1 --steps 2 --out "$DIR/t2" --set split.dev_inputs=2
check "what is held back is said" says "trains on 6 inputs under 6 wordings"
check "and how much" says "2 inputs are held back for the dev loss"
refused "a run that tests nothing" "split.by is none" run "$DIR/t/recipe.yaml"
echo '{n} of: {instruction}' > "$DIR/prompt.txt"
run paraphrase --model "$TINY" --tasks "$DIR/tasks" --threads 1 --prompt "$DIR/prompt.txt" --max-new 16 -n 3 --out "$DIR/w.json"
check "a model that writes no usable wording: exit code 1" is "$code" 1
check "no file of wordings is written" absent "$DIR/w.json"
check "what was dropped is there to read" test -s "$DIR/w.json.dropped.json"
mkdir "$DIR/rows"
printf '{"input": "one", "output": "a"}\n{"input": "two", "output": ["b", "B"]}\n' > "$DIR/rows/ab.jsonl"
printf 'instruction: Say a or b.\nwordings: [Answer a or b., Reply a or b.]\n' > "$DIR/rows/ab.yaml"
run measure --model "$TINY" --tasks "$DIR/rows" --threads 1 --max-new 4 --json --answers "$DIR/rows.out"
check "JSON lines beside a YAML file are measured" is "$code" 0
check "2 inputs under 3 wordings are 6 answers" lines "$DIR/rows.out" 6
mkdir "$DIR/uneven"
cp "$DIR"/rows/ab.* "$DIR/uneven"
printf '{"input": "one", "output": "a"}\n{"input": "two", "output": "b"}\n' > "$DIR/uneven/cd.jsonl"
printf 'instruction: Write a or b.\nwordings: [Choose a or b.]\n' > "$DIR/uneven/cd.yaml"
run measure --model "$TINY" --tasks "$DIR/uneven" --threads 1 --max-new 4 --answers "$DIR/uneven.out"
check "tasks with unlike numbers of wordings are measured" is "$code" 0
check "each under all of its own" lines "$DIR/uneven.out" 10
check "the table says how many" prints "2 to 3 wordings"
check "and of which task" prints "ab 3, cd 2"
check "few tasks are told to be few" prints "among 2 tasks only"
recipe "$DIR/a" > "$DIR/a.yaml"
run show-batch "$DIR/a.yaml" --rows 1
check "show-batch ends with 0" is "$code" 0
check "it marks what is learned" prints "yes"
check "it shows the template" prints "template:"
check "it says how much an update shares" prints "sampling: independent; an update of 4 draws"
run show-batch "$DIR/a.yaml" --sampling grouped --update 1 \
    --set split.train_inputs=4 --set split.dev_inputs=1 --set split.test_inputs=3
check "an update's rows are shown as they are drawn" is "$(grep -c '^== ' "$DIR/out")" 4
check "grouped, they are of one wording" is "$(sed -n 's/^== .*\(wording [0-9]*\).*/\1/p' "$DIR/out" | sort -u | wc -l)" 1
check "and it is named" prints "sampling: grouped; an update of 4 draws 1."
run show-batch "$DIR/a.yaml" --rows 2 --json
check "show-batch --json: the sharing, and a line a row" lines "$DIR/out" 3
run run "$DIR/a.yaml" --dry-run
check "a dry run names the sampling" prints "wordings, independent sampling"
check "a dry run ends with 0" is "$code" 0
check "it estimates memory" prints "memory"
run run "$DIR/a.yaml" --dry-run --set generate.decode=labels --set train.sampling=grouped
check "grouped and labels: a dry run ends with 0" is "$code" 0
check "it says which tasks choose labels" prints "1 of 1 tasks"
check "and that sampling is grouped" prints "wordings, grouped sampling"
check "and writes nothing" absent "$DIR/a"

# ---- answers that are labels

run measure --model "$TINY" --tasks "$DIR/tasks" --threads 1 --decode labels --answers "$DIR/labels.jsonl"
check "measure --decode labels ends with 0" is "$code" 0
check "the table says so" prints "note: The answers are labels"
check "every answer is a label" is "$(grep -cE '"answer":"(a|b)"' "$DIR/labels.jsonl")" 48
check "and is marked as chosen" is "$(grep -c '"decode":"labels"' "$DIR/labels.jsonl")" 48
run compare "$DIR/answers.jsonl" "$DIR/labels.jsonl"
check "compare says who chose among labels" prints "A in 0, B in 1 of 1 tasks; the models are not asked in the same way"
mkdir "$DIR/mixed"
cp "$DIR/tasks/ab.json" "$DIR/mixed/"
echo '{"Definition": "Write.", "Paraphrases": ["Do write."], "Instances": [{"input": "x", "output": ["one two three four"]}, {"input": "y", "output": ["five"]}]}' > "$DIR/mixed/free.json"
run measure --model "$TINY" --tasks "$DIR/mixed" --threads 1 --max-new 4 --decode labels --sim exact --answers "$DIR/mixed.jsonl"
check "a task without a set is answered freely" is "$(grep -c '"decode":"labels"' "$DIR/mixed.jsonl") $(wc -l < "$DIR/mixed.jsonl")" "48 52"
check "and the table says so" prints "in 1 of 2 tasks"
refused "labels without any closed set" "closed set" measure --model "$TINY" --tasks "$DIR/mixed/free.json" --threads 1 --decode labels
run generate --model "$TINY" --threads 1 --labels "yes, no ,not sure" --json "one" "two"
check "generate --labels answers each prompt with one of them" is "$(grep -cE '"answer":"(yes|no|not sure)"' "$DIR/out")" 2
refused "labels with a temperature" "nothing to sample" generate --model "$TINY" --labels a,b --temperature 0.7 x
refused "labels with samples" "nothing to sample" generate --model "$TINY" --labels a,b --samples 2 x
refused "an empty label" "empty label" generate --model "$TINY" --labels a,,b x

# ---- instruction sets: what a user asked for is what computes, in every command that does

computes_portably() # computes_portably COMMAND ARGS...
{
    name=$1
    run "$@" --isa portable --precision f32 --threads 1
    check "$name --isa portable ends with 0" is "$code" 0
    check "$name --isa portable computes so" grep -qE '^computes in f32, portable, 1 thread' "$DIR/err"
}
computes_portably measure --model "$TINY" --tasks "$DIR/tasks" --max-new 4
computes_portably generate --model "$TINY" --max-new 4 one
computes_portably train --model "$TINY" --tasks "$DIR/tasks" --steps 2 --out "$DIR/p"
computes_portably run "$DIR/a.yaml" --dry-run
computes_portably show-batch "$DIR/a.yaml" --rows 1
run paraphrase --model "$TINY" --tasks "$DIR/tasks" --threads 1 --isa portable --prompt "$DIR/prompt.txt" --max-new 16 \
    -n 3 --out "$DIR/w2.json"
check "paraphrase --isa portable computes so" grep -qE '^computes in f32, portable' "$DIR/err"

# ---- a whole run

run run "$DIR/a.yaml"
check "a run ends with 0" is "$code" 0
for f in recipe.yaml split.json results.json report.html base/answers.jsonl cat/model.gguf control/model.gguf; do
    check "a run leaves $f" test -s "$DIR/a/$f"
done
check "progress names the arm, not its objective" grep -qE '^control: 12 updates in ' "$DIR/err"
check "pairs are left to read" test -s "$(ls "$DIR"/a/align/*/pairs.jsonl)"
check "the table has all five arms" is "$(grep -cE '^(base model|SFT) |^SFT\(IA\)( \+ CAT| \+ as much SFT)?  ' "$DIR/out" | awk '{print ($1 >= 5)}')" 1
check "no checkpoint is left" is "$(find "$DIR/a" -name 'state.ckpt' | wc -l)" 0
cp "$DIR/a/cat/model.gguf" "$DIR/want.gguf"
cp "$DIR/a/results.json" "$DIR/want.json"
cp "$DIR/a/cat/answers.jsonl" "$DIR/want.jsonl"

unnamed=$(sed -n 's/^ *-* *\([a-z_0-9]*\):.*/\1/p' "$DIR/a/recipe.yaml" | sort -u | while read -r key; do
    grep -qE "^ *$key[ :]" "$DIR/keys" || echo "$key"
done)
check "help recipe names every key of a recipe, not [$unnamed]" is "$unnamed" ""
check "there are as many as there should be" test "$(grep -cE '^ +[a-z_0-9]+ ' "$DIR/keys")" -gt 55

run run "$DIR/a/recipe.yaml"
check "the saved recipe runs again" is "$code" 0
check "all is skipped" is "$(grep -c ' updates in ' "$DIR/err")" 0
check "and the results are the same bytes" same_file "$DIR/want.json" "$DIR/a/results.json"
rm "$DIR/a/report.html"
run report "$DIR/a"
check "report builds the page again" test -s "$DIR/a/report.html"
check "report prints the table" prints "SFT(IA) + CAT"
check "what the split left out is counted" grep -q '"left_out": 0' "$DIR/a/run.json"
run run "$DIR/a.yaml" --set measure.resamples=50
check "other resamples retrain nothing" is "$code $(grep -c ' updates in ' "$DIR/err")" "0 0"
run run "$DIR/a.yaml" --set measure.sim=judge --set measure.resamples=50
check "a run can be judged again without training again" is "$code $(grep -c ' updates in ' "$DIR/err")" "0 0"
check "its report names the judge" grep -q 'judge tiny, untrained' "$DIR/a/report.html"
check "how it does on closed tasks was looked at for every arm" test -s "$DIR/a/base/judge.done.json" -a -s "$DIR/a/cat/judge.done.json"
check "with both sides" is "$(grep -c '"kappa"' "$DIR/a/results.json")" 6
check "as many pairs of each" grep -q '"same": *[1-9]' "$DIR/a/cat/judge.done.json"
check "and the page says so" grep -q 'The judge was also asked' "$DIR/a/report.html"
run compare "$DIR/a/base" "$DIR/a/cat"
check "compare prints paired differences" prints "B - A"
run compare "$DIR/a" "$DIR/a" --json
check "runs are compared arm by arm" is "$(grep -c '"metrics"' "$DIR/out")" 5
refused "compare without answers" "answers" compare "$DIR/a/align" "$DIR/a/cat"

run run "$DIR/a.yaml" --set generate.decode=labels --set measure.resamples=50
check "decoding among labels trains nothing again" is "$code $(grep -c ' updates in ' "$DIR/err")" "0 0"
check "its table says so" prints "note: The answers are labels"
check "and its page" grep -q 'Note:</b> The answers are labels' "$DIR/a/report.html"
check "and its figures" grep -q '"The answers are labels' "$DIR/a/results.json"
run run "$DIR/a.yaml" --set train.inputs_per_instruction=3 --set measure.resamples=50
check "a key of grouped sampling changes nothing without it" is "$code $(grep -c ' updates in ' "$DIR/err")" "0 0"
run run "$DIR/a.yaml" --set train.sampling=grouped --set measure.resamples=50
check "grouped sampling trains again" is "$code $(grep -c ' updates in ' "$DIR/err")" "0 4"
check "the table names it" prints "note: Grouped sampling in SFT"
check "the page names it" grep -q 'Note:</b> Grouped sampling in SFT' "$DIR/a/report.html"
check "the figures name it" grep -q 'grouped sampling, 4 inputs for each wording drawn' "$DIR/a/results.json"

refused "a run directory of another recipe" "--fresh" run "$DIR/a.yaml" --seed 2
recipe "$DIR/tasks" > "$DIR/inside.yaml"
refused "a directory with other things in it" "holds no run" run "$DIR/inside.yaml"
check "whose files are left alone" test -s "$DIR/tasks/ab.json"
run run "$DIR/a.yaml" --seed 2 --fresh
check "--fresh starts over" is "$code" 0
check "another seed gives another model" sh -c "! cmp -s '$DIR/want.gguf' '$DIR/a/cat/model.gguf'"

# ---- what is too long, dropped wherever it would come up

mkdir "$DIR/some"
sed "s/\"three\"/\"$(yes 'word ' | head -n 44 | tr -d '\n')\"/" "$DIR/tasks/ab.json" > "$DIR/some/ab.json"
recipe "$DIR/l" 2 "arms: [{name: s, objective: sft, augment: true}, {name: c, objective: cat, from: s}]" |
    sed "s#{tasks: .*}#{tasks: $DIR/some, max_len: 250, overlong: drop}#; s/reward: reference/reward: self, max_new: 6/" > "$DIR/l.yaml"
for split in "train_inputs: 6, dev_inputs: 1, test_inputs: 1" "train_inputs: 1, dev_inputs: 6, test_inputs: 1" \
    "train_inputs: 1, dev_inputs: 1, test_inputs: 6"; do
    sed "s/split: {/split: {$split, /" "$DIR/l.yaml" > "$DIR/l2.yaml"
    run run "$DIR/l2.yaml" --fresh
    check "overlong: drop, with $split: the run ends with 0" is "$code" 0
    run run "$DIR/l2.yaml" --dry-run --json
    cp "$DIR/out" "$DIR/dry.$(printf %.30s "$split" | tr -c 'a-z0-9\n' _)"
done
check "and what was dropped is counted by kind" test -n "$(cat "$DIR"/dry.* | grep -E '"(rows|dev|test|candidates|rewards)": [1-9]')"

# ---- stopping and going on

recipe "$DIR/b" > "$DIR/b.yaml"
kills=0
for after in 0.05 0.15 0.3 0.5 0.7 0.9 1.2; do
    "$CHORUS" run "$DIR/b.yaml" > /dev/null 2>&1 &
    pid=$!
    sleep "$after"
    kill -KILL "$pid" 2> /dev/null && kills=$((kills + 1))
    wait "$pid" 2> /dev/null
done
run run "$DIR/b.yaml"
check "a run killed $kills times ends with 0" is "$code" 0
check "at least one kill hit a running process" test "$kills" -ge 1
check "the killed run's model has the same bytes" same_file "$DIR/want.gguf" "$DIR/b/cat/model.gguf"
check "and so have its answers" same_file "$DIR/want.jsonl" "$DIR/b/cat/answers.jsonl"

recipe "$DIR/c" 200000 > "$DIR/c.yaml"
"$CHORUS" run "$DIR/c.yaml" > "$DIR/out" 2> "$DIR/err" &
pid=$!
n=0
until [ -e "$DIR/c/sft/train/state.ckpt" ] || [ $n -ge 300 ]; do
    sleep 0.1
    n=$((n + 1))
done
refused "a second run in the same directory" "another chorus" run "$DIR/c.yaml"
kill -INT "$pid"
wait "$pid"
code=$?
check "an interrupt ends with 130, not $code" is "$code" 130
check "a checkpoint is kept" test -s "$DIR/c/sft/train/state.ckpt"

interrupted() # interrupted SENTENCE ARGS...: stdin never ends, stdout is never read
{
    what=$1
    shift
    rm -f "$DIR/never"
    mkfifo "$DIR/never"
    exec 8<> "$DIR/never"
    "$CHORUS" "$@" < "$DIR/never" > "$DIR/never" 2> "$DIR/err" 8>&- &
    pid=$!
    sleep 3
    kill -TERM "$pid"
    n=0
    while kill -0 "$pid" 2> /dev/null && [ $n -lt 50 ]; do
        sleep 0.1
        n=$((n + 1))
    done
    kill -KILL "$pid" 2> /dev/null
    wait "$pid"
    code=$?
    exec 8>&-
    check "$what stops with 130, not $code" is "$code" 130
}
mkdir "$DIR/many"
awk 'BEGIN {
    print "{\"Definition\": \"Say a or b.\", \"Paraphrases\": [\"Answer a or b.\", \"Write a or b.\"], \"Instances\": ["
    for (i = 0; i < 400; i++) printf "%s{\"id\": \"%d\", \"input\": \"w%d\", \"output\": [\"a\"]}\n", i ? "," : "", i, i
    print "]}"
}' > "$DIR/many/ab.json"
run measure --model "$TINY" --tasks "$DIR/many" --max-new 2 --sim exact --resamples 10 --answers "$DIR/many.jsonl"
check "many answers" is "$code" 0
interrupted "a bootstrap" compare "$DIR/many.jsonl" "$DIR/many.jsonl" --resamples 1000000
interrupted "waiting for prompts" generate --model "$TINY"
interrupted "output that nobody reads" show-batch --model "$TINY" --tasks "$DIR/many" --rows 400 --set split.train_inputs=300

# ---- a disk that is full (a limit on the size of files acts the same way)

recipe "$DIR/d" > "$DIR/d.yaml"
(
    trap '' XFSZ
    ulimit -f 16
    "$CHORUS" run "$DIR/d.yaml" > "$DIR/out" 2> "$DIR/err"
)
check "a full disk: exit code 2" is $? 2
check "the file is named" says "$DIR/d/"
check "no half-written model is left" absent "$DIR/d/sft/model.gguf"
check "nor a temporary file" is "$(find "$DIR/d" -name '*.tmp' | wc -l)" 0

checks_done && [ "$checks" -gt 100 ]
