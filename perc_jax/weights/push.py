"""An exported folder, uploaded to a repository of the Hugging Face hub (huggingface_hub, imported when it is needed).

The token is the hub's own affair: `HF_TOKEN`, or what `hf auth login` has stored. Large files go as the hub keeps them
(LFS or Xet), which huggingface_hub decides with the hub.
"""

from pathlib import Path


def check(repo: str, out: str) -> None:
    """Raise `ValueError` for what cannot be pushed, before minutes of writing."""
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise ValueError(f"--push must be a repository of the hub (owner/name), got {repo!r}") from error
    if "/" not in repo:
        raise ValueError(f"--push must name the owner too (owner/name), got {repo!r}")
    if "://" in out:
        raise ValueError(f"--push needs a local --out, got {out}")
    if huggingface_hub.get_token() is None:
        raise ValueError("--push needs a token: set HF_TOKEN, or log in once by `hf auth login`")


def push(out: str, repo: str, *, is_public: bool = False) -> str:
    """Upload a folder, into a new private repository if there is none; returns what to tell the user.

    Files that the repository has besides stay, and so does its being private or public.

    Raises:
        ValueError: the hub refuses, for want of rights for instance.
        ConnectionError: it cannot be reached. In both cases the folder stays as it is.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HTTPError  # of its client, httpx or another by its version

    api, stays = HfApi(), f"the export stays in {out}"
    try:
        api.create_repo(repo, private=not is_public, exist_ok=True)
        done = api.upload_folder(
            repo_id=repo, folder_path=Path(out).expanduser(), commit_message="Export of a perc_jax run"
        )
    except HfHubHTTPError as error:
        raise ValueError(f"--push {repo}: the hub refuses ({_line(error)}); {stays}") from error
    except (HTTPError, ConnectionError) as error:
        raise ConnectionError(f"--push {repo}: the hub cannot be reached ({_line(error)}); {stays}") from error
    except (OSError, RuntimeError, ValueError) as error:  # of a large file, in its client's words
        why = f"{_line(error)} {_line(error.__cause__)}" if error.__cause__ else _line(error)
        raise ValueError(f"--push {repo}: the hub refuses ({why}); {stays}") from error
    return f"pushed to {done.commit_url}"


def _line(error: BaseException) -> str:
    """What an error says, in one line; the hub's own words where it has sent some."""
    said = getattr(error, "server_message", None) or str(error)
    return " ".join(said.split())
