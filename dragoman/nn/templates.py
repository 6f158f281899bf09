"""Chat templates for models that bring none: how a dialogue is written so that plain text and one end token suffice.

They use no token that a model may lack: a role is a line of text, and an answer ends with the model's own end token,
`eos_token`, which it also learns to write. The one trained with is saved with the model, so it is the one served.
"""

from collections.abc import Mapping
from pathlib import Path

from dragoman.core.config import nearest
from dragoman.core.errors import UserError

__all__ = ["TEMPLATES", "template_of"]

_TURNS = (
    "{{% if bos_token and bos_token != eos_token %}}{{{{ bos_token }}}}{{% endif %}}"
    "{{% for message in messages %}}"
    "{{% if message['role'] == 'assistant' %}}{{{{ '{answer}' + message['content'] + (eos_token or '') }}}}"
    "{{% elif message['role'] == 'user' %}}{{{{ '{user}' + message['content'] + '{behind}' }}}}"
    "{{% elif message['role'] in ('system', 'developer') %}}{{{{ '{system}' + message['content'] + '{behind}' }}}}"
    "{{% else %}}{{{{ '{tool}' + message['content'] + '{behind}' }}}}{{% endif %}}"
    "{{% endfor %}}"
    "{{% if add_generation_prompt %}}{{{{ '{answer}' }}}}{{% endif %}}"
)

TEMPLATES: Mapping[str, str] = {
    "instruct": _TURNS.format(
        user="### Instruction:\\n", answer="### Response:\\n", system="", tool="### Result:\\n", behind="\\n\\n"
    ),
    "roles": _TURNS.format(
        user="User:\\n", answer="Assistant:\\n", system="System:\\n", tool="Tool:\\n", behind="\\n\\n"
    ),
    "plain": _TURNS.format(user="", answer="", system="", tool="", behind="\\n"),
}
"instruct: headlines as in Alpaca (Taori et al. 2023); roles: a name above each turn; plain: the texts alone"


def template_of(name: str, own: str = "") -> str:
    """The source of a template: one of these by name, a .jinja file, or with `auto` the model's own, else `instruct`.

    Raises UserError where there is none of that name.
    """
    if name == "auto":
        return own or TEMPLATES["instruct"]
    if name in TEMPLATES:
        return TEMPLATES[name]
    path = Path(name)
    if path.suffix in (".jinja", ".j2") and path.is_file():
        return path.read_text(encoding="utf-8")
    known = (*TEMPLATES, "auto")
    raise UserError(f"there is no chat template named '{name}'", f"{nearest(name, known)}; or give a .jinja file")
