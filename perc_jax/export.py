"""Write a run's newest checkpoint as a Hugging Face folder, which transformers and every server of its models opens.

`python -m perc_jax.export --model WORKDIR --out DIR [--dtype bfloat16|float32] [--like HF_FOLDER] [--adapter-only]`.
What is in the folder, and from where, is said in `weights/hf_folder.py`. Without an exit
code of 0 there is no folder.
"""

import sys
from collections.abc import Sequence

from perc_jax.processes import ends, interrupts


@ends.told()
def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line and export."""
    parser = ends.Parser(prog="python -m perc_jax.export", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model",
        "--checkpoint",  # as it was once called
        required=True,
        metavar="WORKDIR",
        help="workdir of a run, local or gs://, whose newest checkpoint is written; or WORKDIR@STEP, WORKDIR@best",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="new or empty folder, local or gs://")
    parser.add_argument("--dtype", default="bfloat16", choices=("bfloat16", "float32"), help="of the written weights")
    parser.add_argument(
        "--like", default="", metavar="HF", help="folder or hub id whose tokenizer and other files are copied"
    )
    parser.add_argument(
        "--adapter-only",
        action="store_true",
        help="write a run's low-rank adapters alone, as PEFT loads them (float32)",
    )
    arguments = parser.parse_args(sys.argv[1:] if argv is None else argv)
    interrupts.leave_with("nothing was exported")
    import jax  # seconds, for which --help and mistakes need not wait

    jax.config.update("jax_platforms", "cpu")  # the weights only pass through
    from perc_jax.weights import hf_folder

    chosen = {name: getattr(arguments, name) for name in ("dtype", "like", "adapter_only")}
    for line in hf_folder.export(arguments.model, arguments.out, **chosen):
        print(line)


if __name__ == "__main__":
    main()
