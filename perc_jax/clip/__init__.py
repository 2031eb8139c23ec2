"""CLIP and FG-CLIP v1 in Flax nnx: pictures and texts in, features out, whose cosine says how well they fit.

    params = init_params(config, key)       nested dicts of float32 arrays, layers stacked on a leading axis
    model = bind(config, params)            cheap: inside jit it only wraps the tracers
    score = cosine(model.pictures(pixels), model.texts(tokens))

FG-CLIP (arXiv 2505.05071) is OpenAI's CLIP with two more tables of text positions and one more projection of texts: a
long text of up to 248 tokens takes rows 0..19 of one table and 20..247 of the other, and the second projection. A short
text of up to 77 takes CLIP's own. A CLIP without the three takes short texts only.

- Padding follows the first end mark and attention is causal, so it needs no mask; a text is read at its *first* end
  mark. An end mark that is written out in a text would end it: whoever makes the tokens keeps it out.
- A long text on the short path, or with the wrong projection, gives numbers that look right. `texts` has one path.
- Pictures are bytes, `config.image_px` on each side; `pixels` makes values of them on the device.

Arrays in, arrays out. Neither rewards nor prompts, neither files nor text belong here; `params.table` says where each
parameter lies in published files, `weights/clip_folder.py` reads them, `prompt/clip_inputs.py` makes bytes and tokens.
"""

from perc_jax.clip.model import Clip, abstract_params, bind, cosine, init_params

__all__ = ["Clip", "abstract_params", "bind", "cosine", "init_params"]
