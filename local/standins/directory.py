"""Who exists: tenants and their people, seen by both Entra and Exchange."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

PASSWORD = "Sommer-2026!"  # of every person who was not given another


EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Tenant:
    """A customer's Microsoft 365 organisation."""

    domain: str
    id: str
    name: str
    user_consent: bool = True
    admin_consent: set[str] = field(default_factory=set)
    smtp_auth_disabled: bool = False
    application_disabled: bool = False


@dataclass(slots=True)
class Person:
    """Someone who can sign in at *tenant*."""

    username: str
    tenant: Tenant
    password: str
    name: str
    object_id: str
    enabled: bool = True
    mfa_required: bool = False
    blocked: bool = False
    assigned: bool = True
    admin: bool = False
    valid_from: datetime = EVER
    consent: set[str] = field(default_factory=set)


class Directory:
    """Tenants by domain and id, people by username; names compare without case."""

    def __init__(self) -> None:
        self.tenants: dict[str, Tenant] = {}
        self.people: dict[str, Person] = {}
        self.fill()

    def fill(self) -> None:
        """Start over with the usual cast."""
        self.tenants.clear()
        self.people.clear()
        self.add_person("kari@firma.no", name="Kari Nordmann")
        self.add_person("ola@firma.no", name="Ola Hansen")
        self.add_person("per@annen.no", name="Per Annen")
        self.add_person("admin@firma.no", name="Ada Admin").admin = True

    def add_tenant(self, domain: str, *, name: str | None = None) -> Tenant:
        domain = domain.lower()
        known = self.tenants.get(domain)
        if known is None:
            identity = str(uuid.uuid5(uuid.NAMESPACE_DNS, domain))
            title = name or domain.partition(".")[0].capitalize() + " AS"
            known = self.tenants[domain] = Tenant(domain, identity, title)
        return known

    def add_person(
        self,
        username: str,
        *,
        password: str = PASSWORD,
        tenant: str | None = None,
        name: str | None = None,
    ) -> Person:
        """Add someone, in the tenant of the address's domain unless told otherwise."""
        local, _, domain = username.partition("@")
        person = Person(
            username=username,
            tenant=self.add_tenant(tenant or domain),
            password=password,
            name=name or local.replace(".", " ").title(),
            object_id=str(uuid.uuid5(uuid.NAMESPACE_DNS, username.lower())),
        )
        self.people[username.lower()] = person
        return person

    def person(self, username: str) -> Person | None:
        return self.people.get(username.lower())

    def the(self, username: str) -> Person:
        """The person, who must exist."""
        found = self.person(username)
        if found is None:
            raise LookupError(f"nobody is called {username}")
        return found

    def tenant(self, name: str) -> Tenant | None:
        """A tenant by domain or id."""
        name = name.lower()
        return self.tenants.get(name) or next(
            (tenant for tenant in list(self.tenants.values()) if tenant.id == name), None
        )
