"""An answer in words: throughput, delays, cost, and which limit was met first."""

from collections.abc import Sequence

from bench.capacity.parameters import Prices
from bench.capacity.scenarios import Answer, duration
from bench.capacity.service import Service


def percentile(values: Sequence[float], part: float) -> float:
    """Return the smallest of the sorted *values* that *part* of them do not exceed."""
    return values[min(len(values) - 1, int(len(values) * part))] if values else float("nan")


def cost(service: Service, prices: Prices) -> dict[str, float]:
    """Return what a run costs in US dollars, by what is billed."""
    gigabyte_seconds = (service.http.billed + service.deliver.billed) * prices.instance_gigabytes
    tally = service.tally
    return {
        "compute": gigabyte_seconds * prices.gigabyte_second,
        "executions": tally["executions"] / 1e6 * prices.million_executions,
        "tables": tally["table"] / 1e4 * prices.table_10k,
        "queue": tally["queue"] / 1e4 * prices.queue_10k,
        "vault": tally["vault"] / 1e4 * prices.vault_10k,
    }


def first_limit(service: Service) -> str:
    """Name the limit that was met first, and when."""
    met = dict(service.first)
    met.pop("HTTP instances busy", None)
    for limit in (service.storage, service.wakeups, service.agenda, service.vault):
        if limit.first_wait is not None:
            met[limit.name] = limit.first_wait
    if not met:
        return "none"
    return "; ".join(
        f"{name} ({duration(at)} after the beginning)"
        for name, at in sorted(met.items(), key=lambda one: one[1])
    )


def lines(answer: Answer, prices: Prices) -> list[str]:
    """Return the answer, line by line."""
    service, delays = answer.service, answer.delays
    answers = sorted(took for _, took in service.accepted)
    last = max((at for at, _ in service.sent), default=0)
    billed = cost(service, prices)
    total = sum(billed.values())
    sent = len(service.sent)
    percentiles = [0.5, 0.9, 0.99, 1]
    uses = (service.storage, service.wakeups, service.agenda, service.vault)
    found = [
        f"{answer.name}: {answer.question}",
        f"  throughput   {sent:,} messages in {duration(last)}: {sent / max(last, 1):,.0f}/s",
        "  delay        "
        + _percentiles(delays, percentiles)
        + "  (from the 202 to Exchange's 250)",
        "  202          " + _percentiles(answers, percentiles),
        f"  instances    {service.http.most} for HTTP, {service.deliver.most} for delivery",
        "  busiest use  " + ", ".join(f"{one.name} {one.peak:.0%}" for one in uses),
        f"  limits met   {first_limit(service)}",
        f"  cost         ${total:,.2f}"
        + "".join(f", {name} ${part:,.2f}" for name, part in billed.items())
        + f"; ${total / max(sent, 1) * 1e6:,.2f} per million messages",
    ]
    if answer.share_of_month != 1:
        found.append(
            f"  a month      ${total / answer.share_of_month:,.0f} at this cost a message"
        )
    return [*found, *(f"  {remark}" for remark in answer.remarks)]


def _percentiles(values: Sequence[float], parts: Sequence[float]) -> str:
    names = ("median", "90 %", "99 %", "longest")
    return ", ".join(
        f"{name} {duration(percentile(values, part))}"
        for name, part in zip(names, parts, strict=True)
    )
