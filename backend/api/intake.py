"""Decoding of what phones send, in JSON or MessagePack, over HTTP or a websocket.

A batch is decoded in one go. Only where that fails it is decoded item by item, so that a bad item is rejected alone and
by name. What is neither JSON nor MessagePack is refused whole with ``ERR_MALFORMED``, a batch of another shape or size
with ``ERR_INVALID``.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Raw

from backend.api import body
from backend.domain.errors import Refusal
from backend.domain.events import NO_NUL, Action, Kind
from backend.domain.positions import Position, Rejected, diagnose
from backend.service.settle import Outcome

FrameId = Annotated[str, Meta(max_length=64)]
MOST_POSITIONS = 1000
MOST_ACTIONS = 200


class PositionBatch(msgspec.Struct, frozen=True):
    """1 to 1000 positions, in any order and of any age."""

    positions: Annotated[list[Position], Meta(min_length=1, max_length=MOST_POSITIONS)]


class ActionBatch(msgspec.Struct, frozen=True):
    """1 to 200 actions, in the order in which they should be answered."""

    actions: Annotated[list[Action], Meta(min_length=1, max_length=MOST_ACTIONS)]


class RawPositions(msgspec.Struct, frozen=True):
    positions: list[Raw]


class RawActions(msgspec.Struct, frozen=True):
    actions: list[Raw]


class PositionsFrame(PositionBatch, frozen=True, tag_field="type", tag="positions"):
    """``id`` is the phone's own name for the frame, and is repeated in the answer."""

    id: FrameId | None = None


class ActionsFrame(ActionBatch, frozen=True, tag_field="type", tag="actions"):
    id: FrameId | None = None


class MessageIn(msgspec.Struct, frozen=True):
    """A message from a driver to the office; the app makes the ``id``, so that it may send the message again."""

    id: Annotated[str, Meta(min_length=1, max_length=64, pattern=NO_NUL)]
    text: Annotated[str, Meta(min_length=1, max_length=2000, pattern=NO_NUL)]


class MessageFrame(MessageIn, frozen=True, tag_field="type", tag="message"):
    pass


class LooseFrame(msgspec.Struct, frozen=True):
    """A frame of any kind: only its type and id are decoded."""

    type: object = None
    id: object = None


class Read(NamedTuple):
    """The positions that could be decoded, and the others by their index in the batch."""

    fixes: list[Position]
    misfits: list[Rejected]


class Positions(msgspec.Struct, frozen=True):
    """A frame of positions, as far as it could be decoded."""

    id: str | None
    read: Read


class Actions(msgspec.Struct, frozen=True):
    """A frame of actions, as far as it could be decoded."""

    id: str | None
    actions: Sequence[Action | Outcome]


class Misfit(msgspec.Struct, frozen=True):
    """A frame that could not be decoded at all."""

    id: str | None
    refusal: Refusal


Frame = Positions | Actions | MessageFrame | Misfit


class Codec:
    """The decoders and the encoder of one of the two formats, JSON or MessagePack."""

    def __init__(self, name: str) -> None:
        self.name = name
        module = msgspec.json if name == "JSON" else msgspec.msgpack
        self.encode = module.Encoder().encode
        self._position_batch = module.Decoder(PositionBatch)
        self._action_batch = module.Decoder(ActionBatch)
        self._raw_positions = module.Decoder(RawPositions)
        self._raw_actions = module.Decoder(RawActions)
        self._frame = module.Decoder(PositionsFrame | ActionsFrame | MessageFrame)
        self._loose_frame = module.Decoder(LooseFrame)
        self._position = module.Decoder(Position)
        self._action = module.Decoder(Action)
        self._anything = module.Decoder()

    def positions(self, data: bytes) -> Read:
        """The positions of ``{"positions": […]}``."""
        self.check(data)
        try:
            return self._good(self._position_batch.decode(data).positions, data)
        except msgspec.ValidationError:
            return self._one_by_one(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self.malformed(error) from error

    def actions(self, data: bytes) -> Sequence[Action | Outcome]:
        """The actions of ``{"actions": […]}``; a failed outcome in place of each that could not be decoded."""
        self.check(data)
        try:
            return self._action_batch.decode(data).actions
        except msgspec.ValidationError:
            return self._each_action(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self.malformed(error) from error

    def frame(self, data: bytes) -> Frame:
        """A message on a websocket, ``{"type", "id"?, …}``."""
        self.check(data)
        try:
            match self._frame.decode(data):
                case PositionsFrame(positions, id=id):
                    return Positions(id, self._good(positions, data))
                case ActionsFrame(actions, id=id):
                    return Actions(id, actions)
                case message:
                    return message
        except msgspec.ValidationError as error:
            return self._loosely(data, error)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self.malformed(error) from error

    def _loosely(self, data: bytes, error: msgspec.ValidationError) -> Frame:
        loose = self._whole(self._loose_frame, data)
        id = loose.id if isinstance(loose.id, str) and len(loose.id) <= 64 else None
        try:
            match loose.type:
                case _ if id is None and loose.id is not None:
                    raise Refusal("ERR_INVALID", "The id of a frame is a text of up to 64 characters.", "id")
                case "positions":
                    return Positions(id, self._one_by_one(data))
                case "actions":
                    return Actions(id, self._each_action(data))
                case "message":
                    raise body.misfit(error, MessageFrame)
                case _:
                    raise Refusal("ERR_TYPE_UNKNOWN", "The type is one of positions, actions, message.", "type")
        except Refusal as refusal:
            return Misfit(id, refusal)

    def _good(self, fixes: list[Position], data: bytes) -> Read:
        named = [fix.id for fix in fixes if fix.id is not None]
        if any("\x00" in id for id in named):
            return self._one_by_one(data)
        return Read(fixes, [])

    def _one_by_one(self, data: bytes) -> Read:
        items = self._whole(self._raw_positions, data).positions
        _check_size(items, "positions", MOST_POSITIONS)
        fixes, misfits = [], []
        for index, item in enumerate(items):
            try:
                fix = self._position.decode(item)
                if fix.id is not None and "\x00" in fix.id:
                    raise msgspec.ValidationError("The id holds the character NUL, which cannot be stored")
                fixes.append(fix)
            except msgspec.ValidationError as error:
                code, message = diagnose(self._plain(item))
                misfits.append(Rejected(index, code, f"{error}." if code == "ERR_POSITION_INVALID" else message))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise self.malformed(error) from error
        return Read(fixes, misfits)

    def _each_action(self, data: bytes) -> list[Action | Outcome]:
        items = self._whole(self._raw_actions, data).actions
        _check_size(items, "actions", MOST_ACTIONS)
        read: list[Action | Outcome] = []
        for item in items:
            try:
                read.append(self._action.decode(item))
            except msgspec.ValidationError as error:
                read.append(_unreadable(self._plain(item), error))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise self.malformed(error) from error
        return read

    def check(self, data: bytes) -> None:
        """Refuse a JSON text that is not UTF-8."""
        try:
            if self.name == "JSON":
                body.check_text(data)
        except UnicodeDecodeError as error:
            raise self.malformed(error) from error

    def malformed(self, error: Exception) -> Refusal:
        if self.name == "JSON":
            return body.malformed(error)
        return Refusal("ERR_MALFORMED", f"The message is not MessagePack: {error}.")

    def _whole(self, decoder: Any, data: bytes) -> Any:
        try:
            return decoder.decode(data)
        except msgspec.ValidationError as error:
            if self.name == "JSON":
                body.check(data)
            raise body.misfit(error, decoder.type) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self.malformed(error) from error

    def _plain(self, item: Raw) -> Any:
        """The item as plain Python values, for the diagnosis; a number too large for a float becomes infinity."""
        try:
            return self._anything.decode(item)
        except (msgspec.DecodeError, ValueError, RecursionError):
            if self.name != "JSON":
                return None
        try:
            return json.loads(bytes(item))
        except (ValueError, RecursionError):
            return None


def _check_size(items: Sequence[Raw], name: str, most: int) -> None:
    if not 1 <= len(items) <= most:
        raise Refusal("ERR_INVALID", f"{name} takes 1 to {most} items, not {len(items)}.", name)


def _unreadable(item: Any, error: msgspec.ValidationError) -> Outcome:
    """The outcome of an action that could not be decoded, with its id where that could be."""
    if not isinstance(item, dict):
        return Outcome(None, success=False, code="ERR_ACTION_INVALID", message="An action is an object.")
    given = item.get("id")
    code, message = _fault(item) or ("ERR_ACTION_INVALID", f"{body.spoken(error, Action)}.")
    return Outcome(given if isinstance(given, str) else None, success=False, code=code, message=message)


def _fault(item: dict[Any, Any]) -> tuple[str, str] | None:
    word = item.get("action")
    if isinstance(word, str) and word not in list(Kind):
        return "ERR_ACTION_UNKNOWN", f"An action is one of {', '.join(Kind)}."
    for name in ("timestamp", "plannedStartTime"):
        if name == "timestamp" or item.get(name) is not None:
            code, message = diagnose({"timestamp": item.get(name), "latitude": 0, "longitude": 0})
            if code.startswith("ERR_TIMESTAMP"):
                return code, message if name == "timestamp" else f"{name}: {message}"
    position = item.get("position")
    if position is not None:
        try:
            msgspec.convert(position, Position)
        except msgspec.ValidationError:
            code, message = diagnose(position)
            return code, f"position: {message}"
    return None


JSON = Codec("JSON")
MSGPACK = Codec("MessagePack")
