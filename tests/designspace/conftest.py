"""Random networks of every block and stem: ``st.from_type(NetSpec)`` in property tests."""

from __future__ import annotations

from hypothesis import strategies as st
from regnet_ds.designspace import NetSpec, Stage
from regnet_ds.designspace.blocks import ACTIVATIONS, BLOCK_FACTS, BLOCKS, STEM_TYPES

STAGES = st.lists(
    st.builds(
        lambda depth, groups, group_width, stride, b: Stage(
            depth, int(groups * group_width * b), stride, group_width, b
        ),
        depth=st.integers(1, 5),
        groups=st.integers(1, 9),
        group_width=st.sampled_from([4, 8, 12, 24]),
        stride=st.integers(1, 3),
        b=st.sampled_from([0.25, 0.5, 1.0, 2.0, 4.0]),
    ),
    min_size=1,
    max_size=6,
)
RATIOS = {"never": [0.0], "always": [0.01, 0.25, 0.3], "perhaps": [0.0, 0.01, 0.25]}


@st.composite
def specs(draw: st.DrawFn) -> NetSpec:
    """Draw a network; a squeeze ratio of 0.01 rounds to no squeeze in narrow stages."""
    block = draw(st.sampled_from(BLOCKS))
    return NetSpec(
        tuple(draw(STAGES)),
        block,
        draw(st.sampled_from(RATIOS[BLOCK_FACTS[block].squeeze])),
        stem_type=draw(st.sampled_from(STEM_TYPES)),
        stem_width=draw(st.sampled_from([16, 32])),
        head_width=draw(st.sampled_from([0, 100])),
        activation=draw(st.sampled_from(ACTIVATIONS)),
    )


st.register_type_strategy(NetSpec, specs())
