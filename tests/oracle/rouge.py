#!/usr/bin/env python3
"""Writes tests/data/rouge.json: what Google's rouge_score says of some hundred texts, and nltk's stems.

    pip install rouge_score==0.1.2 && python3 tests/oracle/rouge.py

Texts are put together from the words below, the words of the files named on the command line, and the
inputs and wordings under examples/demo/tasks. The same seed writes the same file.
"""

import glob
import json
import os
import random
import re
import sys

from nltk.stem import porter
from rouge_score import rouge_scorer

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
N_PAIRS, N_STEMS = 500, 5000

SUFFIXES = """ational tional enci anci izer bli abli alli entli eli ousli ization ation ator alism
iveness fulness ousness aliti iviti biliti fulli logi logy icate ative alize iciti ical ful ness al
ance ence er ic able ible ant ement ment ent ion sion tion ou ism ate iti ous ive ize s es ies ied
eed ed ing y ly ally fully bly ically ll e sses ss at bl iz""".split()

# One for each way in which nltk departs from Porter's paper, and for each step.
CHOSEN = """sky skies dying lying tying news innings inning outings outing cannings canning howe
proceed exceed succeed dies died ties tied spied flies boys monday enjoyed enjoyment happy spry using
used ages aged ibis useful geology theology trilogy apologize possibly incredibly radically totally
hopefully beautifully rationally usually feed agreed bled plastered motoring sing conflated troubled
sized hopping tanned falling hissing fizzed failing filing caresses ponies cats probate rate cease
controlling rolling adoption replacement adjustment dependent activate angularity effective yyyy
yyyyy bying byed bys flys syzygy toyy ayyy 1990s 42nd mp3s users2 sses ions ingly aeed eedy""".split()

# Edges of the tokeniser: case, scripts, marks, and the two characters outside ASCII that lower() brings into it.
EDGES = [
    "", " ", "?!...", "a", "A", "I", "the", "The  THE\tthe\nthe", "don't", "e-mail", "snake_case_word",
    "3.14", "$1,240.50", "2021-03-03", "caf\u00e9", "CAF\u00c9 NO\u00cbL", "na\u00efve", "\u0130stanbul",
    "D\u0130YARBAK\u0130R", "273 \u212a", "\u212aelvins and kelvins", "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2", "\u65e5\u672c\u8a9e", "stra\u00dfe STRASSE",
    "\u00b2\u00b3", "\uff11\uff12", "\U0001f600 smiley", "x" * 60, "y" * 30, "ing", "sing", "running", "runs", "ran",
    "I_TURN_LEFT I_WALK", "positive", "Positive.", "negative", "the answer is positive",
]

# Where one step left out would make two texts equal, or equal ones differ.
APART = [
    ("was", "wa"), ("gas dies", "ga die"), ("ones", "one"), ("273 \u212a", "273 k"),
    ("\u0130stanbul", "i stanbul"), ("\u0130stanbul", "istanbul"), ("\u0130", "i"),
    ("Running, runs!", "run run"), ("a b c d", "d c b a"), ("a a b", "a b b"),
]


def corpus(paths):
    texts = []
    for path in sorted(glob.glob(os.path.join(ROOT, "examples", "demo", "tasks", "*.json"))):
        task = json.load(open(path, encoding="utf-8"))
        texts += task["Definition"] + task["Paraphrases"]
        texts += [row["input"] for row in task["Instances"]]
    for path in paths:
        texts += open(path, encoding="utf-8", errors="ignore").read().split("\n")
    return [t for t in texts if t.strip()]


def made_up(rng, words):
    kind = rng.random()
    if kind < 0.5:
        stem = rng.choice(words)[: rng.randint(0, 7)]
        return stem + "".join(rng.choice(SUFFIXES) for _ in range(rng.randint(1, 3)))
    letters = "aeiouylsztbdgnr1" if kind < 0.8 else "abcdefghijklmnopqrstuvwxyz0"
    return "".join(rng.choice(letters) for _ in range(rng.randint(1, 9)))


def stems(rng, words):
    stemmer = porter.PorterStemmer()
    chosen = set(CHOSEN) | set(rng.sample(words, min(len(words), N_STEMS // 2)))
    while len(chosen) < N_STEMS:
        word = made_up(rng, words)
        if re.fullmatch("[a-z0-9]+", word):
            chosen.add(word)
    return [[w, stemmer.stem(w)] for w in sorted(chosen)]


def shaken(rng, text, words):
    """The text with words lost, moved, swapped or put in, so that an overlap remains."""
    parts = text.split()
    for _ in range(rng.randint(0, 1 + len(parts) // 2)):
        k = rng.randrange(len(parts) + 1)
        what = rng.random()
        if what < 0.35 and parts:
            parts.pop(min(k, len(parts) - 1))
        elif what < 0.6 and len(parts) > 1:
            parts.insert(k, parts.pop(rng.randrange(len(parts))))
        elif what < 0.8:
            parts.insert(k, rng.choice(words))
        elif parts:
            k = min(k, len(parts) - 1)
            parts[k] = rng.choice([parts[k].upper(), parts[k] + rng.choice(SUFFIXES), parts[k] + ","])
    return " ".join(parts)


def pairs(rng, texts, words):
    rows = [(a, [b]) for a, b in APART] + [(a, [b]) for a in EDGES for b in rng.sample(EDGES, 2)] + [(t, [t]) for t in EDGES]
    while len(rows) < N_PAIRS:
        text = rng.choice(texts)[:160]
        gold = [shaken(rng, text, words) for _ in range(rng.choice([1, 1, 1, 2, 3]))]
        rows.append((text if rng.random() < 0.9 else rng.choice(texts)[:160], gold))
    scorer = rouge_scorer.RougeScorer(["rouge1", "rougeL"], use_stemmer=True)
    out = []
    for answer, gold in rows:
        score = scorer.score_multi(gold, answer)
        out.append({"answer": answer, "gold": gold,
                    "rouge1": float(score["rouge1"].fmeasure), "rougeL": float(score["rougeL"].fmeasure)})
    return out


def main():
    rng = random.Random(20240322)
    texts = corpus(sys.argv[1:])
    words = sorted(set(re.findall("[a-z0-9]+", " ".join(texts).lower())))
    data = {"pairs": pairs(rng, texts, words), "stems": stems(rng, words)}
    with open(os.path.join(ROOT, "tests", "data", "rouge.json"), "w", encoding="ascii") as f:
        f.write('{"pairs": [\n')
        f.write(",\n".join(json.dumps(p) for p in data["pairs"]))
        f.write('\n],\n"stems": [\n')
        f.write(",\n".join(json.dumps(s) for s in data["stems"]))
        f.write("\n]}\n")


if __name__ == "__main__":
    main()
