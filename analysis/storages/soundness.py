"""Whether a study holds what this package writes: a file may be damaged, or edited by hand.

Every study is looked at once, when it is loaded, so that what reads attributes need not ask
again. Names that are not below are let be: a study may have attributes of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, NamedTuple

import optuna
from optuna.trial import FrozenTrial

from ..records import PRIVATE, RECORD_KEYS, STAGE_KEYS, TEXT_COLUMNS


class Kind(NamedTuple):
    """What an attribute may be, in words and as a test."""

    words: str
    holds: Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_finite(value: Any) -> bool:
    return _is_number(value) and (isinstance(value, int) or isfinite(value))


def _is_whole(value: Any) -> bool:
    return _is_finite(value) and value == int(value) and abs(value) < 2**63


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and _is_whole(value) and value >= 0


def _fields(**needed: Kind) -> Kind:
    words = f"a mapping with {', '.join(needed)}" if needed else "a mapping"
    return Kind(
        words,
        lambda value: (
            isinstance(value, dict)
            and all(key in value and kind.holds(value[key]) for key, kind in needed.items())
        ),
    )


def _list_of(kind: Kind) -> Kind:
    return Kind(
        f"a list, each {kind.words}",
        lambda value: isinstance(value, list) and all(map(kind.holds, value)),
    )


TEXT = Kind("a text", lambda value: isinstance(value, str))
PLAIN = Kind("a text or a number", lambda value: not isinstance(value, list | dict))
NUMBER = Kind("a number", _is_number)
FINITE = Kind("a finite number", _is_finite)
WHOLE = Kind("a whole number below 2^63", _is_whole)
COUNT = Kind("a whole number from 0 to 2^63", _is_count)
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
FIELDS = _fields()
_HELD = _fields(host=TEXT, pid=COUNT, started=FINITE, token=TEXT)
_OWNER = Kind(_HELD.words, lambda value: value == {} or _HELD.holds(value))

# Attributes that may be missing or null.
_WHOLE = ("index", "seed", "threads", "epochs", "best_epoch", "attempts", "replicate")
_WHOLE += ("depth", "w0", "group_width", "stem_width", "head_width", "resolution", "classes")
OF_TRIAL: Mapping[str, Kind] = {
    **dict.fromkeys(RECORD_KEYS, FINITE),
    **dict.fromkeys(("test_error", "seconds", "images_per_second"), NUMBER),
    **dict.fromkeys(_WHOLE, WHOLE),
    **dict.fromkeys(TEXT_COLUMNS, PLAIN),
    **dict.fromkeys(STAGE_KEYS, _list_of(FINITE)),
    "model": TEXT,
    PRIVATE + "owner": _OWNER,
    PRIVATE + "furthest": _list_of(COUNT),
    **dict.fromkeys((PRIVATE + "until", PRIVATE + "rung", PRIVATE + "resumed"), COUNT),
    PRIVATE + "retry_of": COUNT,
    **dict.fromkeys((PRIVATE + "save", PRIVATE + "test", PRIVATE + "judged"), FLAG),
    **dict.fromkeys((PRIVATE + "phase", PRIVATE + "role", PRIVATE + "origin"), TEXT),
    PRIVATE + "traceback": TEXT,
    PRIVATE + "settings": FIELDS,
}
OF_STUDY: Mapping[str, Kind] = {
    **dict.fromkeys(("schema", "seed", "threads", "resolution", "classes", "batch"), WHOLE),
    **dict.fromkeys(("space", "data", "budget", "source"), PLAIN),
    **dict.fromkeys(("kind", "data_fingerprint", "model", "base", PRIVATE + "folder"), TEXT),
    **dict.fromkeys(("recipe", "hardware", "fingerprint", "priors", "record", "plan"), FIELDS),
    "pruner": _fields(kind=TEXT),
    "asynchronous": FLAG,
    "trial": COUNT,
    PRIVATE + "environments": FIELDS,
    **dict.fromkeys((PRIVATE + "every", PRIVATE + "lease"), FINITE),
    PRIVATE + "ranges": FIELDS,
    PRIVATE + "first": _list_of(_fields(params=FIELDS, origin=TEXT)),
}
# Attributes that must be there, by the kind of study: what a training cannot do without.
_TRAINED = {"recipe": FIELDS, "data": TEXT, "threads": COUNT, "seed": COUNT}
_TRAINED |= {"resolution": COUNT, "classes": COUNT}
_TUNED = {"model": TEXT, "batch": COUNT, "asynchronous": FLAG, "pruner": FIELDS}
NEEDED_OF_STUDY: Mapping[str, Mapping[str, Kind]] = {
    "population": _TRAINED,
    "search": {**_TRAINED, "plan": FIELDS},
    "tuning": {**_TRAINED, **_TUNED, "recipe": _fields(optimizer=TEXT, epochs=COUNT)},
    "gain": {"recipe": FIELDS, "data": TEXT, "threads": COUNT, "classes": COUNT, "trial": COUNT},
}
_TRIAL = {"index": COUNT, "seed": COUNT}
NEEDED_OF_TRIAL: Mapping[str, Mapping[str, Kind]] = {
    "population": _TRIAL,
    "search": {**_TRIAL, PRIVATE + "phase": TEXT},
    "tuning": {**_TRIAL, "epochs": COUNT, PRIVATE + "origin": TEXT},
    "gain": {**_TRIAL, "replicate": COUNT, PRIVATE + "settings": _fields(recipe=FIELDS)}
    | {PRIVATE + "role": Kind("base or best", lambda value: value in ("base", "best"))},
}


def require_sound(study: optuna.Study, *, trials: bool = True) -> None:
    """Raise ValueError if a study (or one of its ``trials``) is not what this package writes.

    The message names the study or trial, the attribute and the value.
    """
    attributes = study.user_attrs
    name = f"study {study.study_name!r}"
    _check(name, attributes, OF_STUDY)
    ours = {"kind": TEXT} if "schema" in attributes else {}
    kind = attributes.get("kind", "")
    _check(name, attributes, {**ours, **NEEDED_OF_STUDY.get(kind, {})}, needed=True)
    for trial in study.get_trials(deepcopy=False) if trials else ():
        where = f"trial {study.study_name}#{trial.number}"
        _check_trial(where, trial)
        _check(where, trial.user_attrs, NEEDED_OF_TRIAL.get(kind, {}), needed=True)
        if trial.user_attrs.get(PRIVATE + "phase") == "short":
            _check(where, trial.user_attrs, {PRIVATE + "rung": COUNT}, needed=True)


def _check_trial(where: str, trial: FrozenTrial) -> None:
    parts = {"attributes": trial.user_attrs, "own attributes of Optuna's": trial.system_attrs}
    for words, part in parts.items():
        if not FIELDS.holds(part):
            raise _damage(where, f"its {words}", FIELDS, part)
    if trial.values is not None and not _list_of(NUMBER).holds(trial.values):
        raise _damage(where, "its values", _list_of(NUMBER), trial.values)
    for epoch, error in trial.intermediate_values.items():
        if not COUNT.holds(epoch) or not NUMBER.holds(error):
            raise _damage(where, f"its error at epoch {epoch!r}", NUMBER, error)
    _check(where, trial.user_attrs, OF_TRIAL)


def _check(
    where: str, attributes: Mapping[str, Any], kinds: Mapping[str, Kind], needed: bool = False
) -> None:
    for key in kinds if needed else attributes.keys() & kinds.keys():
        value = attributes.get(key)
        if (value is not None or needed) and not kinds[key].holds(value):
            raise _damage(where, key, kinds[key], value)


def _damage(where: str, what: str, kind: Kind, value: Any) -> ValueError:
    text = repr(value)
    got = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return ValueError(f"{where} is damaged: {what} must be {kind.words}, got {got}")


_LONGEST = 60  # characters of a value in a message
__all__ = ["NEEDED_OF_STUDY", "OF_STUDY", "OF_TRIAL", "require_sound"]
