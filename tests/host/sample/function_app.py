"""A small app that shows what a function sees of the host, and does what is hard to serve."""

import json
import logging
import threading
import time

import azure.functions as func
from werkzeug.datastructures import Headers

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
seen: list[dict[str, object]] = []
eight_at_once = threading.Barrier(8)


def _json(document: object) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(document), mimetype="application/json")


def _describe(req: func.HttpRequest, name: str) -> func.HttpResponse:
    return _json(
        {
            "function": name,
            "method": req.method,
            "url": req.url,
            "params": dict(req.route_params),
            "query": dict(req.params),
            "headers": dict(req.headers),
            "size": len(req.get_body()),
        }
    )


@app.route()
def unrouted(req: func.HttpRequest) -> func.HttpResponse:
    return _describe(req, "unrouted")


@app.route(route="things/{id}", methods=["GET", "POST"])
def thing(req: func.HttpRequest) -> func.HttpResponse:
    return _describe(req, "thing")


@app.route(route="things/{id:int}", methods=["GET"])
def numbered_thing(req: func.HttpRequest) -> func.HttpResponse:
    return _describe(req, "numbered_thing")


@app.route(route="things/special", methods=["GET"])
def special_thing(req: func.HttpRequest) -> func.HttpResponse:
    return _describe(req, "special_thing")


@app.route(route="things/{id}/parts/{part?}", methods=["GET"])
def part(req: func.HttpRequest) -> func.HttpResponse:
    return _describe(req, "part")


@app.route(route="things/{*rest}", methods=["GET"])
def anything(req: func.HttpRequest) -> func.HttpResponse:
    return _describe(req, "anything")


@app.route(route="mirror", methods=["POST"])
def mirror(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(req.get_body(), mimetype="application/octet-stream")


@app.route(route="cookies", methods=["GET"])
def cookies(req: func.HttpRequest) -> func.HttpResponse:
    headers = Headers()
    flags = "Path=/; Secure; HttpOnly; SameSite=Lax"
    headers.add("Set-Cookie", f"__Host-one=a-b_c; Max-Age=600; {flags}")
    headers.add("Set-Cookie", f"__Host-two=; Max-Age=0; {flags}")
    headers.add("Set-Cookie", "three=x; SameSite=None; Expires=Wed, 21 Oct 2026 07:28:00 GMT")
    headers.add("Set-Cookie", 'four="a=b/c"')
    return func.HttpResponse("", headers=headers)  # type: ignore[arg-type]


@app.route(route="broken", methods=["GET"])
def broken(req: func.HttpRequest) -> func.HttpResponse:
    raise ValueError("of no use\nto the caller")


@app.route(route="broken-header", methods=["GET"])
def broken_header(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("", headers={"X-Split": "a\r\nX-Injected: b"})


@app.route(route="nothing", methods=["GET"])
def nothing(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(status_code=204)


@app.route(route="slow", methods=["GET"])
def slow(req: func.HttpRequest) -> func.HttpResponse:
    time.sleep(float(req.params["seconds"]))
    return func.HttpResponse("done")


@app.route(route="together", methods=["GET"])
def together(req: func.HttpRequest) -> func.HttpResponse:
    eight_at_once.wait(10)
    return func.HttpResponse("eight")


@app.route(route="seen", methods=["GET"])
def what_was_seen(req: func.HttpRequest) -> func.HttpResponse:
    return _json(seen)


@app.queue_trigger(arg_name="msg", queue_name="%WORK_QUEUE%", connection="AzureWebJobsStorage")
@app.queue_output(arg_name="out", queue_name="results", connection="AzureWebJobsStorage")
def work(msg: func.QueueMessage, out: func.Out[str], context: func.Context) -> None:
    text = msg.get_body().decode()
    seen.append({"work": text, "count": msg.dequeue_count, "at": time.time(), "id": msg.id})
    logging.getLogger("sample").info("working on %s\nas %s", text, context.function_name)
    if text.startswith("sleep "):
        time.sleep(float(text.split()[1]))
    if text.startswith("fail"):
        raise RuntimeError(text)
    if text.startswith("put "):
        out.set(text.removeprefix("put "))


@app.timer_trigger(arg_name="timer", schedule="* * * * * *")
def tick(timer: func.TimerRequest) -> None:
    seen.append({"tick": int(time.time()), "past_due": timer.past_due})


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
def new_year(timer: func.TimerRequest) -> None:
    seen.append({"new_year": timer.schedule_status["Next"]})  # type: ignore[attr-defined]
