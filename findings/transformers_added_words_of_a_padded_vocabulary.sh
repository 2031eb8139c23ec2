#!/usr/bin/env bash
# transformers 5.24.0 (torch 2.13.0): add words to a model with a padded vocabulary, and their vectors are never begun.
#
# The usual three lines are tokenizer.add_tokens(words), model.resize_token_embeddings(len(tokenizer)), train. Where the
# model has more rows than its tokenizer has words, as every Qwen2 and Qwen2.5-VL has (151,936 or 152,064 rows, 151,665
# words), the second line makes the model SMALLER: what the words get are rows of the padding, bit for bit, whatever
# training left there, and not draws around the mean of all, which mean_resizing (on by default) makes of new ones; and a
# size that was divisible by 128, for tensor parallelism, is not any more. pad_to_multiple_of=128 pads, but begins no row
# either. Without the second line all seems to work as well. Only where the words exceed the padding are rows begun, and
# then those beyond it alone. Seen: see the last line.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet transformers==5.24.0
cd "$folder"
"$folder/venv/bin/python" -Wignore - <<'PYTHON'
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

ROWS, WORDS = 256, 200  # of the model, and of its tokenizer; the rest is padding
sizes = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2)


def grown(added, **how):
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(Qwen2Config(vocab_size=ROWS, tie_word_embeddings=False, **sizes))
    before = model.get_input_embeddings().weight.detach().clone()
    model.resize_token_embeddings(WORDS + added, **how)
    after = model.get_input_embeddings().weight.detach()
    kept = sum(torch.equal(after[row], before[row]) for row in range(WORDS, min(ROWS, len(after))))
    return len(after), kept


few, padded, many = grown(30), grown(30, pad_to_multiple_of=128), grown(100)
print("30 words: rows, of them padding's own:", few, "padded to 128:", padded, "100 words:", many)
assert few == (230, 30), few
assert padded == (256, 56), padded
assert many == (300, 56), many
PYTHON
# 30 words: rows, of them padding's own: (230, 30) padded to 128: (256, 56) 100 words: (300, 56)
