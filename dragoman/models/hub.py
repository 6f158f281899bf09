"""The Hugging Face hub as it may fail, each failure told in one message; and files sent to it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dragoman.core.errors import UserError

__all__ = ["endpoint", "send", "telling"]

_USUAL = "https://huggingface.co"
_LOG_IN = "log in with `hf auth login`, or set HF_TOKEN to a token of yours; HF_ENDPOINT names another hub"


def endpoint() -> str:
    """The address of the hub: HF_ENDPOINT, or the public one."""
    return (os.environ.get("HF_ENDPOINT") or _USUAL).rstrip("/")


def send(files: Mapping[str, Path | bytes], name: str, public: bool, message: str) -> str:
    """Put files into the repository `owner/name`, which is made where there is none, in one commit; its address.

    What the repository holds besides stays. The token is the person's own: HF_TOKEN or their login. Raises UserError
    where nobody is logged in, the hub refuses the token or is not reached, and where the repository is public already
    though `public` was not asked for.
    """
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    api, quiet = HfApi(endpoint=endpoint()), are_progress_bars_disabled()
    disable_progress_bars()  # the board draws its own
    try:
        with telling(f"hf:{name}", "published"):
            api.whoami()
            api.create_repo(name, private=not public, exist_ok=True)
            if not public and not api.model_info(name).private:
                raise UserError(
                    f"hf:{name} is public already: whoever looks could read what is sent there",
                    "say so with public=true, or name another repository with to=owner/name",
                )
            added = [CommitOperationAdd(path, given) for path, given in files.items()]
            api.create_commit(name, added, commit_message=message)
    finally:
        if not quiet:
            enable_progress_bars()
    return f"{endpoint()}/{name}"


@contextmanager
def telling(what: str, done: str) -> Iterator[None]:
    """Turn whatever the hub's library raises into one UserError: `what` could not be `done`. No token is in it."""
    from httpx2 import HTTPError
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        LocalTokenNotFoundError,
        OfflineModeIsEnabled,
        RevisionNotFoundError,
    )

    try:
        yield
    except UserError:
        raise
    except HFValidationError:
        raise UserError(f"'{what}' is not a name on the Hugging Face hub", "write it as hf:owner/name") from None
    except LocalTokenNotFoundError:
        raise UserError(f"{what} could not be {done}: nobody is logged in at {endpoint()}", _LOG_IN) from None
    except GatedRepoError:
        hint = f"ask for access on its page, {endpoint()}/{what.removeprefix('hf:')}, then {_LOG_IN}"
        raise UserError(f"{what} could not be {done}: its owner has to grant you access first", hint) from None
    except RevisionNotFoundError:
        raise UserError(
            f"{what} could not be {done}: there is no such revision",
            "write hf:owner/name, or a branch, tag or commit behind @",
        ) from None
    except HfHubHTTPError as error:
        raise _refused(what, done, error.response.status_code, _first(error)) from None
    except (HTTPError, OfflineModeIsEnabled, LocalEntryNotFoundError) as error:
        if isinstance(error.__cause__, HfHubHTTPError):  # it was refused, and no older copy lies in the cache
            raise _refused(what, done, error.__cause__.response.status_code, _first(error.__cause__)) from None
        raise UserError(
            f"{what} could not be {done}: {endpoint()} is not reached ({_first(error)})",
            "check the name, the network and HF_HUB_OFFLINE; a folder of this machine needs none",
        ) from None
    except (OSError, ValueError, RuntimeError) as error:
        cause = error.__cause__
        if isinstance(cause, HfHubHTTPError):
            raise _refused(what, done, cause.response.status_code, _first(cause)) from None
        said = _first(error) + (f" ({_first(cause)})" if isinstance(cause, Exception) else "")
        raise UserError(
            f"{what} could not be {done}: {said}", "check the name and the network, or name a folder"
        ) from None


def _refused(what: str, done: str, status: int, said: str) -> UserError:
    """What an answer of the hub means for the person who asked."""
    known = {
        401: ("it is private or is not there, or the token is not valid", _LOG_IN),
        403: ("the token may not do that", f"make a token that may write there, then {_LOG_IN}"),
        404: ("there is none, or it is private and the token does not show it", f"check the name, or {_LOG_IN}"),
    }
    reason, hint = known.get(status, (f"the hub answered {status}: {said}", "try the same command again later"))
    return UserError(f"{what} could not be {done}: {reason}", hint)


def _first(error: Exception) -> str:
    """The first line of what an error says, the person's token blotted out wherever a library put it."""
    from huggingface_hub import get_token

    said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    token = get_token()
    return said.replace(token, "[token]") if token else said
