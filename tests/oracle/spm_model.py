"""A tiny Llama with what the other two lack: a sentencepiece vocabulary that wants BOS, Llama 2's turns, and a
different tensor type in every place. Writes tests/data/tiny/spm.gguf; the values are a formula, so that the test can
work them out by itself.

    python3 tests/oracle/spm_model.py        (numpy and gguf from PyPI)
"""

import pathlib

import gguf
import numpy as np

L, C, H, G, D, F = 1, 32, 4, 2, 8, 64
BYTES = [f"<0x{b:02X}>" for b in range(256)]
WORDS = ["▁", *"abcdefghijklmnopqrstuvwxyz", "▁a", "▁t", "▁th", "▁the", "he", "in"]
TOKENS = ["<unk>", "<s>", "</s>", *BYTES, *WORDS]
TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + m['content'] + ' [/INST]' }}"
    "{% else %}{{ ' ' + m['content'] + ' ' + eos_token }}{% endif %}{% endfor %}"
)
Q = gguf.GGMLQuantizationType


def values(rows, cols, k):
    """x[i] = ((37 i + k) mod 101 - 50) / 64, which every 16-bit type holds exactly."""
    i = np.arange(rows * cols, dtype=np.int64)
    return (((37 * i + k) % 101 - 50) / 64).astype(np.float32).reshape(rows, cols)


TENSORS = [
    ("token_embd.weight", len(TOKENS), C, Q.F16),
    ("blk.0.attn_norm.weight", 1, C, Q.F32),
    ("blk.0.attn_q.weight", H * D, C, Q.BF16),
    ("blk.0.attn_k.weight", G * D, C, Q.Q8_0),
    ("blk.0.attn_v.weight", G * D, C, Q.Q5_1),
    ("blk.0.attn_output.weight", C, H * D, Q.F16),
    ("blk.0.ffn_norm.weight", 1, C, Q.F32),
    ("blk.0.ffn_gate.weight", F, C, Q.Q4_0),
    ("blk.0.ffn_up.weight", F, C, Q.Q5_0),
    ("blk.0.ffn_down.weight", C, F, Q.Q4_1),
    ("output_norm.weight", 1, C, Q.F32),
    ("output.weight", len(TOKENS), C, Q.BF16),
]


def main():
    path = pathlib.Path(__file__).parents[1] / "data" / "tiny" / "spm.gguf"
    g = gguf.GGUFWriter(path, "llama")
    g.add_context_length(128)
    g.add_embedding_length(C)
    g.add_block_count(L)
    g.add_feed_forward_length(F)
    g.add_head_count(H)
    g.add_head_count_kv(G)
    g.add_layer_norm_rms_eps(1e-5)
    g.add_rope_dimension_count(D)
    g.add_quantization_version(2)
    kind = gguf.TokenType
    g.add_tokenizer_model("llama")
    g.add_token_list(TOKENS)
    g.add_token_scores([0.0] * (3 + 256) + [-float(i) for i in range(len(WORDS), 0, -1)])
    g.add_token_types(
        [kind.UNKNOWN, kind.CONTROL, kind.CONTROL] + [kind.BYTE] * 256 + [kind.NORMAL] * len(WORDS)
    )
    g.add_bos_token_id(1)
    g.add_eos_token_id(2)
    g.add_unk_token_id(0)
    g.add_add_bos_token(True)
    g.add_chat_template(TEMPLATE)
    for k, (name, rows, cols, kind) in enumerate(TENSORS):
        x = values(rows, cols, k)
        g.add_tensor(name, gguf.quants.quantize(x[0] if rows == 1 else x, kind), raw_dtype=kind)
    g.write_header_to_file()
    g.write_kv_data_to_file()
    g.write_tensors_to_file()
    g.close()


if __name__ == "__main__":
    main()
