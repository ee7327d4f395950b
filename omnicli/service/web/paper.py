"""The pages that people see: one look, the brand's, in the reader's language, without a script and without a stranger's picture."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from omnicli.render import colours

if TYPE_CHECKING:
    from omnicli.model.project import Project

#: What a logo may weigh to stand inside the page, in bytes, and what kinds it may be.
LOGO = 200_000
_KINDS = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
}

#: Media as people call them: "by …", "par …".
BY = {
    "email": ("by e-mail", "par e-mail"), "sms": ("by text message", "par SMS"), "whatsapp": ("on WhatsApp", "sur WhatsApp"),
    "messenger": ("on Messenger", "sur Messenger"), "push": ("by notification", "par notification"), "voice": ("by phone", "par téléphone"),
    "letter": ("by post", "par courrier"), "qr": ("on paper", "sur papier"),
}  # fmt: skip


@lru_cache(maxsize=1)
def _shelf() -> Environment:
    found = Environment(loader=FileSystemLoader(Path(__file__).parent / "pages"), autoescape=True, undefined=StrictUndefined,
                        trim_blocks=True, lstrip_blocks=True)  # fmt: skip
    found.globals.clear()
    return found


class Paper:
    """Prints the pages of one project."""

    def __init__(self, project: Project, root: Path) -> None:
        self.project, self.root = project, root

    def page(self, name: str, language: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """The page `name` in the reader's language; one that omni does not speak gets English."""
        lang = "fr" if _french(language) else "en"
        html = _shelf().get_template(f"{name}.html.j2").render(
            lang=lang, say=partial(spoken, lang), brand=self.brand, css=self.css, by=lambda channel: spoken(lang, *_by(channel)), **values
        )  # fmt: skip
        return HTMLResponse(html, status, {"Content-Security-Policy": self.policy, "Content-Language": lang})

    @property
    def language(self) -> str:
        """Whoever cannot be told apart reads the project's first language."""
        return self.project.languages[0]

    @cached_property
    def brand(self) -> dict[str, Any]:
        brand = self.project.brand
        return {
            "name": brand.name if brand else self.project.project, "legal_name": brand.legal_name if brand else None,
            "address": brand.address if brand else None, "privacy": str(brand.privacy) if brand and brand.privacy else None,
            "logo": self._logo(brand.logo if brand else None),
        }  # fmt: skip

    @cached_property
    def css(self) -> str:
        brand = self.project.brand
        return _shelf().get_template("style.css.j2").render(
            colours=colours.palette(brand.colours if brand else {}), font=colours.font(brand.font if brand else None)
        )  # fmt: skip

    @cached_property
    def policy(self) -> str:
        """Nothing runs, nothing is fetched but the brand's picture, nothing is posted elsewhere, nobody frames it."""
        style = base64.b64encode(hashlib.sha256(self.css.encode()).digest()).decode()
        return (f"default-src 'none'; style-src 'sha256-{style}'; img-src data: https:; form-action 'self'; base-uri 'none'; "
                "frame-ancestors 'none'")  # fmt: skip

    def _logo(self, where: str | None) -> str | None:
        """The address of the logo, or the picture itself when it is a small file of the project."""
        if not where or where.startswith("https://"):
            return where or None
        path = (self.root / where).resolve()
        kind = _KINDS.get(path.suffix.lower())
        if kind is None or not path.is_relative_to(self.root.resolve()) or not path.is_file() or path.stat().st_size > LOGO:
            return None
        return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def spoken(language: str, english: str, french: str, **values: object) -> str:
    """The text in the reader's language; in French the marks of two parts never begin a line."""
    if not _french(language):
        return english.format(**values) if values else english
    text = re.sub(r" ([:;?!»])", "\u00a0\\1", french).replace("« ", "«\u00a0")
    return text.format(**values) if values else text


def _french(language: str) -> bool:
    return language.lower().partition("-")[0] == "fr"


def _by(channel: str) -> tuple[str, str]:
    return BY.get(channel, (f"on {channel}", f"par {channel}"))
