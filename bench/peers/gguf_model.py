"""The model of a GGUF in transformers: the same dequantised weights as chorus reads.

A leaner model of our own (q, k, v and gate, up as one product each, torch's rms_norm) was tried:
it was slower than transformers' on CPUs, eager and compiled.
"""
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from torch import nn

NAMES = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
         "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
         "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
         "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
TOP = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def split_halves(w, heads):
    """GGUF rotates neighbours (0, 1), (2, 3), ...; transformers rotates halves (0, n/2), ..."""
    rows, cols = w.shape
    return w.reshape(heads, rows // heads // 2, 2, cols).swapaxes(1, 2).reshape(rows, cols)


def read_gguf(path):
    """Dimensions, and f32 weights under transformers' names."""
    reader = GGUFReader(path)

    def field(key):
        return reader.fields["llama." + key].contents()

    dims = {"layers": field("block_count"), "width": field("embedding_length"),
            "wide": field("feed_forward_length"), "heads": field("attention.head_count"),
            "kv_heads": field("attention.head_count_kv"), "base": field("rope.freq_base"),
            "eps": field("attention.layer_norm_rms_epsilon"), "context": field("context_length")}
    weights = {}
    for t in reader.tensors:
        w = dequantize(t.data, t.tensor_type)
        parts = t.name.split(".")
        if parts[0] == "blk":
            if parts[2] in ("attn_q", "attn_k"):
                w = split_halves(w, dims["heads" if parts[2] == "attn_q" else "kv_heads"])
            name = f"model.layers.{parts[1]}.{NAMES[parts[2]]}.weight"
        else:
            name = TOP[parts[0]] + ".weight"
        weights[name] = torch.from_numpy(w.astype("float32"))
    dims["vocabulary"] = weights["model.embed_tokens.weight"].shape[0]
    dims["tied"] = "lm_head.weight" not in weights
    return dims, weights


def transformers_model(dims, weights):
    """transformers' own LlamaForCausalLM with attention through SDPA."""
    from transformers import LlamaConfig, LlamaForCausalLM
    config = LlamaConfig(
        vocab_size=dims["vocabulary"], hidden_size=dims["width"], intermediate_size=dims["wide"],
        num_hidden_layers=dims["layers"], num_attention_heads=dims["heads"],
        num_key_value_heads=dims["kv_heads"], max_position_embeddings=dims["context"],
        rms_norm_eps=dims["eps"], tie_word_embeddings=dims["tied"],
        rope_parameters={"rope_type": "default", "rope_theta": dims["base"]},
        attn_implementation="sdpa", bos_token_id=None, eos_token_id=None, pad_token_id=0)
    model = LlamaForCausalLM(config)
    missing, unexpected = model.load_state_dict(weights, strict=False)
    if unexpected or [m for m in missing if not (m == "lm_head.weight" and dims["tied"])]:
        raise ValueError(f"weights do not fit: missing {missing}, unexpected {unexpected}")
    model.config.use_cache = False
    return model


class Trunk(nn.Module):
    """ids to hidden states, and the head's weight."""

    def __init__(self, path):
        super().__init__()
        self.model = transformers_model(*read_gguf(path))

    @property
    def head(self):
        return self.model.lm_head.weight

    def forward(self, ids):
        # Rows are padded on the right, where causal attention does not look: no mask is needed.
        return self.model.model(input_ids=ids, use_cache=False).last_hidden_state
