"""How somebody wants the console to look: a choice in, a cookie out."""

from aiohttp import web

from service.web.console import languages, showing
from service.web.console.forms import FORM
from service.web.console.routes import Route
from service.web.console.sign_in import local

A_YEAR = 31_536_000


def routes() -> tuple[Route, ...]:
    return (Route("POST", "/preferences", None, _keep),)


async def _keep(request: web.Request) -> web.StreamResponse:
    form = request[FORM]
    answer = web.Response(status=303, headers={"Location": local(form.text("back"))})
    for cookie, value, known in (
        (languages.COOKIE, form.text("language"), languages.NAMES),
        (showing.THEME_COOKIE, form.text("theme"), showing.THEMES),
    ):
        if value in known:
            answer.set_cookie(
                cookie, value, max_age=A_YEAR, path="/console", httponly=True, samesite="Lax"
            )
    return answer
