"""Hand-counted costs of one call of each standard layer: products, bias adds, params, acts."""

import keras
import pytest
from regnet_ds.regnet import accounting

L = keras.layers


def counted(model, **options):
    rows = accounting.by_layer(model, **options)
    assert not [row.reason for row in rows if row.reason]
    cost = accounting.total(rows)
    bias_adds = sum(row.bias_adds for row in rows)
    return cost.flops - bias_adds, bias_adds, cost.params, cost.acts


def one(layer, *shapes):
    inputs = [keras.Input(shape) for shape in shapes]
    return keras.Model(inputs, layer(inputs[0] if len(inputs) == 1 else inputs))


CASES = {
    "conv1d": (L.Conv1D(6, 3), [(10, 4)], (72 * 8, 48, 78, 48)),
    "conv1d causal": (L.Conv1D(6, 3, padding="causal"), [(10, 4)], (72 * 10, 60, 78, 60)),
    "conv2d dilated": (L.Conv2D(6, 3, dilation_rate=2), [(9, 8, 4)], (216 * 20, 120, 222, 120)),
    "conv2d grouped, rounds up": (
        L.Conv2D(6, 3, strides=2, padding="same", groups=2),
        [(5, 8, 4)],
        (108 * 12, 72, 114, 72),
    ),
    "conv2d channels first": (
        L.Conv2D(6, 3, data_format="channels_first", use_bias=False),
        [(4, 9, 8)],
        (216 * 42, 0, 216, 252),
    ),
    "conv3d": (L.Conv3D(2, 2), [(3, 4, 5, 3)], (48 * 24, 48, 50, 48)),
    "transposed, at each input": (
        L.Conv2DTranspose(5, 3, strides=2, padding="same"),
        [(4, 3, 2)],
        (90 * 12, 48 * 5, 95, 48 * 5),
    ),
    "transposed 1d": (L.Conv1DTranspose(5, 3, strides=2), [(4, 2)], (30 * 4, 45, 35, 45)),
    "transposed 3d": (L.Conv3DTranspose(5, 2), [(2, 2, 2, 3)], (120 * 8, 135, 125, 135)),
    "depthwise": (
        L.DepthwiseConv2D(3, depth_multiplier=2),
        [(6, 6, 4)],
        (72 * 16, 128, 80, 128),
    ),
    "depthwise 1d": (L.DepthwiseConv1D(3), [(6, 4)], (12 * 4, 16, 16, 16)),
    "separable": (
        L.SeparableConv2D(5, 3, depth_multiplier=2),
        [(6, 6, 4)],
        ((72 + 40) * 16, 80, 117, 128 + 80),
    ),
    "separable 1d": (L.SeparableConv1D(5, 3), [(6, 4)], ((12 + 20) * 4, 20, 37, 16 + 20)),
    "dense": (L.Dense(7), [(5,)], (35, 7, 42, 7)),
    "dense at each position": (L.Dense(7, use_bias=False), [(3, 4, 5)], (420, 0, 35, 84)),
    "einsum": (
        L.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de"),
        [(4, 5)],
        (4 * 5 * 6, 24, 36, 24),
    ),
    "einsum with ellipsis": (L.EinsumDense("...x,xy->...y", 6), [(4, 3, 5)], (360, 0, 30, 72)),
    "max pooling": (L.MaxPooling2D(2), [(5, 4, 3)], (0, 0, 0, 12)),
    "max over the map": (L.GlobalMaxPooling2D(), [(5, 4, 3)], (0, 0, 0, 3)),
    "mean pooling": (L.AveragePooling2D(2), [(5, 4, 3)], (0, 0, 0, 0)),
    "batch norm": (L.BatchNormalization(), [(5, 4, 3)], (0, 0, 6, 0)),
    "layer norm": (L.LayerNormalization(), [(5, 4, 3)], (0, 0, 6, 0)),
    "group norm": (L.GroupNormalization(2), [(5, 4, 4)], (0, 0, 8, 0)),
    "spectral norm": (
        L.SpectralNormalization(L.Conv2D(6, 3)),
        [(9, 8, 4)],
        (216 * 42, 252, 222, 252),
    ),
    "statistics of the data": (L.Normalization(), [(5, 4, 3)], (0, 0, 0, 0)),
    "embedding": (L.Embedding(10, 4), [(5,)], (0, 0, 40, 0)),
    "dot": (L.Dot(axes=(2, 2)), [(4, 5), (3, 5)], (60, 0, 0, 12)),
    "attention": (L.Attention(), [(4, 5), (3, 5)], (4 * 3 * 10, 0, 0, 12 + 20)),
    "attention with keys": (
        L.Attention(use_scale=True),
        [(4, 5), (3, 6), (3, 5)],
        (4 * 3 * 11, 0, 1, 12 + 24),
    ),
    "additive attention": (L.AdditiveAttention(), [(4, 5), (3, 5)], (120, 0, 5, 32)),
    "simple rnn": (L.SimpleRNN(6), [(7, 4)], (7 * 60, 7 * 6, 66, 7 * 6)),
    "lstm": (L.LSTM(6), [(7, 4)], (7 * 240, 7 * 24, 264, 7 * 24)),
    "gru": (L.GRU(6), [(7, 4)], (7 * 180, 7 * 36, 216, 7 * 18)),
    "both ways": (
        L.Bidirectional(L.LSTM(6, return_sequences=True)),
        [(7, 4)],
        (7 * 480, 7 * 48, 528, 7 * 48),
    ),
    "stacked cells": (
        L.RNN([L.SimpleRNNCell(6), L.SimpleRNNCell(5)]),
        [(7, 4)],
        (7 * (60 + 55), 7 * 11, 66 + 60, 7 * 11),
    ),
    "convolutional lstm": (
        L.ConvLSTM2D(2, 3),
        [(5, 6, 7, 3)],
        (5 * 20 * 9 * (3 + 2) * 8, 5 * 20 * 8, 9 * 5 * 8 + 8, 5 * 20 * 8),
    ),
    "each time step": (L.TimeDistributed(L.Dense(7)), [(3, 5)], (105, 21, 42, 21)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_layer_costs_what_is_counted_by_hand(name):
    layer, shapes, expected = CASES[name]
    assert counted(one(layer, *shapes)) == expected


def attention(layer, query, value):
    q, v = keras.Input(query), keras.Input(value)
    return keras.Model([q, v], layer(q, v))


def test_multi_head_attention_is_four_projections_and_two_products():
    model = attention(L.MultiHeadAttention(2, 3, value_dim=4, name="mha"), (5, 7), (6, 8))
    projections = 5 * 7 * 6 + 6 * 8 * 6 + 6 * 8 * 8 + 5 * 8 * 7
    biases = 5 * 6 + 6 * 6 + 6 * 8 + 5 * 7
    between = 2 * 5 * 6 * (3 + 4)
    params = (7 + 1) * 6 + (8 + 1) * 6 + (8 + 1) * 8 + (8 + 1) * 7
    acts = biases + 2 * (5 * 6 + 5 * 4)
    assert counted(model) == (projections + between, biases, params, acts)
    names = [row.layer for row in accounting.by_layer(model)]
    assert names == ["mha", "mha/query", "mha/key", "mha/value", "mha/attention_output"]


def test_attention_along_one_axis_of_a_map():
    layer = L.MultiHeadAttention(1, 3, attention_axes=2, use_bias=False)
    model = attention(layer, (4, 5, 7), (4, 5, 7))
    assert counted(model)[0] == 20 * 7 * 3 * 4 + 4 * 5 * 5 * (3 + 3)


def test_grouped_queries_share_keys():
    layer = L.GroupQueryAttention(3, num_query_heads=4, num_key_value_heads=2, use_bias=False)
    model = attention(layer, (5, 7), (6, 7))
    projections = 5 * 7 * 12 * 2 + 2 * 6 * 7 * 6
    assert counted(model)[0] == projections + 4 * 5 * 6 * (3 + 3)
