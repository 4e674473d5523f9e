from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from regnet_ds.designspace import CANONICAL, NetSpec, Stage, canonical, complexity
from regnet_ds.designspace.catalogue import timm_name
from regnet_ds.designspace.layers import walk
from regnet_ds.designspace.memory import Memory, activation_memory
from regnet_ds.designspace.widths.landmarks import RESNET_50

SPECS = st.from_type(NetSpec)
PEER = os.environ.get("REGNET_DS_PEER_PYTHON")
PROGRAM = Path(__file__).with_name("memory_peer.py")


def test_block_x_with_a_projection_by_hand() -> None:
    """8 x 8 px; stem 64 elements, a 128, b, c and shortcut 32 each, mean 8, logits 10."""
    spec = NetSpec((Stage(1, 8, 2, 4),), stem_width=4)
    image, stem = 8 * 8 * 3, 64
    kept = image + 2 * stem + 2 * 128 + 2 * 32  # convolutions' and batch norms' inputs, relu
    kept += 32 + 32 + 32 + 8 + 10  # c and shortcut into batch norm, the sum's relu, fc, loss
    assert activation_memory(spec, resolution=8, classes=10) == Memory(
        image + stem, "stem.conv", kept
    )


def test_block_z_with_squeeze_by_hand() -> None:
    """4 x 4 px, stem 64 elements; twice inner 16 channels (256 elements), silu, squeeze to 1."""
    spec = NetSpec(
        (Stage(2, 4, 1, 4, 0.25),), "z", 0.25, stem_type="cifar", stem_width=4, activation="silu"
    )
    block = 3 * 256  # a: into batch norm, into silu, into b
    block += 3 * 256  # b: into batch norm, into silu, into the scaling
    block += 16 + 16 + 1 + 1 + 256  # mean, gate, squeezed before and after silu, into c
    block += 64  # c: into batch norm
    kept = 16 + 3 * 64 + block + 64 + block + 4 + 2  # block 1's sum is read by block 2's a
    assert activation_memory(spec, resolution=4, channels=1, classes=2) == Memory(
        64 + 256 + 256, "s1.b1.b", kept
    )


def test_pooling_and_a_narrow_shortcut_by_hand() -> None:
    """8 x 8 px; 32 elements before the pooling, 8 after it and in the block."""
    spec = NetSpec((Stage(1, 2, 1, 2),), "vr", stem_type="resnet", stem_width=2)
    kept = 192 + 32 + 32 + 8 + 8 + 8 + 2 + 3
    assert activation_memory(spec, resolution=8, classes=3) == Memory(192 + 32, "stem.conv", kept)


def test_the_shortcut_holds_the_blocks_input() -> None:
    """Basic keeps the input while b runs; vanilla, without a shortcut, does not."""
    stages = (Stage(1, 64, 1, 64),)
    basic, vanilla = (
        activation_memory(NetSpec(stages, block, stem_width=64), resolution=16)
        for block in ("basic", "vanilla")
    )
    map_size = 8 * 8 * 64
    assert basic.inference == 3 * map_size
    assert basic.inference_layer == "s1.b1.b"
    assert vanilla.inference == 2 * map_size


def test_silu_keeps_one_map_more_an_activation() -> None:
    relu = canonical("RegNetX-200MF")
    silu = NetSpec(relu.stages, activation="silu")
    more = sum(layer.output.elements for layer in walk(relu) if layer.activation)
    difference = activation_memory(silu).training - activation_memory(relu).training
    last = relu.stages[-1].width * 7 * 7  # the mean keeps nothing: the last sum is read by none
    assert difference == more - last


@given(SPECS)
def test_bounds(spec: NetSpec) -> None:
    memory = activation_memory(spec, resolution=48)
    layers = list(walk(spec, resolution=48))
    largest = max(layer.input.elements for layer in layers)
    acts = complexity(spec, resolution=48).acts
    assert largest < memory.inference <= sum(layer.output.elements for layer in layers)
    assert acts < memory.training + 1000 * len(layers)
    wide = activation_memory(spec, resolution=(48, 96))
    assert memory.inference < wide.inference
    assert memory.training < wide.training


def test_bytes() -> None:
    memory = Memory(10, "stem.conv", 30)
    assert memory.in_bytes() == (40, 120)
    assert memory.in_bytes("bfloat16") == (20, 60)
    with pytest.raises(ValueError, match="dtype must be one of float32, bfloat16, got 'int8'"):
        memory.in_bytes("int8")


@pytest.mark.slow
@pytest.mark.skipif(PEER is None, reason="set REGNET_DS_PEER_PYTHON to a Python that has timm")
def test_training_keeps_what_torch_keeps() -> None:
    """The smaller canonical ones, and ResNet-50 with its maximum pooling, element by element."""
    specs = {timm_name(name): canonical(name) for name in CANONICAL}
    specs = {name: spec for name, spec in specs.items() if complexity(spec).params < 12e6}
    specs["resnet50"] = RESNET_50
    done = subprocess.run(
        [str(PEER), PROGRAM], input=json.dumps([*specs]), capture_output=True, text=True, check=True
    )
    counted = [activation_memory(spec, resolution=64).training for spec in specs.values()]
    assert counted == json.loads(done.stdout)
