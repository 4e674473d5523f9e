"""What a file of a design space may say, as data: the reader checks by it, editors by its schema.

The names of blocks, laws, parameters and constraints are those of the tables that define them.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from ..blocks import ACTIVATIONS, BLOCKS, STEM_TYPES
from ..constraints import MAX_STAGES, ORDERS
from ..laws import Gridded, LogUniform, PowerOfTwo, PowerOfTwoOrLogUniform, Uniform
from ..normal_laws import LogNormal, Normal
from ..space_catalogue import SPACES
from ..spaces import FAMILIES
from .fields import Either, Field, Items, Keys, When
from .values import Constant, Flag, Json, Kind, Number, Text

SCHEMA = 1
MAX_STRIDE = 64  # a stage; eight of them still fit a 64-bit integer
MAX_CHOICES = 1000
Range = type[Gridded] | type[PowerOfTwo] | type[PowerOfTwoOrLogUniform]
LAWS: dict[str, Range] = {
    "uniform": Uniform,
    "log-uniform": LogUniform,
    "power-of-two": PowerOfTwo,
    "power-of-two-or-log": PowerOfTwoOrLogUniform,
    "normal": Normal,
    "log-normal": LogNormal,
}
PARAMETERS = tuple(dict.fromkeys(name for names in FAMILIES.values() for name in names))
VALUE = Number()
_CHOICES = Items(VALUE, least=1, most=MAX_CHOICES, meaning="a list of numbers")
_ENDS = {
    "low": Field(VALUE, "The least value."),
    "high": Field(VALUE, "The largest value."),
}


def has_quantum(law: Range) -> bool:
    """Return whether a law has a quantum beside its ends."""
    return "quantum" in {field.name for field in fields(law)}


def _range(extra: dict[str, Field]) -> Keys:
    return Keys(
        {
            "law": Field(Text(tuple(LAWS)), "How likely each value is."),
            **_ENDS,
            "quantum": Field(VALUE, "The step between values; it divides high - low."),
            **extra,
        },
        required=("law", "low", "high"),
        when=When("quantum", "law", tuple(name for name, law in LAWS.items() if has_quantum(law))),
    )


_SHARED = {"shared": Field(Flag(), "Whether all stages of a network have the same value (anynet).")}
OF_STAGE = Either((VALUE, _CHOICES, _range({})), "a number, a list or a range")
OF_PARAMETER = Either(
    (
        VALUE,
        _CHOICES,
        Keys({"value": Field(VALUE, "The value."), **_SHARED}, required=("value",), marker="value"),
        Keys(
            {"values": Field(_CHOICES, "The values, each equally likely."), **_SHARED},
            required=("values",),
            marker="values",
        ),
        Keys(
            {
                "stages": Field(
                    Items(OF_STAGE, least=1, most=MAX_STAGES),
                    "A number, a list or a range for each stage (anynet).",
                )
            },
            required=("stages",),
            marker="stages",
        ),
        _range(_SHARED),
    ),
    "a number (fixed), a list (each equally likely) or a mapping",
)

_NAME = Text(PARAMETERS)
_PAIR = Items(VALUE, least=2, most=2, meaning="two numbers")
_BOUNDS = Either(
    (
        Text(("dds",), meaning="dds"),
        Keys(
            {
                "params": Field(_PAIR, "a and b of params <= a + b f, in millions."),
                "acts": Field(VALUE, "c of acts <= c sqrt(f), in millions."),
            },
            required=("params", "acts"),
        ),
    ),
    "dds or a mapping of params and acts",
)
CONSTRAINT = Keys(
    {
        "shared": Field(_NAME, "One value for all stages (anynet)."),
        **{
            name: Field(_NAME, f"The values are {name} from stage to stage (anynet).")
            for name in ORDERS
        },
        "limited": Field(
            Keys({"parameter": Field(_NAME, "Which."), **_ENDS}, required=("parameter",)),
            "The range cut at one or both ends.",
        ),
        "fixed": Field(
            Keys(
                {"parameter": Field(_NAME, "Which."), "value": Field(VALUE, "The value.")},
                required=("parameter", "value"),
            ),
            "One value in place of the range.",
        ),
        "bounds": Field(
            _BOUNDS,
            "params <= a + b f and acts <= c sqrt(f), in millions, at f GFLOPs (224 px, 1000 "
            "classes); dds is a, b = 3, 5.5 and c = 6.5 (DDS, figure 12).",
        ),
    },
    single=True,
)


def _whole(low: int, high: float = VALUE.high) -> Kind:
    return Number(low, high, whole=True)


FORMAT = Keys(
    {
        "schema": Field(
            Constant(SCHEMA, "the only one that this version reads"), "The format's version."
        ),
        "name": Field(
            Text(pattern=r"\S{1,100}", meaning="text of 1 to 100 characters without blanks"),
            "What the space is called.",
        ),
        "source": Field(Text(), "Where it comes from."),
        "base": Field(Text(tuple(SPACES)), "A published space to start from; the rest overrides."),
        "family": Field(
            Text(tuple(FAMILIES)),
            "regnet: one quantised line of widths. anynet: each stage by itself.",
        ),
        "block": Field(Text(BLOCKS), "The block of all stages; x if left out."),
        "stages": Field(
            Either(
                (
                    _whole(1, MAX_STAGES),
                    Items(_whole(1, MAX_STAGES), least=2, most=2),
                ),
                f"an integer from 1 to {MAX_STAGES} or a list of two",
            ),
            "How many stages, or the least and the most; 4 if left out.",
        ),
        "parameters": Field(
            Keys({name: Field(OF_PARAMETER, f"The law of {name}.") for name in PARAMETERS}),
            "Each parameter: a number (fixed), a list (each equally likely) or a mapping.",
        ),
        "constraints": Field(
            Items(CONSTRAINT, meaning="a list of constraints"),
            "What makes the space smaller; applied in order.",
        ),
        "stem_type": Field(Text(STEM_TYPES), "The stem; simple if left out."),
        "stem_width": Field(_whole(1), "Channels of the stem; 32 if left out."),
        "head_width": Field(_whole(0), "Channels of a 1x1 convolution before pooling; 0 for none."),
        "se_ratio": Field(
            Number(0, 1), "Squeeze width over block input width; the block's own if left out."
        ),
        "activation": Field(Text(ACTIVATIONS), "The activation; the block's own if left out."),
        "stage_strides": Field(
            Items(_whole(1, MAX_STRIDE), least=1, most=MAX_STAGES),
            "The stride of each stage; 2 if left out.",
        ),
    },
    required=("schema", "name"),
)


def space_schema() -> Json:
    """Return the JSON Schema (draft 2020-12) of a file of a design space.

    It accepts whatever the reader accepts. What a schema cannot say, such as that a range is
    not empty, only the reader checks.
    """
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A network design space of regnet-ds",
        **FORMAT.schema(),
        "anyOf": [{"required": ["base"]}, {"required": ["family", "parameters"]}],
        "allOf": [_of_family(family, names) for family, names in FAMILIES.items()],
    }
    return schema


def _of_family(family: str, names: tuple[str, ...]) -> Json:
    """Return the rule that a file of this family, or based on one, has its parameters alone."""
    bases = [space.name for space in SPACES.values() if space.family == family]
    of_family = {"properties": {"family": {"const": family}}, "required": ["family"]}
    based = {"properties": {"base": {"enum": bases}}, "required": ["base"]}
    return {
        "if": {"anyOf": [of_family, based]},
        "then": {"properties": {"parameters": {"propertyNames": {"enum": list(names)}}}},
    }
