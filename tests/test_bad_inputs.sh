#!/bin/sh
# Bad inputs, one a row: each must end within seconds with exit code 2, nothing on stdout, one sentence on stderr
# that begins with "chorus: " and holds the words of its row, and the directory tree as it was. CHORUS: the program,
# SRC: the source tree. A row: bad NAME WORDS ARGUMENTS...; NAME is also printed when it fails.
# shellcheck disable=SC2016 # backquotes in sentences
set -u
CHORUS=${CHORUS:?the program}
SRC=$(cd "${SRC:-.}" && pwd)
TINY=$SRC/tests/data/tiny/tiny.gguf
TOP=$(mktemp -d "${TMPDIR:-/tmp}/chorus-bad-XXXXXX") || exit 1
trap 'chmod -R u+w "$TOP"; rm -rf "$TOP"' EXIT
W=$TOP/w
mkdir "$W"
cd "$W" || exit 1
export NO_COLOR=1 LC_ALL=C
rows=0
failed=0

# A directory's own time changes when a place in it is tried.
tree() { find "$W" -type d -printf '%P %y\n' -o -printf '%P %y %s %T@ %l\n' | sort; }

fail()
{
    echo "FAILED: $name: $*"
    sed 's/^/    stderr: /' "$TOP/err" | head -4
    failed=$((failed + 1))
}

# bad NAME WORDS ARGUMENTS...; stdin of the command is the file $STDIN
STDIN=/dev/null
bad()
{
    name=$1
    words=$2
    shift 2
    rows=$((rows + 1))
    tree > "$TOP/before"
    timeout 60 "$CHORUS" "$@" > "$TOP/out" 2> "$TOP/err" < "$STDIN"
    code=$?
    tree > "$TOP/after"
    if [ "$code" -ne 2 ]; then fail "exit code $code"; return; fi
    if [ -s "$TOP/out" ]; then fail "stdout is not empty"; return; fi
    if [ "$(wc -l < "$TOP/err")" -ne 1 ]; then fail "not one line on stderr"; return; fi
    if ! grep -q '^chorus: ' "$TOP/err"; then fail "does not begin with chorus:"; return; fi
    if ! grep -qF -e "$words" "$TOP/err"; then fail "does not say \"$words\""; return; fi
    if tr -d '\n' < "$TOP/err" | grep -q "$(printf '[\001-\037\177]')"; then fail "control characters"; return; fi
    cmp -s "$TOP/before" "$TOP/after" || fail "the directory tree has changed: $(diff "$TOP/before" "$TOP/after")"
}

# ---- good things, of which the bad ones are made

mkdir tasks
cat > tasks/ab.json <<'EOF'
{"Definition": ["Say a or b."],
 "Paraphrases": ["Answer a or b.", "Reply a or b.", "Write a or b.", "Give a or b.", "Name a or b."],
 "Instances": [
  {"id": "1", "input": "one", "output": ["a"]}, {"id": "2", "input": "two", "output": ["b"]},
  {"id": "3", "input": "three", "output": ["a"]}, {"id": "4", "input": "four", "output": ["b"]},
  {"id": "5", "input": "five", "output": ["a"]}, {"id": "6", "input": "six", "output": ["b"]},
  {"id": "7", "input": "seven", "output": ["a"]}, {"id": "8", "input": "eight", "output": ["b"]}]}
EOF
recipe() # recipe [LINE...]: to r.yaml
{
    {
        printf 'threads: 1\n'
        for line in "$@"; do printf '%s\n' "$line"; done
        case "$*" in *model:*) ;; *) echo "model: $TINY" ;; esac
        case "$*" in *run:*) ;; *) echo 'run: no' ;; esac
        case "$*" in *generate:*) ;; *) echo 'generate: {max_new: 6}' ;; esac
        case "$*" in *data:*) ;; *) echo 'data: {tasks: tasks}' ;; esac
    } > r.yaml
}
run_bad() # run_bad NAME WORDS LINE...: a recipe with these lines, run and dry-run
{
    n=$1
    w=$2
    shift 2
    recipe "$@"
    bad "$n" "$w" run r.yaml
    bad "$n (dry run)" "$w" run r.yaml --dry-run
}
raw_bad() # raw_bad NAME WORDS TEXT: a whole recipe
{
    printf -- "$3" > r.yaml
    bad "$1" "$2" run r.yaml
}
M="--model $TINY --threads 1"
# shellcheck disable=SC2086 # $M is several words
measure_bad() { n=$1; w=$2; shift 2; bad "$n" "$w" measure $M "$@"; }
# shellcheck disable=SC2086
train_bad() { n=$1; w=$2; shift 2; bad "$n" "$w" train $M "$@"; }
# shellcheck disable=SC2086
generate_bad() { n=$1; w=$2; shift 2; bad "$n" "$w" generate $M "$@"; }
# shellcheck disable=SC2086
paraphrase_bad() { n=$1; w=$2; shift 2; bad "$n" "$w" paraphrase $M --tasks tasks "$@"; }
task_bad() # task_bad NAME WORDS FILE TEXT: a task file
{
    mkdir -p bad
    rm -f bad/*
    printf -- "$4" > "bad/$3"
    measure_bad "$1" "$2" --tasks "bad/$3"
}
rows_bad() # rows_bad NAME WORDS TEXT [YAML]: JSON lines and their companion
{
    mkdir -p bad
    rm -f bad/*
    printf -- "$3" > bad/t.jsonl
    printf "${4:-instruction: Say a.\nwordings: [Reply a., Write a.]\n}" > bad/t.yaml
    measure_bad "$1" "$2" --tasks bad/t.jsonl
}
side_bad() # side_bad NAME WORDS FILE TEXT: a file of wordings
{
    mkdir -p bad
    rm -f bad/*
    printf -- "$4" > "bad/$3"
    measure_bad "$1" "$2" --tasks tasks --wordings "bad/$3"
}

# ---- commands and options

bad "no command" "a command is wanted"
bad "an unknown command" "did you mean measure?" mesure
bad "a command of control characters" "there is no command" "$(printf 'a\033[31mb\nc')"
bad "help of an unknown command" "did you mean train?" help trian
bad "help of something near recipe" "did you mean recipe?" help recipes
bad "help with two words" "one argument too many" help run now
bad "an argument that is no UTF-8" "argument 2: holds a byte that is no UTF-8" run "$(printf 'a\377')"
measure_bad "an unknown option" "did you mean --tasks?" --taks tasks
measure_bad "an abbreviated option" "there is no option --task" --task tasks
measure_bad "an unknown letter" "there is no option -z" -z
measure_bad "an option without its value" "--tasks wants a value" --tasks
measure_bad "an option where a value is wanted" "--tasks wants a value" --tasks --json
measure_bad "an option twice" "--tasks is given twice" --tasks tasks --tasks tasks
measure_bad "a flag twice" "--json is given twice" --tasks tasks --json --json
measure_bad "a flag with a value" "--json takes no value" --tasks tasks --json=yes
measure_bad "an empty value" "--tasks is empty" --tasks ""
measure_bad "a missing option" "--tasks is wanted"
measure_bad "an argument too many" "one argument too many" --tasks tasks more
bad "compare without B" "A B is wanted" compare a
bad "report without a run" "RUN is wanted" report
bad "neither recipe nor model" "--model and --tasks, are wanted" run
for v in many 1e3 0x10 +5 ' 5' '5 ' 5.0 inf nan 007 -1 99999999999999999999 9007199254740993 ''; do
    measure_bad "a whole number: \"$v\"" "max" --tasks tasks --max-items "$v"
done
for v in inf nan 0x1p-3 +1 ' 1' 1,5 1e 1e999 -1 101 one; do
    generate_bad "a number: \"$v\"" "--temperature is" --temperature "$v" x
done
generate_bad "top-p 0" "--top-p is 0, from 1e-06 to 1" --top-p 0 x
generate_bad "no samples" "--samples is 0, from 1" --samples 0 x
generate_bad "too many samples" "--samples is 10001" --samples 10001 x
generate_bad "labels with a temperature" "nothing to sample" --labels a,b --temperature 0.7 x
generate_bad "an empty label" "empty label" --labels a,,b x
generate_bad "no prompt" "no prompt"
generate_bad "max-new beyond the context" "prompt 1:" --max-new 5000 x
generate_bad "a batch too large" "generate.batch" --batch 5000 x
measure_bad "a wrong choice" 'did you mean "bf16"?' --tasks tasks --precision fb16
bad "too many threads" "threads is 5000" measure --model "$TINY" --tasks tasks --threads=5000
measure_bad "an unknown decode" "generate.decode" --tasks tasks --decode lables
measure_bad "resamples below the least" "measure.resamples is 1, from 10" --tasks tasks --resamples 1
bad "show-batch of no row" "--rows is 0" show-batch --model "$TINY" --tasks tasks --rows 0
bad "show-batch with wordings not written" "paraphrase" \
    show-batch --model "$TINY" --tasks tasks --wordings paraphrase
bad "--set without =" "KEY=VALUE is wanted" run --model "$TINY" --tasks tasks --set train.lr
bad "--set of an unknown key" "did you mean train.lr?" run --model "$TINY" --tasks tasks --set train.lt=1
bad "--set of the same key twice" "once is wanted" \
    run --model "$TINY" --tasks tasks --set train.lr=1e-4 --set train.lr=1e-5
bad "--set of a key that an option gives" "--seed gives it too" \
    run --model "$TINY" --tasks tasks --seed 2 --set seed=3
bad "--set of a path with a line's end" "control character" \
    run --model "$TINY" --tasks tasks --set "run=a
b"
train_bad "an unknown objective" "did you mean sft?" --tasks tasks --out o --objective sftt
train_bad "an objective that is a path" "there is no objective" --tasks tasks --out o --objective ../x
train_bad "a split when only training" "split" --tasks tasks --out o --set split.train_inputs=3
train_bad "split.by when only training" "split" --tasks tasks --out o --set split.by=input
train_bad "no steps" "train.steps is 0" --tasks tasks --out o --steps 0

# ---- recipes

bad "no such recipe" "none.yaml" run none.yaml
bad "a recipe that is a directory" "is a directory" run tasks
raw_bad "an empty recipe" "holds no keys" ''
raw_bad "a recipe of comments" "holds no keys" '# nothing\n'
raw_bad "a recipe that is a list" "is a list" '- model: x\n'
raw_bad "a recipe that is a text" "is a text" 'model\n'
raw_bad "a quote that is not closed" "not YAML" 'model: "m\n'
raw_bad "a tab as indent" "line 3: not YAML" 'model: m\ndata:\n\ttasks: t\n'
raw_bad "a second document" "second document" 'model: m\n---\nmodel: n\n'
raw_bad "an unknown key" 'did you mean `seed`?' 'model: m\nsede: 3\n'
raw_bad "an unknown key far from all" 'unknown key `zzzzzzzz`; known' 'zzzzzzzz: 3\n'
raw_bad "an unknown key in a section" 'line 3: unknown key `stpes`' 'model: m\ntrain:\n  stpes: 3\n'
raw_bad "a key of a section at the top" 'unknown key' 'steps: 3\n'
raw_bad "a key twice" 'line 2: `model` stands here a second time' 'model: m\nmodel: n\n'
raw_bad "a key of a section twice" 'a second time' 'data: {tasks: a, tasks: b}\n'
raw_bad "a section twice" 'a second time' 'data: {tasks: a}\ndata: {max_len: 9}\n'
raw_bad "a list where a text is wanted" '`model` is a list' 'model: [a, b]\n'
raw_bad "keys where a text is wanted" '`model` is keys' 'model: {a: b}\n'
raw_bad "a text where keys are wanted" '`data` is a text' 'data: tasks\n'
raw_bad "a list as a key" 'a word is wanted' '[a, b]: c\n'
raw_bad "null as a text" '`model` is null' 'model: ~\n'
raw_bad "a tag" 'a tag' 'model: !!binary aGVsbG8=\n'
raw_bad "an alias of nothing" 'alias' 'model: *x\n'
raw_bad "an escaped NUL" 'line 1: a text holds a NUL' 'model: "a\\0b"\n'
raw_bad "a raw NUL" 'line 2: holds a NUL' 'model: a\nrun: b\000c\n'
raw_bad "a byte that is no UTF-8" 'line 2: holds a byte that is no UTF-8' 'model: a\nrun: b\377c\n'
raw_bad "UTF-16" 'no UTF-8' '\377\376m\000o\000'
raw_bad "a control character in YAML" 'not YAML' 'model: a\001b\n'
raw_bad "an escaped control character" 'control character' 'model: "a\\e[31mb"\ndata: {tasks: t}\n'
raw_bad "a line's end in a path" 'run: holds a control character' 'model: m\nrun: "a\\nb"\ndata: {tasks: t}\n'
raw_bad "deep nesting" 'is a list' "model: $(yes '[' | head -n 3000 | tr -d '\n')"
raw_bad "no model" 'there is no model' 'data: {tasks: t}\n'
raw_bad "no tasks" 'there are no tasks' 'model: m\n'
{ echo 'model: m'; echo 'data: {tasks: t}'; printf 'run: '; yes x | head -n 5000 | tr -d '\n'; echo; } > r.yaml
bad "a path too long for any system" "at most 4095" run r.yaml
bad "an empty run" "run is empty" run --model "$TINY" --tasks tasks --set run=
for v in many 1e2 0x5 +5 5.5 -3 .inf 1_000 99999999999999999999; do
    run_bad "train.steps: $v" 'train.steps is' "train: {steps: \"$v\"}"
done
for v in fast .nan .inf 1e-400x 0x1p-9 11 -1; do
    run_bad "train.lr: $v" 'train.lr is' "train: {lr: \"$v\"}"
done
run_bad "a batch beyond sense" 'train.batch is 70000' 'train: {batch: 70000}'
run_bad "more rows than years" 'times train.batch' 'train: {steps: 1000000000, batch: 65536}'
run_bad "a temperature of 0 for samples" 'a temperature above 0' 'align: {temperature: 0}'
run_bad "eps 0" 'train.eps is 0' 'train: {eps: 0}'
run_bad "top_p 0" 'align.top_p is 0' 'align: {top_p: 0}'
run_bad "a wrong choice" 'did you mean "input"?' 'split: {by: imput}'
run_bad "a wrong flag" 'one of false, true' 'align: {pool: yes}'
run_bad "a split for a training alone" 'split.by is none' 'split: {by: none}'
run_bad "test tasks without their split" 'belong together' 'data: {tasks: tasks, test_tasks: tasks}'
run_bad "a split by files without test tasks" 'belong together' 'split: {by: files}'
run_bad "test tasks that are those trained on" 'also trained on' 'split: {by: files}' \
    'data: {tasks: tasks, test_tasks: tasks}'
run_bad "more test inputs than there are" 'wanted are' 'split: {test_inputs: 100}'
run_bad "more wordings than there are" 'add wordings' 'split: {train_wordings: 50}'
run_bad "a split by task of one task" '1 tasks' 'split: {by: task}'
run_bad "an arm without a name" 'a name and an objective' 'arms: [{objective: sft}]'
run_bad "an arm without an objective" 'a name and an objective' 'arms: [{name: a}]'
run_bad "an unknown objective" 'did you mean sft?' 'arms: [{name: a, objective: sftt}]'
run_bad "an unknown key in an arm" 'did you mean `objective`?' 'arms:' '  - name: a' '    objectiv: sft'
run_bad "a key of no arm" 'unknown key' 'arms:' '  - {name: a, objective: sft, max_len: 9}'
run_bad "a key twice in an arm" 'a second time' 'arms: [{name: a, name: b, objective: sft}]'
run_bad "an arm's wrong value" 'arm a: train.steps' 'arms: [{name: a, objective: sft, steps: x}]'
run_bad "an arm named as a path" 'a/b' 'arms: [{name: a/b, objective: sft}]'
run_bad "an arm named .." '".."' 'arms: [{name: .., objective: sft}]'
run_bad "an arm with an empty name" 'named ""' 'arms: [{name: "", objective: sft}]'
run_bad "an arm named align" 'may not be named align' 'arms: [{name: align, objective: sft}]'
run_bad "an arm with a very long name" 'up to 64' "arms: [{name: $(yes a | head -n 300 | tr -d '\n'), objective: sft}]"
run_bad "two arms of one name" 'two arms are named a' 'arms: [{name: a, objective: sft}, {name: a, objective: sft}]'
run_bad "two arms of one title" 'is also that of arm a' \
    'arms: [{name: a, title: T, objective: sft}, {name: b, title: T, objective: sft}]'
run_bad "an empty title" 'title is ""' 'arms: [{name: a, title: "", objective: sft}]'
run_bad "a title of blanks" 'title is' 'arms: [{name: a, title: "  ", objective: sft}]'
run_bad "a title with a control character" 'control character' 'arms: [{name: a, title: "\eX", objective: sft}]'
run_bad "an arm from itself" 'no arm before it' 'arms: [{name: a, objective: sft, from: a}]'
run_bad "arms in a circle" 'no arm before it' \
    'arms: [{name: a, objective: sft, from: b}, {name: b, objective: sft, from: a}]'
run_bad "the base behind another arm" 'must be the first' \
    'arms: [{name: a, objective: sft}, {name: base, objective: none}]'
run_bad "a base that is trained" 'none' 'arms: [{name: base, objective: sft}]'
run_bad "augment that is no flag" 'augment is "maybe"' 'arms: [{name: a, objective: sft, augment: maybe}]'
run_bad "arms that are a text" '`arms` is a text' 'arms: all'
run_bad "an arm that is a text" 'is a text' 'arms: [sft]'
{ recipe; echo 'arms:'; for i in $(seq 100); do echo "- {name: a$i, objective: sft}"; done; } >> r.yaml
bad "a hundred arms" "at most 64" run r.yaml

# ---- files that a recipe names

run_bad "no such model" 'none.gguf' 'data: {tasks: tasks}' 'measure: {judge: none.gguf}'
run_bad "a judge that is a directory" 'measure.judge' 'measure: {judge: tasks}'
run_bad "a judge that is no model" 'ab.json' 'measure: {judge: tasks/ab.json}'
run_bad "no such prompt for paraphrasing" 'paraphrase.prompt' 'paraphrase: {prompt: none.txt}'
echo 'Reword this.' > p.txt
run_bad "a prompt without {instruction}" 'no {instruction}' 'paraphrase: {prompt: p.txt}'
echo 'Reword {instrution} as {instruction}.' > p.txt
run_bad "a misspelt placeholder" 'did you mean {instruction}?' 'paraphrase: {prompt: p.txt}'
printf 'Reword {instruction}\000.' > p.txt
run_bad "a prompt with a NUL" 'p.txt, line 1: holds a NUL' 'paraphrase: {prompt: p.txt}'
printf 'Reword\n{instruction}\377.' > p.txt
run_bad "a prompt that is no UTF-8" 'p.txt, line 2: holds a byte' 'paraphrase: {prompt: p.txt}'
run_bad "a prompt that is a device" 'is a device' 'paraphrase: {prompt: /dev/zero}'
run_bad "no such judge prompt" 'align.judge_prompt' 'align: {judge_prompt: none.txt}'
echo 'Is {answer} right?' > j.txt
run_bad "a judge prompt of one question" 'j.txt: judge template: no line' 'align: {judge_prompt: j.txt}'
printf 'Type of {answer}?\n---\nIs {answer} right?\n' > j.txt
run_bad "a judge prompt without the right answer" '{gold}' 'align: {judge_prompt: j.txt}'
printf 'Type of {answr} {answer}?\n---\nIs {answer} {gold}?\n' > j.txt
run_bad "a judge prompt with a misspelt placeholder" 'did you mean {answer}?' 'align: {judge_prompt: j.txt}'
run_bad "no such tasks" 'data.tasks' 'data: {tasks: nowhere}'
run_bad "no such wordings" 'data.wordings' 'data: {tasks: tasks, wordings: none.yaml}'

# ---- lengths

mkdir long free
long=$(yes 'word ' | head -n 100 | tr -d '\n')
sed "s/\"three\"/\"$long\"/" tasks/ab.json > long/ab.json
cat > free/f.json <<'EOF'
{"Definition": "Write.", "Kind": "free", "Paraphrases": ["Do write.", "Please write.", "Write now.", "Compose."],
 "Instances": [{"id": "1", "input": "x", "output": ["one two"]}, {"id": "2", "input": "y", "output": ["three"]},
  {"id": "3", "input": "z", "output": ["four"]}, {"id": "4", "input": "w", "output": ["five"]},
  {"id": "5", "input": "v", "output": ["six"]}, {"id": "6", "input": "u", "output": ["seven"]}]}
EOF
ref='align: {reward: reference}'
run_bad "a training row longer than max_len" 'ab, input' "$ref" 'data: {tasks: tasks, max_len: 20}'
run_bad "a row longer than the context" '256' "$ref" 'data: {tasks: long}'
run_bad "a test prompt that leaves no room for the answer" 'instance' 'generate: {max_new: 250}' \
    'align: {reward: reference, max_new: 6}'
run_bad "a candidate that leaves max_len" 'data.max_len' 'data: {tasks: tasks, max_len: 80}' \
    'align: {reward: reference, max_new: 60}'
run_bad "a candidate that leaves the context" "the model's context" 'align: {reward: reference, max_new: 240}'
run_bad "a self-reward's question that is too long" 'a question of the self-reward' 'align: {max_new: 40}'
run_bad "a judge's question that is too long" "the judge's question" 'data: {tasks: free}' 'generate: {max_new: 100}' \
    'align: {reward: reference, max_new: 6}'
run_bad "a judge's question about closed tasks" "the judge's question" 'measure: {sim: judge}' \
    'generate: {max_new: 100}' 'align: {reward: reference, max_new: 6}'
measure_bad "a judge's question while measuring" "the judge's question" --tasks free --max-new 100
measure_bad "a prompt that leaves no room while measuring" 'instance 1' --tasks tasks --max-new 250
train_bad "a row too long for a training" 'ab, input' --tasks tasks --out o --set data.max_len=20
train_bad "a candidate too long for a training" 'a candidate may have' --tasks tasks --out o --objective cat \
    --set align.max_new=240
bad "a row too long to be shown" 'ab, input' show-batch --model "$TINY" --tasks tasks --set data.max_len=20
paraphrase_bad "a list too long for the context" 'at most 256 fit' --out o.json
generate_bad "a prompt longer than the context" 'prompt 1:' "$(yes word | head -n 400 | tr '\n' ' ')"
generate_bad "a label longer than the context" 'prompt 1:' --labels "a,$(yes word | head -n 400 | tr '\n' ' ')" x

# ---- models

mkdir models
head -c 60000 "$TINY" > models/cut.gguf
: > models/empty.gguf
printf 'GGUF' > models/magic.gguf
{ printf 'GGML'; tail -c +5 "$TINY"; } > models/other.gguf
sed 's/llama/lxama/g' "$TINY" > models/arch.gguf
head -c 200384 /dev/zero > models/zero.gguf
for how in "none:none.gguf" "cut:cut.gguf" "empty:empty.gguf" "magic:magic.gguf" "other:other.gguf" "arch:lxama" "zero:zero.gguf"; do
    f=models/${how%%:*}.gguf
    bad "measure with the model $f" "${how#*:}" measure --model "$f" --tasks tasks --threads 1
    bad "generate with the model $f" "${how#*:}" generate --model "$f" --threads 1 x
    bad "train the model $f" "${how#*:}" train --model "$f" --tasks tasks --threads 1 --out o
    recipe "model: $f"
    bad "run with the model $f" "${how#*:}" run r.yaml
done
bad "a model that is a directory" "tasks" measure --model tasks --tasks tasks --threads 1
bad "a model that is a device" "/dev/null" measure --model /dev/null --tasks tasks --threads 1
recipe 'measure: {judge: models/cut.gguf}'
bad "a judge that is cut short" "cut.gguf" run r.yaml
measure_bad "a judge that is cut short, measuring" "cut.gguf" --tasks free --max-new 4 --judge models/cut.gguf

# ---- tasks

measure_bad "no such tasks" "nowhere" --tasks nowhere
mkdir none
measure_bad "a directory without tasks" "holds no task file" --tasks none
measure_bad "a file of another kind" "ends in .json or .jsonl" --tasks r.yaml
task_bad "an empty file" "not JSON" t.json ''
task_bad "not JSON" "t.json, line 2: not JSON" t.json '{"Definition": "x",\n]'
task_bad "JSON cut short" "not JSON" t.json '{"Definition": "x", "Instances": [{"input": "a"'
task_bad "two values" "not JSON" t.json '{} {}'
task_bad "a list" "holds a list" t.json '[]'
task_bad "a number" "holds a number" t.json '5'
task_bad "a key twice" "duplicate" t.json '{"Definition": "x", "Definition": "y", "Instances": []}'
task_bad "no instances" "no \`Instances\`" t.json '{"Definition": "x"}'
task_bad "empty instances" "holds no instances" t.json '{"Definition": "x", "Instances": []}'
task_bad "instances that are keys" "Instances" t.json '{"Definition": "x", "Instances": {}}'
task_bad "an instance that is a text" "instance 1 is a text" t.json '{"Definition": "x", "Instances": ["a"]}'
task_bad "no definition" "Definition" t.json '{"Instances": [{"input": "a", "output": "b"}]}'
task_bad "an empty definition" "Definition" t.json '{"Definition": "", "Instances": [{"input": "a", "output": "b"}]}'
task_bad "an empty list of definitions" "Definition" t.json '{"Definition": [], "Instances": [{"input": "a", "output": "b"}]}'
task_bad "a definition that is a number" "a text is wanted" t.json '{"Definition": 5, "Instances": [{"input": "a", "output": "b"}]}'
task_bad "no output" 'it has `ouput`' t.json '{"Definition": "x", "Instances": [{"input": "a", "ouput": "b"}]}'
task_bad "no input" 'has no `input`' t.json '{"Definition": "x", "Instances": [{"output": "b"}]}'
task_bad "an empty input" "input" t.json '{"Definition": "x", "Instances": [{"input": " ", "output": "b"}]}'
task_bad "an input that is a number" "put the number in quotes" t.json '{"Definition": "x", "Instances": [{"input": 1, "output": "b"}]}'
task_bad "an empty output" "is empty" t.json '{"Definition": "x", "Instances": [{"input": "a", "output": [""]}]}'
task_bad "an empty list of outputs" "empty list" t.json '{"Definition": "x", "Instances": [{"input": "a", "output": []}]}'
task_bad "an output that is null" "is null" t.json '{"Definition": "x", "Instances": [{"input": "a", "output": null}]}'
task_bad "an id that is a list" "id" t.json '{"Definition": "x", "Instances": [{"input": "a", "output": "b", "id": []}]}'
task_bad "an unknown kind" 'did you mean `closed`?' t.json '{"Definition": "x", "Kind": "close", "Instances": [{"input": "a", "output": "b"}]}'
task_bad "paraphrases that are a text" "a list of texts" t.json '{"Definition": "x", "Paraphrases": "y", "Instances": [{"input": "a", "output": "b"}]}'
task_bad "no wordings" "wordings" t.json '{"Definition": "x", "Instances": [{"input": "a", "output": "b"}]}'
task_bad "only equal wordings" "wordings" t.json '{"Definition": "x", "Paraphrases": ["X.", "x"], "Instances": [{"input": "a", "output": "b"}]}'
task_bad "an escaped NUL" "t.json, line 1: not JSON" t.json '{"Definition": "x\\u0000y", "Instances": []}'
task_bad "a raw NUL" "not JSON" t.json '{"Definition": "x\000y", "Instances": []}'
task_bad "a NUL behind the end" "not JSON" t.json '{}\000'
task_bad "a byte that is no UTF-8" "t.json, line 2: not JSON" t.json '{"Definition":\n "x\377y", "Instances": []}'
task_bad "half a surrogate pair" "not JSON" t.json '{"Definition": "x\\ud800y", "Instances": []}'
task_bad "a raw control character" "not JSON" t.json '{"Definition": "x\001y", "Instances": []}'
task_bad "deep nesting" "not JSON" t.json "$(yes '[' | head -n 100000 | tr -d '\n')"
task_bad "a file name with a line's end" "control character" "a
b.json" '{"Definition": "x", "Instances": []}'
rows_bad "a row that is no JSON" "t.jsonl, line 2: not JSON" '{"input": "a", "output": "b"}\n{"input"\n'
rows_bad "a row that is a list" "line 1" '[]\n'
rows_bad "a row without an output" "line 1" '{"input": "a"}\n'
rows_bad "rows without any" "holds no instances" '\n\n'
rows_bad "a row with a NUL" "line 1: not JSON" '{"input": "a\000", "output": "b"}\n'
rows_bad "a row that is no UTF-8" "line 2: not JSON" '{"input": "a", "output": "b"}\n{"input": "\200", "output": "b"}\n'
rows_bad "a row with a key twice" "line 1" '{"input": "a", "input": "c", "output": "b"}\n'
one='{"input": "a", "output": "b"}\n'
rows_bad "a companion that is empty" "t.yaml" "$one" '\n'
rows_bad "a companion without an instruction" "instruction" "$one" 'wordings: [a, b]\n'
rows_bad "a companion with an empty instruction" "instruction" "$one" 'instruction: ""\nwordings: [a, b]\n'
rows_bad "a companion with an unknown key" 'line 2: unknown key `wording`, did you mean `wordings`?' "$one" 'instruction: x\nwording: [a]\n'
rows_bad "a companion with a key twice" "a second time" "$one" 'instruction: x\ninstruction: y\n'
rows_bad "a companion whose wordings are a text" '`wordings` is a text' "$one" 'instruction: x\nwordings: a\n'
rows_bad "a companion with a wording that is a list" 'is a list' "$one" 'instruction: x\nwordings: [[a]]\n'
rows_bad "a companion with an empty wording" 'entry 2' "$one" 'instruction: x\nwordings: [a, ""]\n'
rows_bad "a companion with null" 'is null' "$one" 'instruction: null\n'
rows_bad "a companion with an anchor" 'an anchor' "$one" 'instruction: &a x\nwordings: [*a]\n'
rows_bad "a companion with a NUL" 'NUL' "$one" 'instruction: "x\\0y"\n'
rows_bad "a companion that is no UTF-8" 't.yaml, line 1' "$one" 'instruction: x\377\n'
rows_bad "a companion of an unknown kind" 'kind' "$one" 'instruction: x\nkind: open\n'
rm bad/t.yaml
measure_bad "rows without a companion" "instruction" --tasks bad/t.jsonl
echo '{"instruction": "x"}' > bad/t.json
echo 'instruction: x' > bad/t.yml
measure_bad "rows with two companions" "keep one of them" --tasks bad/t.jsonl
rm bad/t.yml
echo '{"instruction": "x", "wording": []}' > bad/t.json
measure_bad "a JSON companion with an unknown key" 'did you mean' --tasks bad/t.jsonl

# ---- wordings

measure_bad "no such wordings" "none.json" --tasks tasks --wordings none.json
measure_bad "wordings that are a directory" "is a directory" --tasks tasks --wordings tasks
side_bad "empty JSON" "w.json" w.json ''
side_bad "wordings of no task" "names none of the tasks" w.json '{"cd": ["x"]}'
side_bad "wordings that are a text" "a list of texts" w.json '{"ab": "x"}'
side_bad "a wording that is a number" "a text is wanted" w.json '{"ab": [5]}'
side_bad "an empty wording" "is empty" w.json '{"ab": [""]}'
side_bad "a task twice" "duplicate" w.json '{"ab": ["x"], "ab": ["y"]}'
side_bad "empty YAML" "holds no task name" w.yaml ''
side_bad "YAML that is a list" "not of the form" w.yaml '- x\n'
side_bad "a task with a text" "line 1: a text stands where" w.yaml 'ab: x\n'
side_bad "a task twice in YAML" "line 2: \`ab\` stands here a second time" w.yaml 'ab: [x]\nab: [y]\n'
side_bad "a NUL in YAML" "NUL" w.yaml 'ab: ["x\\0y"]\n'
side_bad "a raw NUL in YAML" "line 2: holds a NUL" w.yaml 'ab:\n- x\000y\n'
side_bad "wordings that are no UTF-8" "w.yaml, line 1" w.yaml 'ab: [\377]\n'
side_bad "an alias" "not of the form" w.yaml 'ab: &a [x]\ncd: *a\n'

# ---- prompts

stdin_bad() # stdin_bad NAME WORDS TEXT: of generate
{
    printf -- "$3" > "$TOP/stdin"
    STDIN=$TOP/stdin
    generate_bad "$1" "$2" --max-new 4
    STDIN=/dev/null
}
stdin_bad "a NUL on stdin" "stdin, line 2: holds a NUL" 'one\ntwo\000three\n'
stdin_bad "no UTF-8 on stdin" "stdin, line 1: holds a byte" 'o\377ne\n'
stdin_bad "a row without a prompt" "stdin, line 1" '{"promt": "x"}\n'
stdin_bad "a prompt that is a number" "a text \"prompt\"" '{"prompt": 5}\n'
stdin_bad "a row that is no JSON" "stdin, line 2: not JSON" 'x\n{"prompt": \n'
stdin_bad "a NUL in JSON on stdin" "stdin, line 1: not JSON" '{"prompt": "a\\u0000b"}\n'
stdin_bad "nothing but blanks on stdin" "no prompt" ' \n\n'
echo x > p.txt
paraphrase_bad "a prompt file without a placeholder" "no {instruction}" --prompt p.txt --out o.json

# ---- outputs

cp tasks/ab.json mine.json
ln -s mine.json link.json
ln mine.json hard.json
ln -s tasks linked
cp "$TINY" mine.gguf
for how in "tasks/ab.json:is an input" "linked/ab.json:is an input" "./tasks/../tasks/ab.json:is an input" "tasks:is a directory" \
    "nowhere/o:cannot be written" "r.yaml/o:cannot be written" "/proc/none/o:cannot be written" \
    "$(yes o | head -n 300 | tr -d '\n'):cannot be written"; do
    out=${how%%:*}
    words=${how#*:}
    measure_bad "--answers $out" "$words" --tasks tasks --answers "$out"
    measure_bad "--html $out" "$words" --tasks tasks --html "$out"
    paraphrase_bad "--out $out" "$words" --max-new 16 --out "$out"
    paraphrase_bad "--dropped $out" "$words" --max-new 16 --out o.json --dropped "$out"
done
for out in mine.json link.json hard.json; do
    measure_bad "answers over a task, spelt $out" "is an input" --tasks mine.json --answers "$out"
done
bad "answers over the model" "is an input" measure --model mine.gguf --tasks tasks --threads 1 --answers mine.gguf
measure_bad "answers and page in one place" "two outputs" --tasks tasks --answers o --html ./o
paraphrase_bad "wordings and what was dropped in one place" "two outputs" --out o --dropped o
measure_bad "answers over the judge" "is an input" --tasks tasks --judge mine.gguf --answers mine.gguf
mkdir foreign
echo x > foreign/x
for dir in foreign tasks; do
    train_bad "train into $dir" "holds no run" --tasks tasks --steps 1 --out "$dir"
    train_bad "train into $dir, fresh" "holds no run" --tasks tasks --steps 1 --out "$dir" --fresh
    recipe "run: $dir"
    bad "run into $dir" "holds no run" run r.yaml
    bad "run into $dir (dry run)" "holds no run" run r.yaml --dry-run
done
for dir in r.yaml r.yaml/sub /proc/none/sub /dev/null "sub/$(yes o | head -n 300 | tr -d '\n')"; do
    train_bad "train into $dir" "$(printf %.8s "$dir")" --tasks tasks --steps 1 --out "$dir"
    bad "run into $dir" "$(printf %.8s "$dir")" run --model "$TINY" --tasks tasks --run "$dir" --threads 1
done
if [ "$(id -u)" -ne 0 ]; then
    mkdir locked
    chmod 555 locked
    train_bad "train where nothing can be written" "cannot be written" --tasks tasks --out locked/o
    measure_bad "answers where nothing can be written" "cannot be written" --tasks tasks --answers locked/o
fi

for fd in stdin fd/0 fd/77; do
    measure_bad "answers to /dev/$fd" "/dev/$fd: cannot be written" --tasks tasks --answers "/dev/$fd"
done

# ---- runs, and what is compared

recipe 'run: done' 'train: {steps: 1, batch: 2}' 'align: {reward: reference, gold_target: true, samples: 0}' \
    'arms: [{name: sft, objective: sft}]'
"$CHORUS" run r.yaml > /dev/null 2> "$TOP/err" || { name="a run"; fail "did not end with 0"; }
for set in seed=2 data.max_items=6 split.test_inputs=2; do
    bad "a run directory of another $set" "--fresh" run r.yaml --set "$set"
    bad "a run directory of another $set (dry run)" "--fresh" run r.yaml --set "$set" --dry-run
done
recipe 'run: done' 'model: done/sft/model.gguf' 'arms: [{name: sft, objective: sft}]'
bad "a model that the run writes" "would write arm sft over" run r.yaml --fresh
bad "a model that the training writes" "would write arm sft over" \
    train --model done/sft/model.gguf --tasks tasks --out done --fresh
bad "report of nothing" "none" report none
bad "report of a directory that is no run" "is no run directory" report tasks
bad "report of a file" "is no run directory" report r.yaml
bad "compare with nothing" "none" compare none done
bad "compare a directory that is no run" "no answers" compare tasks done/sft
answers() { printf "$1" > answers.jsonl; }
good='{"task":"t","id":"1","wording_index":0,"wording":"w","input":"i","answer":"a","gold":["a"],"closed":true,"exact":true,"stopped":true,"n_tokens":1}'
answers ''
bad "answers that are none" "answers" compare answers.jsonl done/sft
answers '{"task": 5}\n'
bad "an answer without its texts" "line 1" compare answers.jsonl done/sft
answers 'x\n'
bad "answers that are no JSON" "line 1: not JSON" compare answers.jsonl done/sft
answers '{"task": "\377"}\n'
bad "answers that are no UTF-8" "line 1: not JSON" compare answers.jsonl done/sft
answers "$good\n"
bad "answers to one wording" "answers.jsonl" compare answers.jsonl done/sft
head -n 3 done/sft/answers.jsonl > answers.jsonl
bad "answers to other questions" "answers" compare answers.jsonl done/sft
bad "compare a model" "not JSON" compare mine.gguf done/sft
bad "compare with too few resamples" "measure.resamples" compare done done --resamples 2

echo "$rows rows, $failed failed"
[ "$rows" -ge 250 ] && [ "$failed" -eq 0 ]
