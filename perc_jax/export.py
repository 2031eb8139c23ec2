"""Write a run's newest checkpoint as a Hugging Face folder, which transformers and every server of its models opens.

`python -m perc_jax.export --model WORKDIR --out DIR [--dtype bfloat16|float32] [--like HF_FOLDER] [--adapter-only]
[--push OWNER/NAME [--public]]`. What is in the folder, and from where, is said in `weights/hf_folder.py`. Without an
exit code of 0 there is no model there, but where only the push has failed: a local folder is absent or empty, and what
Ctrl-C leaves hidden beside or in it the next export to the same place removes; on gs:// files may stay, config.json not
among them, and must be removed before the next export.
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
    parser.add_argument(
        "--push",
        default="",
        metavar="OWNER/NAME",
        help="upload the folder to this repository of the hub, too",
    )
    parser.add_argument("--public", action="store_true", help="make the repository public if --push makes it")
    arguments = parser.parse_args(sys.argv[1:] if argv is None else argv)
    is_remote = "://" in arguments.out
    rest = f"; remove what is in {arguments.out} before the next export" if is_remote else ""
    interrupts.leave_with(f"nothing was exported{rest}")
    import jax  # seconds, for which --help and mistakes need not wait

    jax.config.update("jax_platforms", "cpu")  # the weights only pass through
    from perc_jax.weights import hf_folder, push

    if arguments.public and not arguments.push:
        raise ValueError("--public needs --push, which was not given")
    if arguments.push:
        push.check(arguments.push, arguments.out)
    chosen = {name: getattr(arguments, name) for name in ("dtype", "like", "adapter_only")}
    for line in hf_folder.export(arguments.model, arguments.out, **chosen):
        print(line)
    if arguments.push:
        interrupts.leave_with(f"{arguments.out} stays, but not all of it was pushed")
        print(push.push(arguments.out, arguments.push, is_public=arguments.public))


if __name__ == "__main__":
    main()
