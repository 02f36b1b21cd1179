"""Tiny Llama models for the tests: sizes, random weights, a byte-level tokenizer, and their GGUF files.

Two variants. `tiny` has a tied head and H*D == C. `tiny_untied` has everything the first one lacks: its own head,
rope_freqs factors, linear rope scaling, another base, one key head for all, and heads with H*D != C.
Weights follow GGUF's order: q and k rows are paired (2i, 2i+1) for the rotation.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Dims:
    name: str
    L: int
    C: int
    H: int
    G: int
    D: int
    F: int
    rope_base: float
    rope_scale: float  # 1 / factor of linear scaling
    norm_eps: float
    tied: bool
    seed: int


TINY = Dims("tiny", 2, 48, 6, 2, 8, 80, 10000.0, 1.0, 1e-5, True, 20240521)
UNTIED = Dims("tiny_untied", 3, 40, 5, 1, 12, 52, 500000.0, 0.5, 1e-6, False, 20240522)
N_CTX = 256

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MERGES = ["t h", "e r", "Ġ t", "Ġt h", "i n", "s p", "sp a", "spa m", "Ġ a", "th e", "Ċ Ċ"]
TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
    "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def byte_symbols():
    """GPT-2's printable stand-in for each of the 256 bytes."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in keep]
    table = {b: chr(b) for b in keep}
    table.update({b: chr(256 + i) for i, b in enumerate(rest)})
    return [table[b] for b in range(256)]


def vocabulary():
    return SPECIALS + byte_symbols() + [m.replace(" ", "") for m in MERGES]


V = len(vocabulary())


def rope_factors(d):
    """Factors that divide the rotary frequencies; None: the GGUF has no rope_freqs."""
    if d.tied:
        return None
    return np.linspace(1.0, 8.0, d.D // 2).astype(np.float32)


def shapes(d):
    """Name and (rows, cols) of every weight, in GGUF's naming; norms have one axis."""
    s = {"token_embd.weight": (V, d.C)}
    for i in range(d.L):
        b = f"blk.{i}."
        s[b + "attn_norm.weight"] = (d.C,)
        s[b + "attn_q.weight"] = (d.H * d.D, d.C)
        s[b + "attn_k.weight"] = (d.G * d.D, d.C)
        s[b + "attn_v.weight"] = (d.G * d.D, d.C)
        s[b + "attn_output.weight"] = (d.C, d.H * d.D)
        s[b + "ffn_norm.weight"] = (d.C,)
        s[b + "ffn_gate.weight"] = (d.F, d.C)
        s[b + "ffn_up.weight"] = (d.F, d.C)
        s[b + "ffn_down.weight"] = (d.C, d.F)
    s["output_norm.weight"] = (d.C,)
    if not d.tied:
        s["output.weight"] = (V, d.C)
    return s


def weights(d):
    """Random, yet so scaled that attention is uneven and no layer drowns another, so that no gradient is tiny;
    and not so sharp that bf16 itself moves the gradients by the tests' 2 % (tiny_llama.py measures that)."""
    rng = np.random.default_rng(d.seed)
    w = {}
    for name, shape in shapes(d).items():
        x = rng.standard_normal(shape)
        if len(shape) == 1:
            x = 1.0 + 0.2 * x
        elif name in ("token_embd.weight", "output.weight"):
            x *= 0.25
        else:
            gain = 0.8 if "attn_q" in name or "attn_k" in name else 0.56
            x *= gain / np.sqrt(shape[1])
        w[name] = x.astype(np.float32)
    return w


def write_gguf(d, w, path):
    import gguf

    g = gguf.GGUFWriter(path, "llama")
    g.add_name(d.name)
    g.add_context_length(N_CTX)
    g.add_embedding_length(d.C)
    g.add_block_count(d.L)
    g.add_feed_forward_length(d.F)
    g.add_head_count(d.H)
    g.add_head_count_kv(d.G)
    g.add_layer_norm_rms_eps(d.norm_eps)
    g.add_rope_freq_base(d.rope_base)
    g.add_rope_dimension_count(d.D)
    if d.H * d.D != d.C:
        g.add_key_length(d.D)
        g.add_value_length(d.D)
    if d.rope_scale != 1.0:
        g.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        g.add_rope_scaling_factor(1.0 / d.rope_scale)
    g.add_vocab_size(V)
    g.add_file_type(gguf.LlamaFileType.ALL_F32)
    add_tokenizer(g)
    factors = rope_factors(d)
    if factors is not None:
        g.add_tensor("rope_freqs.weight", factors)
    for name, x in w.items():
        g.add_tensor(name, x)
    g.write_header_to_file()
    g.write_kv_data_to_file()
    g.write_tensors_to_file()
    g.close()


def add_tokenizer(g):
    import gguf

    words = vocabulary()
    assert len(set(words)) == len(words)
    kind = gguf.TokenType
    g.add_tokenizer_model("gpt2")
    g.add_tokenizer_pre("smollm")
    g.add_token_list(words)
    g.add_token_types([kind.CONTROL] * len(SPECIALS) + [kind.NORMAL] * (len(words) - len(SPECIALS)))
    g.add_token_merges(MERGES)
    g.add_bos_token_id(1)
    g.add_eos_token_id(2)
    g.add_unk_token_id(0)
    g.add_add_bos_token(False)
    g.add_add_space_prefix(False)
    g.add_chat_template(TEMPLATE)
