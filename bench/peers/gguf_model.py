"""The model of a GGUF in PyTorch, twice: transformers' Llama, and a lean one.

Both read the same dequantised weights as chorus does, so that losses can be compared. The lean
one is what an expert writes who trains only this on a CPU: q, k, v and gate, up as one product
each, torch's own rms_norm, rotary factors computed once.
"""
import torch
import torch.nn.functional as F
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


class LeanLayer(nn.Module):
    """One layer; the rotary factors come with the call."""

    def __init__(self, d, w, prefix):
        super().__init__()

        def take(*names):
            return nn.Parameter(torch.cat([w[f"{prefix}.{n}.weight"] for n in names]))

        self.d, self.head = d, d["width"] // d["heads"]
        self.norm1, self.norm2 = take("input_layernorm"), take("post_attention_layernorm")
        self.qkv = take(*(f"self_attn.{x}_proj" for x in "qkv"))
        self.out = take("self_attn.o_proj")
        self.gate_up = take("mlp.gate_proj", "mlp.up_proj")
        self.down = take("mlp.down_proj")

    def forward(self, x, cos, sin):
        d, (rows, time, width) = self.d, x.shape
        h = F.linear(F.rms_norm(x, (width,), self.norm1.to(x.dtype), d["eps"]), self.qkv)
        h = h.view(rows, time, d["heads"] + 2 * d["kv_heads"], self.head).transpose(1, 2)
        qk, v = h.split([d["heads"] + d["kv_heads"], d["kv_heads"]], 1)
        a, b = qk.chunk(2, -1)
        qk = torch.cat([a * cos - b * sin, b * cos + a * sin], -1).to(v.dtype)
        q, k = qk.split([d["heads"], d["kv_heads"]], 1)
        # Keys are repeated by hand: with enable_gqa the CPU's fast attention is not taken.
        k, v = (x.repeat_interleave(d["heads"] // d["kv_heads"], 1) for x in (k, v))
        h = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + F.linear(h.transpose(1, 2).reshape(rows, time, -1), self.out)
        h = F.linear(F.rms_norm(x, (width,), self.norm2.to(x.dtype), d["eps"]), self.gate_up)
        gate, up = h.chunk(2, -1)
        return x + F.linear(F.silu(gate) * up, self.down)


class LeanLlama(nn.Module):
    """The trunk only: hidden states after the last norm."""

    def __init__(self, d, w):
        super().__init__()
        self.d = d
        self.embed = nn.Parameter(w["model.embed_tokens.weight"])
        self.norm = nn.Parameter(w["model.norm.weight"])
        self.head = self.embed if d["tied"] else nn.Parameter(w["lm_head.weight"])
        self.layers = nn.ModuleList(
            LeanLayer(d, w, f"model.layers.{i}") for i in range(d["layers"]))

    def forward(self, ids):
        d = self.d
        n = d["width"] // d["heads"]
        frequency = d["base"] ** (-torch.arange(0, n, 2, dtype=torch.float) / n)
        angle = torch.arange(ids.shape[1])[:, None] * frequency
        cos, sin = angle.cos().to(self.embed.dtype), angle.sin().to(self.embed.dtype)
        x = F.embedding(ids, self.embed)
        for layer in self.layers:
            x = layer(x, cos, sin)
        return F.rms_norm(x, (d["width"],), self.norm.to(x.dtype), d["eps"])


class Trunk(nn.Module):
    """transformers' model seen as the lean one: ids to hidden states, and the head's weight."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    @property
    def head(self):
        return self.model.lm_head.weight

    def forward(self, ids):
        # Rows are padded on the right, where causal attention does not look: no mask is needed.
        return self.model.model(input_ids=ids, use_cache=False).last_hidden_state


def load_trunk(path, kind):
    """kind "hf" or "lean"."""
    dims, weights = read_gguf(path)
    return LeanLlama(dims, weights) if kind == "lean" else Trunk(
        transformers_model(dims, weights))
