"""The pages a person meets at the sign-in, in Norwegian (nb) and English."""

from html import escape

from local.standins.entra.application import OIDC_SCOPES, Application
from local.standins.entra.sign_in import Page, Redirect, Visit

WORDS = {
    "nb": {
        "sign-in": "Logg på",
        "username": "E-post eller telefon",
        "password": "Passord",
        "next": "Logg på",
        "mfa": "Godkjenn pålogging",
        "mfa-text": "Åpne Authenticator-appen og godkjenn forespørselen.",
        "approve": "Godkjenn",
        "consent": "Tillatelser forespurt",
        "admin-consent": "Tillatelser forespurt, gjennomgang for organisasjonen",
        "wants": "Denne appen ønsker å:",
        "accept": "Godta",
        "cancel": "Avbryt",
        "admin-approval": "Trenger administratorgodkjenning",
        "admin-text": "trenger tillatelse til ressurser i organisasjonen som bare en "
        "administrator kan gi. Be en administrator om å gi tillatelse før du kan bruke den.",
        "return": "Gå tilbake til appen uten å gi samtykke",
        "error": "Beklager, men vi har problemer med å logge deg på.",
        "stand-in": "Lokal stedfortreder for Microsoft. Ikke skriv inn et ekte passord.",
        "SMTP.Send": "Send e-post på vegne av deg med SMTP AUTH",
        "offline_access": "Opprettholde tilgangen til data du har gitt tilgang til",
        "profile": "Vise den grunnleggende profilen din",
        "email": "Vise e-postadressen din",
        "openid": "Logge deg på",
    },
    "en": {
        "sign-in": "Sign in",
        "username": "Email or phone",
        "password": "Password",
        "next": "Sign in",
        "mfa": "Approve sign in request",
        "mfa-text": "Open your Authenticator app, and approve the request.",
        "approve": "Approve",
        "consent": "Permissions requested",
        "admin-consent": "Permissions requested, review for your organization",
        "wants": "This application would like to:",
        "accept": "Accept",
        "cancel": "Cancel",
        "admin-approval": "Need admin approval",
        "admin-text": "needs permission to access resources in your organization that only an "
        "admin can grant. Please ask an admin to grant permission before you can use it.",
        "return": "Return to the application without granting consent",
        "error": "Sorry, but we are having trouble signing you in.",
        "stand-in": "Local stand-in for Microsoft. Do not enter a real password.",
        "SMTP.Send": "Send email on your behalf using SMTP AUTH",
        "offline_access": "Maintain access to data you have given it access to",
        "profile": "View your basic profile",
        "email": "View your email address",
        "openid": "Sign you in",
    },
}
STYLE = """
*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:center;
background:linear-gradient(135deg,#e8eef6,#f7f3ee 55%,#e6efe9);color:#1b1b1b;
font:15px/1.4 "Segoe UI",system-ui,sans-serif}
main{width:min(440px,100vw);background:#fff;padding:44px;box-shadow:0 2px 6px #0003}
.brand{font-weight:600;color:#5e5e5e;letter-spacing:.01em;margin:0 0 16px}
h1{font-size:24px;font-weight:600;margin:0 0 14px}
label{display:block;margin:14px 0 2px}
input{width:100%;padding:7px 2px;font:inherit;border:0;border-bottom:1px solid #666}
input:focus{outline:0;border-bottom:2px solid #0067b8}
.buttons{display:flex;justify-content:flex-end;gap:6px;margin-top:26px}
button{min-width:108px;padding:6px 12px;font:inherit;border:0;background:#ccc;cursor:pointer}
button.main{background:#0067b8;color:#fff}button:focus-visible{outline:2px solid #000}
.link{background:none;color:#0067b8;padding:0;text-align:left}
.error{color:#c50f1f;margin:0 0 8px}.person{color:#5e5e5e;margin:0 0 12px}
.note{margin:24px 0 0;font-size:12px;color:#5e5e5e;border-top:1px solid #ddd;padding-top:10px}
"""


def language(accepted: str) -> str:
    """``nb`` or ``en``: the first of the two in *accepted* (Accept-Language), else English."""
    for part in accepted.lower().split(","):
        tag = part.partition(";")[0].strip().partition("-")[0]
        if tag in ("nb", "no", "nn"):
            return "nb"
        if tag == "en":
            return "en"
    return "en"


def render(page: Page, application: Application, lang: str) -> str:
    """The HTML of *page*."""
    words = WORDS[lang]
    visit = page.visit
    parts = {
        "sign-in": _sign_in,
        "mfa": _mfa,
        "consent": _consent,
        "admin-consent": _consent,
        "admin-approval": _admin_approval,
    }
    refused = page.refused
    alert = f'<p class="error" role="alert">{escape(refused.words)}</p>' if refused else ""
    person = visit.person if visit else None
    who = f'<p class="person">{escape(person.username)}</p>' if person else ""
    name = escape(application.display_name)
    inner = parts[page.kind](visit, words, name) if visit and page.kind in parts else ""
    return _document(lang, f"{who}<h1>{words[page.kind]}</h1>{alert}{inner}", words)


def form_post(redirect: Redirect) -> str:
    """The page that posts the answer to the application (response_mode=form_post)."""
    fields = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in redirect.parameters.items()
    )
    return (
        f'<!doctype html><form method="post" action="{escape(redirect.uri)}">{fields}'
        "<noscript><button>Continue</button></noscript></form>"
        "<script>document.forms[0].submit()</script>"
    )


def _document(lang: str, inner: str, words: dict[str, str]) -> str:
    return (
        f'<!doctype html><html lang="{lang}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{words['sign-in']}</title><style>{STYLE}</style>"
        f'<main><p class="brand">Microsoft</p>{inner}'
        f'<p class="note">{words["stand-in"]}</p></main>'
    )


def _form(visit: Visit, action: str, inner: str) -> str:
    return (
        f'<form method="post" action="/{escape(visit.tenant)}/{action}">'
        f'<input type="hidden" name="ctx" value="{escape(visit.id)}">{inner}</form>'
    )


def _sign_in(visit: Visit, words: dict[str, str], _name: str) -> str:
    hint = escape(visit.query.get("login_hint", ""))
    inner = (
        f'<label for="username">{words["username"]}</label>'
        f'<input id="username" name="username" type="email" autocomplete="username" '
        f'value="{hint}" required>'
        f'<label for="password">{words["password"]}</label>'
        f'<input id="password" name="password" type="password" '
        f'autocomplete="current-password" required autofocus>'
        f'<div class="buttons"><button class="main">{words["next"]}</button></div>'
    )
    cancel = f'<button class="link">{words["return"]}</button>'
    return _form(visit, "login", inner) + _form(visit, "cancel", cancel)


def _mfa(visit: Visit, words: dict[str, str], _name: str) -> str:
    button = f'<div class="buttons"><button class="main">{words["approve"]}</button></div>'
    return f"<p>{words['mfa-text']}</p>{_form(visit, 'mfa', button)}"


def _consent(visit: Visit, words: dict[str, str], name: str) -> str:
    asked = sorted(visit.scopes, key=lambda scope: (scope in OIDC_SCOPES, scope))
    labels = [words[scope.rpartition("/")[2]] for scope in asked if scope != "openid"]
    items = "".join(f"<li>{escape(label)}</li>" for label in labels)
    buttons = (
        '<div class="buttons">'
        f'<button name="action" value="cancel">{words["cancel"]}</button>'
        f'<button class="main" name="action" value="accept">{words["accept"]}</button></div>'
    )
    return (
        f"<p><b>{name}</b></p><p>{words['wants']}</p><ul>{items}</ul>"
        f"{_form(visit, 'consent', buttons)}"
    )


def _admin_approval(visit: Visit, words: dict[str, str], name: str) -> str:
    button = f'<button class="link">{words["return"]}</button>'
    return f"<p><b>{name}</b> {words['admin-text']}</p>{_form(visit, 'cancel', button)}"
