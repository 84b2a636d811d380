"""Accounts: companies with their settings, and the callers that act for them."""

from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Asked = Literal["off", "optional", "required"]


class Role(StrEnum):
    TENANT = "tenant"
    CUSTOMER = "customer"
    SUBCONTRACTOR = "subcontractor"
    VIEWER = "viewer"


class ProofWanted(msgspec.Struct, frozen=True, rename="camel"):
    """Which proof the app asks for when an order ends in one way."""

    note: Asked = "optional"
    signature: Asked = "optional"
    images: Asked = "optional"
    barcode: Asked = "optional"


class ProofPolicy(msgspec.Struct, frozen=True, rename="camel"):
    success: ProofWanted = ProofWanted()
    failed: ProofWanted = ProofWanted()


class CustomField(msgspec.Struct, frozen=True):
    """A field of the company's own on its orders. A number has so many ``decimals``, a select one of ``options``."""

    key: Annotated[str, Meta(min_length=1, max_length=200)]
    type: Literal["text", "number", "select"] = "text"
    decimals: Annotated[int, Meta(ge=0, le=9)] = 0
    options: tuple[str, ...] = ()


class Settings(msgspec.Struct, frozen=True, rename="camel"):
    """What an account may set. Minutes, km/h, days; ``circuity`` is road distance over great-circle distance."""

    time_zone: str = "UTC"
    default_duration_minutes: Annotated[float, Meta(ge=0, le=1440)] = 5  # of an order
    default_order_type: Literal["D", "P", "T"] = "T"
    default_check_in_minutes: Annotated[int, Meta(ge=0, le=1440)] = 0  # of a location
    average_speed_kmh: Annotated[float, Meta(ge=1, le=200)] = 35
    circuity: Annotated[float, Meta(ge=1, le=5)] = 1.3
    order_tracking: bool = True
    proof_of_delivery: ProofPolicy = ProofPolicy()
    strict_stop_order: bool = False
    max_concurrent_requests: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    driver_position_retention_days: Annotated[int, Meta(ge=0, le=36_500)] = 0
    planning_seconds: Annotated[float, Meta(ge=0.1, le=600)] | None = None  # grows with the number of orders where None
    custom_fields: tuple[CustomField, ...] = ()  # of orders; where there are none an order may carry any


class Account(msgspec.Struct, frozen=True):
    id: str
    name: str
    settings: Settings


class Office(msgspec.Struct, frozen=True):
    """Somebody who calls with an API key."""

    key_id: str
    account: Account
    role: Role
    customer: str | None = None
    subcontractor: str | None = None


class Device(msgspec.Struct, frozen=True):
    """A driver's phone that calls with its device token."""

    id: str
    account: Account
    driver_id: str
