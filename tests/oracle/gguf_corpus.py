"""Seeds for fuzz/fuzz_gguf.c: Llamas of a few kilobytes, and each kind of damage that once got through. Writes
fuzz/corpus/gguf.

    python3 tests/oracle/gguf_corpus.py        (nothing but Python)
"""

import pathlib
import struct

U32, I32, F32, BOOL, STR, ARR = 4, 5, 6, 7, 8, 9
LETTERS = "abcdefghijklmnopqrstuvwxyz,<>|_ĠĊ"
CHATML = "{% for m in messages %}{{'<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n'}}{% endfor %}"


def text(s):
    b = s.encode()
    return struct.pack("<Q", len(b)) + b


def value(kind, v):
    if kind == STR:
        return text(v)
    if kind == ARR:
        of, items = v
        return struct.pack("<IQ", of, len(items)) + b"".join(value(of, x) for x in items)
    return struct.pack({U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}[kind], v)


def model(kind="gpt2", words=None, template=CHATML, bos=0, eos=1, add=None, drop=(), shift=0, twice=None, **size):
    z = dict(C=4, H=2, G=1, D=2, F=4, ctx=64, eps=1e-5) | size
    if words is None:
        words = ["<|im_start|>", "<|im_end|>", *LETTERS, "th", "the"]
        if kind == "llama":
            words = ["<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256)), "▁", "▁t", "th"]
    keys = {
        "general.architecture": (STR, "llama"),
        "llama.context_length": (U32, z["ctx"]),
        "llama.embedding_length": (U32, z["C"]),
        "llama.block_count": (U32, 1),
        "llama.feed_forward_length": (U32, z["F"]),
        "llama.attention.head_count": (U32, z["H"]),
        "llama.attention.head_count_kv": (U32, z["G"]),
        "llama.attention.key_length": (U32, z["D"]),
        "llama.attention.value_length": (U32, z["D"]),
        "llama.attention.layer_norm_rms_epsilon": (F32, z["eps"]),
        "tokenizer.ggml.model": (STR, kind),
        "tokenizer.ggml.pre": (STR, "smollm"),
        "tokenizer.ggml.tokens": (ARR, (STR, words)),
        "tokenizer.ggml.token_type": (ARR, (I32, [3, 3] + [6 if w.startswith("<0x") else 1 for w in words[2:]])),
        "tokenizer.ggml.scores": (ARR, (F32, [-float(i) for i in range(len(words))])),
        "tokenizer.ggml.merges": (ARR, (STR, ["t h", "th e"])),
        "tokenizer.ggml.bos_token_id": (U32, bos),
        "tokenizer.ggml.eos_token_id": (U32, eos),
        "tokenizer.chat_template": (STR, template),
    } | (add or {})
    for k in drop:
        del keys[k]
    C, Q, K, F = z["C"], z["H"] * z["D"], z["G"] * z["D"], z["F"]
    shapes = [("token_embd.weight", len(words), C), ("output_norm.weight", 1, C)]
    parts = dict(attn_norm=(1, C), attn_q=(Q, C), attn_k=(K, C), attn_v=(K, C), attn_output=(C, Q), ffn_norm=(1, C),
                 ffn_gate=(F, C), ffn_up=(F, C), ffn_down=(C, F))
    shapes += [(f"blk.0.{n}.weight", r, c) for n, (r, c) in parts.items()]
    if twice == "tensor":
        shapes[-1] = shapes[-2]
    pairs = list(keys.items()) + ([("llama.context_length", keys["llama.context_length"])] if twice == "key" else [])
    out = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(pairs))
    for k, (t, v) in pairs:
        out += text(k) + struct.pack("<I", t) + value(t, v)
    at, data = 0, b""
    for i, (name, rows, cols) in enumerate(shapes):
        ne = [cols, rows] if rows > 1 else [cols]
        out += text(name) + struct.pack(f"<I{len(ne)}QIQ", len(ne), *ne, 0, at - (shift if i else 0))
        x = b"".join(struct.pack("<f", ((37 * k + i) % 101 - 50) / 64) for k in range(rows * cols))
        data += x + bytes(-len(x) % 32)
        at = len(data)
    return out + bytes(-len(out) % 32) + data


SEEDS = {
    "bytepairs": model(),
    "sentencepiece": model("llama", bos=0, eos=1),
    "base_model": model(template="", bos=1, eos=1, drop=["tokenizer.chat_template"]),
    "one_special": model(bos=1, eos=1, add={"tokenizer.ggml.add_bos_token": (BOOL, True)}),
    "wide_head": model(D=1024, C=2),
    "wide_group": model(H=256, C=2),
    "odd_sizes": model(C=7, H=3, G=3, D=6, F=5),
    "kind_t5": model("t5"),
    "kind_rwkv": model("rwkv"),
    "raw_spaces": model(add={"tokenizer.ggml.pre": (STR, "gemma4")}),
    "long_word": model(words=["<s>", "</s>", "é€" * 2000]),
    "empty_words": model(words=["<s>", "</s>", "", "[EMPTY_2]"]),
    "no_letters": model(words=["<s>", "</s>"]),
    "bad_special": model(eos=4000),
    "not_a_score": model(add={"tokenizer.ggml.scores": (ARR, (F32, [float("nan")] * (len(LETTERS) + 4)))}),
    "zero_eps": model(eps=0.0),
    "overlap": model(shift=32),
    "key_twice": model(twice="key"),
    "tensor_twice": model(twice="tensor"),
    "alignment": model(add={"general.alignment": (U32, 24)}),
}

if __name__ == "__main__":
    folder = pathlib.Path(__file__).parents[2] / "fuzz" / "corpus" / "gguf"
    folder.mkdir(parents=True, exist_ok=True)
    for name, b in SEEDS.items():
        (folder / name).write_bytes(b)
        print(f"{name}: {len(b)} bytes")
