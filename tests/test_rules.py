"""Rules: each rewrites what its equation says, and both sides have the same numbers."""

import functools
import itertools
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

import graphc as gc
from graphc.ir import Graph
from graphc.passes import run
from graphc.passes.audit import audit
from graphc.passes.cost import flops
from graphc.passes.facts import declared
from graphc.passes.rewrite import rewritten, rule
from graphc.passes.rules import RULES, STRICT
from graphc.passes.share import LAST_SHARING, SHARING, shared

EXTREMES = [
    0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e-8, 30.0, -30.0, 700.0, -700.0, 1e300, -1e300, 1e-300,
    5e-324, -5e-324, 2.2e-308, np.inf, -np.inf, np.nan,
]  # fmt: skip

x, y = gc.input("x", ("k",)), gc.input("y", ("k",))
s, t = gc.input("s", ()), gc.input("t", ())
p = gc.input("p", ("k",), positive=True)
i = gc.input("i", ("k",), "int64")
f32 = gc.input("h", ("k",), "float32")
q, r = gc.input("q", ("k",), between=(0, 1)), gc.input("r", ("k",), between=(0, 1))
c, d = x > 0, y > 0
A, B, C = gc.input("A", ("m", "n")), gc.input("B", ("n", "m")), gc.input("C", ("m", "n"))
S, T = gc.input("S", ("m", "m")), gc.input("T", ("m", "m"))
u, v = gc.input("u", ("m",)), gc.input("v", ("n",))
W, W5 = gc.input("W", (2, 3, 4)), gc.input("W5", (2, 5, 4))
U, V = gc.input("U", ("m", "n")), gc.input("V", ("m", "k"))
outer = gc.einsum("mn,mk->mkn", U, V)
R, inv = 40 * gc.eye("m") + S, gc.linalg.inv
has_length = gc.sum(A**2, axis=1) != 0

# rule: before, after, and whether the strict mode does it too
ELEMENTWISE = [
    ("times_one", x * 1.0, x, True),
    ("times_one", 1 * i, i, True),
    ("over_power_of_two", x / 1, x, True),
    ("plus_zero", x + 0.0, x, False),
    ("plus_negative_zero", x + (-0.0), x, True),
    ("minus_zero", x - 0.0, x, True),
    ("zero_minus", 0.0 - x, -x, False),
    ("zero_minus", 0 - i, -i, False),
    ("negative_of_negative", gc.negative(-x), x, True),
    ("product_of_negatives", (-x) * (-y), x * y, True),
    ("product_of_negatives", (-x) * y, -(x * y), True),
    ("product_of_negatives", 3.0 * (-x), x * (-3.0), True),
    ("quotient_of_negatives", (-x) / y, -(x / y), True),
    ("quotient_of_negatives", 2.0 / (-x), -2.0 / x, True),
    ("negative_of_product", -(s * x), (-s) * x, True),
    ("negative_of_scaled_difference", -(s * (x - y)), s * (y - x), False),
    ("negative_of_scaled_difference", -((x - y) / s), (y - x) / s, False),
    ("negative_of_scaled", -(3.0 * x), -3.0 * x, True),
    ("plus_negative", x + (-y), x - y, True),
    ("minus_negative", x - (-y), x + y, True),
    ("plus_negative_number", -2.0 + x, x - 2.0, True),
    ("plus_negative_number", x + y - (-2.0), x + y + 2.0, True),
    ("negative_of_difference", -(x - y), y - x, False),
    ("even_of_negative", gc.square(-x), gc.square(x), True),
    ("even_of_negative", gc.abs(-x), gc.abs(x), True),
    ("power_that_numpy_knows", x**1, x, True),
    ("power_that_numpy_knows", x**2, gc.square(x), True),
    ("power_that_numpy_knows", x**-1, gc.reciprocal(x), True),
    ("small_power", x**3, gc.square(x) * x, False),
    ("small_power", i**3, gc.square(i) * i, False),
    ("small_power", x**4, gc.square(gc.square(x)), False),
    ("small_power", x**-2, gc.square(gc.reciprocal(x)), False),
    ("small_power", f32**3, gc.square(f32) * f32, False),
    ("zeroth_power", x**0, gc.ones_like(x), False),
    ("half_power", p**0.5, gc.sqrt(p), False),
    ("product_with_itself", x * x, gc.square(x), True),
    ("nothing_to_do", gc.abs(gc.square(x)), gc.square(x), False),
    ("nothing_to_do", gc.relu(gc.exp(x)), gc.exp(x), False),
    ("nothing_to_do", gc.abs(p), p, False),
    ("extremum_of_one", gc.maximum(x, x), x, True),
    ("rectified", gc.maximum(0.0, x) + gc.exp(x), gc.relu(x) + gc.exp(x), False),
    ("extremum_out_of_reach", gc.maximum(p, 0.5 - 0.75), p, False),
    ("extremum_out_of_reach", gc.minimum(1.0, q), q, False),
    ("extremum_out_of_reach", gc.maximum(-1, gc.tanh(x)), gc.tanh(x), False),
    ("clip_out_of_reach", gc.clip(q, 0, 1), q, False),
    ("clip_out_of_reach", gc.clip(q, 0.25, 2), gc.maximum(q, 0.25), False),
    ("root_of_square", gc.sqrt(gc.square(x)), gc.abs(x), False),
    ("root_of_square", gc.sqrt(x * x), gc.abs(x), False),
    ("square_of_root", gc.sqrt(p) ** 2, p, False),
    (
        "divided_by_two_roots",
        (x / gc.sqrt(1 + y * y)) * (0.5 / gc.sqrt(1 + y * y)),
        0.5 * (x / (1 + y * y)),
        False,
    ),
    ("added_to_itself", (0.5 / x) * y + (0.5 / x) * y, y / x, False),
    ("added_to_itself", 0.25 * gc.exp(x) + 0.25 * gc.exp(x), 0.5 * gc.exp(x), False),
    ("halves_that_add_up", (y + 0.1 * x) + 0.1 * x, y + 0.2 * x, False),
    ("halves_that_add_up", (x + 0.5 * y) + 0.5 * y, x + y, False),
    ("halves_that_add_up", (q - y / p * 0.5) - y / p * 0.5, q - y / p, False),
    ("log_of_exp", gc.log(gc.exp(x)), x, False),
    ("exp_of_log", gc.exp(gc.log(p)), p, False),
    ("log_of_one_plus", gc.log(1 + x), gc.log1p(x), False),
    ("log_of_one_plus", gc.log(gc.exp(x) + 1), gc.softplus(x), False),
    ("log_of_one_plus", gc.log(gc.exp(f32) + 1), gc.softplus(f32), False),
    ("log1p_of_exp", gc.log1p(gc.exp(x)), gc.softplus(x), False),
    ("log_of_sum_of_exponentials", gc.log(gc.exp(x) + gc.exp(y)), gc.logaddexp(x, y), False),
    ("exponentials_less_the_largest", gc.log(1 + gc.exp(x) + gc.exp(y)), None, False),
    ("exponentials_less_the_largest", gc.log((gc.exp(x) + gc.exp(y)) / 3), None, False),
    (
        "exponentials_less_the_largest",
        gc.log(gc.exp(x) / (gc.exp(x) + gc.exp(y) + gc.exp(-x))),
        None,
        False,
    ),
    ("share_of_exponentials", gc.exp(x) / (gc.exp(x) + gc.exp(y)), gc.sigmoid(x - y), False),
    ("exponentials_less_the_largest", gc.exp(y) / (gc.exp(x) + (1 + gc.exp(y))), None, False),
    (
        "shares_of_exponentials",
        (p / (gc.exp(x) + gc.exp(y))) * gc.exp(x),
        p * gc.sigmoid(x - y),
        False,
    ),
    (
        "shares_of_exponentials",
        (2 / gc.exp(x) - 1 / (gc.exp(x) + gc.exp(y)) / 3) * gc.exp(x),
        None,
        False,
    ),
    ("log_of_sigmoid", gc.log(gc.sigmoid(x)), -gc.softplus(-x), False),
    ("log_of_sigmoid", gc.log(gc.sigmoid(x) ** 3), None, False),
    ("log_of_sigmoid", gc.log(gc.sigmoid(x) * gc.sigmoid(y)), None, False),
    (
        "slope_of_share",
        gc.reciprocal(1 + gc.exp(x)) - gc.exp(x) / (1 + gc.exp(x)) / (1 + gc.exp(x)),
        gc.square(gc.sigmoid(-x)),
        False,
    ),
    (
        "slope_of_share",
        y * ((gc.exp(x) - 1) / (gc.exp(x) + 1) / (gc.exp(x) + 1)) - y / (gc.exp(x) + 1),
        -2.0 * (y / (gc.exp(x) + 1) * gc.sigmoid(-x)),
        False,
    ),
    (
        "slope_of_share",
        (1 - gc.exp(x)) / (1 + gc.exp(x)) / (1 + gc.exp(x)) + gc.reciprocal(1 + gc.exp(x)),
        2.0 * gc.square(gc.sigmoid(-x)),
        False,
    ),
    ("sigmoid_times_exponential", y * gc.sigmoid(-x) * gc.exp(x), y * gc.sigmoid(x), False),
    ("share_times_exponential", y / (1 + gc.exp(x)) / s * gc.exp(x), y / s * gc.sigmoid(x), False),
    (
        "share_times_exponential",
        (x / (1 + gc.exp(-x)) / (1 + gc.exp(-x))) * gc.exp(-x),
        (x / (1 + gc.exp(-x))) * gc.sigmoid(-x),
        False,
    ),
    (
        "share_times_exponential",
        (gc.reciprocal(1 + gc.exp(x)) - p / y / (1 + gc.exp(x))) * gc.exp(x),
        (1 - p / y) * gc.sigmoid(x),
        False,
    ),
    ("erf_of_negative", gc.erf(-x), -gc.erf(x), True),
    ("one_minus_erf", 1 - gc.erf(x), gc.erfc(x), False),
    ("one_minus_erf", 1 - gc.erfc(f32), gc.erf(f32), False),
    ("one_minus_erf", 2 - gc.erfc(x), gc.erfc(-x), False),
    ("erf_minus_one", gc.erf(f32) - 1, -gc.erfc(f32), False),
    ("erf_minus_one", -1.0 + gc.erfc(x), -gc.erf(x), False),
    ("one_plus_erf", 1 + gc.erf(x), gc.erfc(-x), False),
    ("one_plus_erf", gc.erf(f32) + 1, gc.erfc(-f32), False),
    ("scaled_erf_plus_scale", 0.5 + 0.5 * gc.erf(x), 0.5 * gc.erfc(-x), False),
    ("scaled_erf_plus_scale", 0.5 - gc.erf(x) * 0.5, 0.5 * gc.erfc(x), False),
    ("scaled_erf_plus_scale", 1 - 0.5 * gc.erfc(x), 0.5 * gc.erfc(-x), False),
    (
        "log_of_erfc",
        gc.log(gc.erfc(x)),
        gc.where(
            x > 1, gc.log(gc.erfcx(x)) - gc.square(x), gc.log(gc.erfc(gc.minimum(x, 1)))
        ),
        False,
    ),
    (
        "log_of_erfc",
        gc.log(0.5 * gc.erfc(f32)),
        gc.where(
            f32 > 1,
            gc.log(0.5 * gc.erfcx(f32)) - gc.square(f32),
            gc.log(0.5 * gc.erfc(gc.minimum(f32, 1))),
        ),
        False,
    ),
    ("density_over_erfc", y / gc.erfc(x) * gc.exp(-(x**2)), y / gc.erfcx(x), False),
    ("density_over_erfc", 2 / gc.erfc(-x) * (3 * gc.exp(-(x**2))), 6 / gc.erfcx(-x), False),
    ("sigmoid_minus_one", gc.sigmoid(x) - 1, -gc.sigmoid(-x), False),
    ("sigmoid_minus_one", -1.0 + gc.sigmoid(x), -gc.sigmoid(-x), False),
    ("one_minus_exp", y * (1 - gc.exp(x)), y * -gc.expm1(x), False),
    ("one_minus_exp", y / (1 - gc.exp(x)), None, False),
    (
        "exponential_over_expm1",
        y / gc.expm1(p) / gc.expm1(p) * gc.exp(p),
        y / gc.expm1(p) + y / gc.expm1(p) / gc.expm1(p),
        False,
    ),
    ("exponential_over_expm1", y / gc.expm1(x) * gc.exp(x), None, False),
    (
        "quotient_times_share",
        y / (1 + gc.exp(x)) * gc.sigmoid(x),
        y * (gc.sigmoid(x) * gc.sigmoid(-x)),
        False,
    ),
    ("hyperbolic_quotient", gc.sinh(x) / gc.cosh(x) + gc.sinh(x), None, False),
    ("exponentials_less_the_largest", 3 * gc.sinh(x) / gc.cosh(x), 3 * gc.tanh(x), False),
    ("log_of_cosh", gc.log(gc.cosh(x)), None, False),
    ("root_of_exp", gc.sqrt(gc.exp(x)), gc.exp(0.5 * x), False),
    ("log_of_odds", gc.log(gc.sigmoid(x) / (1 - gc.sigmoid(x))), x, False),
    ("product_over_factor", (x * y) / y, x, False),
    ("product_over_factor", (x * y) / (y / s), x * s, False),
    ("exp_minus_one", gc.exp(x) - 1, gc.expm1(x), False),
    ("exp_minus_one_below", y / (gc.exp(x) - 1), y / gc.expm1(x + 0.0), False),
    ("share_of_exponential", gc.exp(x) / (1 + gc.exp(x)), gc.sigmoid(x), False),
    ("share_of_exponential", 1 / (1 + gc.exp(-x)), gc.sigmoid(x), False),
    (
        "share_of_exponential",
        gc.exp(-x) / (1 + gc.exp(-x)) ** 2,
        gc.sigmoid(-x) * gc.sigmoid(x),
        False,
    ),
    ("reciprocal_of_one_plus_exp", gc.reciprocal(1 + gc.exp(-x)), gc.sigmoid(x), False),
    ("one_minus_sigmoid", 1 - gc.sigmoid(x), gc.sigmoid(-x), False),
    ("root_of_sum_of_squares", gc.sqrt(x * x + y * y), gc.hypot(x, y), False),
    ("times_reciprocal", x * (1 / y), x / y, False),
    ("times_reciprocal", x * (-1 / y), -(x / y), False),
    ("over_reciprocal", x / gc.reciprocal(y), x * y, False),
    ("reciprocal_of_quotient", gc.reciprocal(gc.reciprocal(x)), x, False),
    ("reciprocal_of_quotient", gc.reciprocal(x / y), y / x, False),
    ("over_power_of_two", x / 8, x * 0.125, True),
    ("scaled_twice", 0.1 * (2 * x), x * 0.2, False),
    ("scaled_twice", (3 * x) / 4, x * 0.75, False),
    ("scaled_twice", 6 / (2 * x), 3 / x, False),
    ("scaled_twice", gc.exp(x * 0.5) + 2.0 * (x * 0.5), gc.exp(x * 0.5) + x, False),
    ("added_twice", (x + 1) + 2, x + 3.0, False),
    ("minus_itself", x - x, gc.zeros_like(x), False),
    ("over_itself", x / x, gc.ones_like(x), False),
    ("times_zero", 0.0 * x, gc.zeros_like(x), False),
    ("zero_over", 0.0 / x, gc.zeros_like(x), False),
    ("choice_of_equals", gc.where(c, y, y), y, True),
    ("choice_in_choice", gc.where(c, gc.where(c, x, y), s), gc.where(c, x, s), True),
    ("choice_in_choice", gc.where(c, x, gc.where(c, s, y)), gc.where(c, x, y), True),
    ("choice_by_not", gc.where(gc.logical_not(c), x, y), gc.where(c, y, x), True),
    ("not_not", gc.logical_not(gc.logical_not(c)), c, True),
    ("sum_of_choices", gc.where(c, x, 0.0) + gc.where(c, 0.0, y), gc.where(c, x, y), False),
    ("times_minus_one", -1.0 * x, -x, True),
    ("times_minus_one", x / -1.0, -x, True),
    ("negative_of_sum", -(x + 1.0), -1.0 - x, False),
    ("negative_of_scaled", -gc.reciprocal(x), -1.0 / x, True),
    ("negative_minus", (-x) - y, -(x + y), False),
    ("plus_negative_product", x + (-s) * y, x - s * y, True),
    ("plus_negative_product", x - (-s) / y, x + s / y, True),
    ("quotient_times_divisor", (x / y) * y, x, False),
    ("quotient_times_divisor", x / (1 - gc.sigmoid(y)) * gc.sigmoid(-y), x, False),
    ("quotient_times_divisor", x / (y * s) * y, x / s, False),
    ("quotient_times_divisor", y * (x / gc.sqrt(q)) * q, y * (x * gc.sqrt(q)), False),
    ("quotient_times_divisor", (s / x) * (x / y), s / y, False),
    ("quotient_over_part", (x / y) / x, gc.reciprocal(y), False),
    ("quotient_over_part", (s / (x / y)) / y, s / x, False),
    ("quotient_times_divisor", (x / q - y) * q, x - y * q, False),
    ("quotient_times_divisor", (x / q - y / r) * (q * r), x * r - y * q, False),
    (
        "quotient_times_divisor",
        (y / gc.sigmoid(x) + y / (1 - gc.sigmoid(x))) * (gc.sigmoid(x) * (1 - gc.sigmoid(x))),
        y * (1 - gc.sigmoid(x)) + y * gc.sigmoid(x),
        False,
    ),
    ("scaled_both", (0.5 * x) * (y * 2.0), x * y, False),
    ("scaled_both", (0.1 * x) * (y * 2.0), 0.2 * x * y, False),
    ("number_on_the_small_side", s * (2 * x), (2 * s) * x, False),
    ("numbers_of_quotient_and_product", (0.5 / x) * (2 * y), y / x, False),
    ("numbers_of_quotient_and_product", (y * 4.0) * (-0.25 / x), -(y / x), False),
    ("numbers_of_quotient_and_product", (0.625 / x) * (2 * y), (1.25 / x) * y, False),
    ("difference_of_shares", (1 - x) * y - x * (1 - y), y - x, False),
    (
        "difference_of_shares",
        ((1 - x) / s) * gc.sigmoid(y) - (1 - gc.sigmoid(y)) * (x / s), (gc.sigmoid(y) - x) / s,
        False,
    ),
    ("difference_of_shares", (s * q) * (1 - r) - r * ((1 - q) * s), (q - r) * s, False),
    ("numbers_of_quotient", (2 * x) / (y * 2.0), x / y, False),
    ("numbers_of_quotient", (3 * x) / (-3.0 * y), -(x / y), False),
    (
        "numbers_of_quotient", (x + 1) / (2 * y) + (2 * x) / (2 * y),
        (x + 1) / (2 * y) + x / y, False,
    ),
    ("numbers_within", 2 * (x * (0.5 / y)), x / y, False),
    ("numbers_within", 3 * (x * (0.25 / y)), x * (0.75 / y), False),
    ("scaled_both", (x * (0.25 / y)) * (2 * gc.exp(y)), x * (0.5 / y) * gc.exp(y), False),
    ("common_factor", 3.0 * x + y * 3.0, (x + y) * 3.0, False),
    ("common_factor", gc.tanh(x) / s - gc.tanh(y) / s, (gc.tanh(x) - gc.tanh(y)) / s, False),
    (
        "log_of_rest",
        gc.log(1 - gc.sigmoid(x)) * gc.sigmoid(x),
        -gc.softplus(x) * gc.sigmoid(x),
        False,
    ),
    (
        "slope_of_sigmoid",
        y * (gc.sigmoid(-x) / (1 + gc.exp(x))) * gc.exp(x),
        y * (gc.sigmoid(-x) * gc.sigmoid(x)),
        False,
    ),
    ("choice_below_choice", gc.where(c, s * gc.where(c, x, y), y), gc.where(c, s * x, y), True),
    ("choice_below_choice", gc.where(c, y, -gc.where(c, y, x) / s), gc.where(c, y, -x / s), True),
    ("choice_by_both", gc.where(c, gc.where(d, x, y), y), gc.where(c & d, x, y), True),
    ("choice_by_both", gc.where(c, y, gc.where(d, y, x)), gc.where(c | d, y, x), True),
    ("not_equal", gc.logical_not(gc.equal(x, y)), gc.not_equal(x, y), True),
    ("not_equal", gc.logical_not(gc.not_equal(x, y)), gc.equal(x, y), True),
    (
        "sum_of_choices",
        gc.where(c, x, 0.0) - gc.where(c, y, 0.0),
        gc.where(c, x - y, 0.0),
        False,
    ),
    (
        "scaled_choice",
        3.0 * gc.where(c, 1.0, gc.where(d, 0.5, 0.0)),
        gc.where(c, 3.0, gc.where(d, 1.5, 0.0)),
        True,
    ),
    ("product_with_choice", y * gc.where(c, 1.0, 0.0), gc.where(c, y, 0.0), False),
    ("product_with_choice", y * gc.where(c, 0.0, 1.0), gc.where(c, 0.0, y), False),
    (
        "same_pieces",
        gc.where(x > y, 1.0, gc.where(gc.equal(x, y), 0.5, 0.0)),
        0.5 * gc.astype(gc.equal(x, y), float) + gc.astype(x > y, float),
        True,
    ),
    ("same_pieces", gc.sign(gc.abs(x)) * gc.sign(x), gc.sign(x), True),
    (
        "same_pieces",
        gc.where(c, gc.where(gc.relu(x) > 6, 0.0, y), 0.0),
        gc.where(c & (x <= 6), y, 0.0),
        True,
    ),
    (
        "fewer_choices",
        gc.where(c, gc.abs(x), 0.0) + gc.relu(x) * gc.sign(x),
        2.0 * gc.relu(x),
        False,
    ),
    ("fewer_choices", gc.where(gc.abs(x) <= 1, x, gc.sign(x)), gc.clip(x, -1, 1), False),
    (
        "choice_that_is_made",
        (y * gc.maximum(x, 0.0)) * gc.where(c, 1.0, gc.where(gc.equal(x, 0.0), 0.5, 0.0)),
        y * gc.maximum(x, 0.0),
        True,
    ),
    ("choice_among_equals", gc.where(d, x / s, y / s), gc.where(d, x, y) / s, True),
    ("choice_among_equals", gc.where(d, s * x, y * s), s * gc.where(d, x, y), True),
    ("choice_of_negative", gc.where(d, -x, 0.0), -gc.where(d, x, 0.0), False),
    ("choice_of_negative", gc.where(d, 0.0, (-s) * x), -gc.where(d, 0.0, s * x), False),
    ("choice_of_negative", gc.where(d, x / (-s) * y, 0.0), -gc.where(d, x / s * y, 0.0), False),
    ("plus_negative_product", x + y / (-s) * x, x - y / s * x, True),
    ("choice_among_equals", gc.where(d, -x, -y), -gc.where(d, x, y), True),
    (
        "choice_among_functions",
        gc.where(d, gc.exp(x), gc.exp(y)),
        gc.exp(gc.where(d, x, y)),
        False,
    ),
    ("operands_converted", x * i, x * gc.astype(i, "float64"), True),
    ("operands_converted", -1.5 - i, -1.5 - gc.astype(i, "float64"), True),
    ("truth_converted", gc.square(c), gc.square(gc.astype(c, "int8")), True),
    ("truth_converted", gc.reciprocal(c), gc.reciprocal(gc.astype(c, "float64")), True),
    ("cast_of_choice", gc.astype(gc.where(c, 2, 3), "float64"), gc.where(c, 2.0, 3.0), True),
    ("cast_of_cast", gc.astype(gc.astype(f32, "float64"), "float32"), f32, True),
    ("cast_of_cast", gc.astype(gc.astype(c, "int64"), "float64"), gc.astype(c, "float64"), True),
]

Z = gc.input("Z", ("m", 5))
M = gc.size("m", "float64")
labels = gc.input("labels", ("m",), "int64")
known = gc.input("known", ("m",), "int64", between=(0, 4))
G, D, shares = gc.input("g", ("m", 5)), gc.input("D", (5,)), gc.input("shares", (5,))
E = gc.exp(Z)
P = gc.softmax(Z)
diag, V34 = gc.diagonal_matrix, gc.input("V34", (2, 3, 4, 5))
N, W44 = gc.input("N", ("n", "n")), gc.input("W44", (2, 4, 4))
mean = gc.mean(Z, axis=1, keepdims=True)
by_row = functools.partial(gc.sum, axis=1, keepdims=True)
of_row = labels[:, None]
lengths = gc.sqrt(by_row(A * A))
by_hand = gc.exp(Z - gc.max(Z, axis=1, keepdims=True))
whole = by_row(by_hand)
part = by_hand / whole
slope = 2.0 * (part - G)
TENSOR = [
    ("log_of_softmax", gc.log(gc.take_along_axis(P, known[:, None], axis=1)), None, False),
    (
        "log_of_chosen_share",
        gc.log(gc.take_along_axis(P, known[:, None], axis=1)) + gc.sum(gc.sin(P)),
        None,
        False,
    ),
    ("log_of_two_shares", gc.log(P / gc.softmax(G)), gc.log_softmax(Z) - gc.log_softmax(G), False),
    (
        "scattered_over_chosen",
        gc.grad(gc.sum(u * gc.log(gc.take_along_axis(P, known[:, None], axis=1))[:, 0]), Z),
        None,
        False,
    ),
    (
        "slope_through_share",
        (G / P - 3.0 - gc.sum((G / P - 3.0) * P, axis=1, keepdims=True)) * P,
        None,
        False,
    ),
    (
        "quotient_times_divisor",
        (G / gc.sigmoid(Z) - 3.0) * (gc.sigmoid(Z) * gc.tanh(G)),
        (G - 3.0 * gc.sigmoid(Z)) * gc.tanh(G),
        False,
    ),
    ("transpose_of_transpose", A.T.T, A, True),
    (
        "transpose_of_transpose",
        gc.permute_dims(gc.permute_dims(W, (1, 2, 0)), (1, 0, 2)),
        gc.permute_dims(W, (2, 1, 0)),
        True,
    ),
    (
        "reshape_of_reshape",
        gc.reshape(gc.reshape(W, (6, 4)), (2, 12)),
        gc.reshape(W, (2, 12)),
        True,
    ),
    (
        "broadcast_of_broadcast",
        gc.broadcast_to(gc.broadcast_to(s, ("m",)), ("n", "m")),
        gc.broadcast_to(s, ("n", "m")),
        True,
    ),
    (
        "layout_of_one_number",
        gc.broadcast_to(s, ("m",))[:, None],
        gc.broadcast_to(s, ("m", 1)),
        True,
    ),
    ("axes_in_front", A + v[None], A + v, True),
    ("axes_in_front", A - gc.reshape(s, (1, 1)), A - s, True),
    ("arithmetic_on_stretched", A + gc.broadcast_to(s, ("m", "n")), A + s, True),
    (
        "function_on_stretched",
        gc.exp(gc.broadcast_to(v, ("m", "n"))),
        gc.broadcast_to(gc.exp(v), ("m", "n")),
        False,
    ),
    ("slice_of_concat", gc.concat([W, W * 2], axis=1)[:, 3:6], W * 2, True),
    ("concat_of_neighbours", gc.concat([Z[:, 0:1], Z[:, 1:4]], axis=1), Z[:, 0:4], True),
    ("concat_of_neighbours", gc.concat([u, D[:2], D[2:], u]), gc.concat([u, D, u]), True),
    ("concat_of_neighbours", gc.concat([A[1:, :-1], A[1:, -1:]], axis=1), A[1:], True),
    ("slice_of_concat", gc.concat([W, W * 2], axis=1)[:, :3], W, True),
    ("slice_of_pad", gc.pad(W, ((1, 2), (0, 0), (3, 0)))[1:3, 0:3, 3:7], W, True),
    ("slice_of_pad", gc.pad(W, ((1, 2), (0, 0), (3, 0)))[1:-2, :, 3:], W, True),
    (
        "places_that_tile",
        gc.grad(gc.sum(gc.exp(W[:, :1])) + gc.sum(gc.sin(W[:, 1:])), W),
        gc.concat([gc.exp(W[:, :1]), gc.cos(W[:, 1:])], axis=1),
        False,
    ),
    ("small_factors_first", M * (gc.sqrt(M) * A), (M * gc.sqrt(M)) * A, False),
    ("sum_of_stretched", gc.sum(gc.broadcast_to(s, ("m",))), s * gc.size("m", "float64"), False),
    (
        "sum_of_stretched",
        gc.sum(gc.broadcast_to(v, ("m", "n")), axis=0),
        v * gc.size("m", "float64"),
        False,
    ),
    ("reduction_of_single", gc.sum(A[:, None], axis=1), gc.reshape(A[:, None], A.shape), False),
    ("reduction_of_reduction", gc.sum(gc.sum(A, axis=0)), gc.sum(A), False),
    ("reduction_of_reduction", gc.max(gc.max(A, axis=0)), gc.max(A), False),
    ("reduction_of_layout", gc.sum(A.T), gc.sum(A), False),
    (
        "sum_of_choice",
        gc.sum(gc.where(v > 0, A, 0.0), axis=0),
        gc.where(v > 0, gc.sum(A, axis=0), 0.0),
        True,
    ),
    (
        "sum_of_choice",
        gc.sum(gc.where(u[:, None] > 0, 0.0, A), axis=1, keepdims=True),
        gc.where(u[:, None] > 0, 0.0, gc.sum(A, axis=1, keepdims=True)),
        True,
    ),
    ("sum_of_deviations", gc.sum(v * (A - gc.mean(A, axis=0)), axis=0), gc.zeros(("n",)), False),
    (
        "axes_not_kept",
        gc.reshape(gc.sum(A, axis=1, keepdims=True), ("m",)),
        gc.sum(A, axis=1),
        True,
    ),
    ("axes_not_kept", gc.max(A, axis=0, keepdims=True)[0], gc.max(A, axis=0), True),
    (
        "axes_not_kept",
        gc.reshape(gc.permute_dims(gc.sum(W, axis=1, keepdims=True), (1, 2, 0)), (4, 2)),
        gc.sum(W, axis=1).T,
        True,
    ),
    ("transpose_of_symmetric", (A.T @ A - 2.0 * gc.eye("n")).T, A.T @ A - 2.0 * gc.eye("n"), False),
    ("slice_of_place", gc.vjp(S[0], S, u)[1:], gc.zeros(S[1:].shape), True),
    ("slice_of_place", gc.vjp(S[1:], S, S[1:] * u)[0], gc.zeros("m"), True),
    ("product_with_inverse", inv(R) @ u, gc.linalg.solve(R, u), False),
    ("product_with_inverse", A.T @ inv(R), gc.transpose(gc.linalg.solve(R.T, A)), False),
    ("product_with_inverse", gc.einsum("ba,bc->ca", inv(R), A), None, False),
    (
        "product_with_symmetric",
        gc.einsum("ab,cb->ac", A, gc.exp(A.T @ A + gc.eye("n"))),
        gc.einsum("ab,bc->ac", A, gc.exp(A.T @ A + gc.eye("n"))),
        False,
    ),
    ("sum_of_negative", gc.sum(-A, axis=0), -gc.sum(A, axis=0), False),
    (
        "sum_of_negative",
        gc.cumulative_sum(-A, axis=0) + C,
        C - gc.cumulative_sum(A, axis=0),
        False,
    ),
    ("sum_of_scaled", gc.sum(3.0 * A), gc.sum(A) * 3.0, False),
    ("sum_of_scaled", gc.sum(0.5 * gc.tanh(A)), gc.sum(gc.tanh(A)) * 0.5, False),
    ("sum_of_products", gc.sum(A * A), gc.vdot(A, A), False),
    ("sum_of_products", gc.sum(A * C), gc.vdot(A, C), False),
    ("contraction_of_transposes", B.T @ v, gc.einsum("ba,b->a", B, v), False),
    ("transpose_of_contraction", (A @ B).T, gc.einsum("ab,bc->ca", A, B), False),
    ("transpose_of_contraction", gc.permute_dims(gc.einsum("abc,adc->abd", W, W5), (1, 2, 0)),
     gc.einsum("abc,adc->bda", W, W5), False),
    ("contraction_of_negative", (-A) @ v, -(A @ v), False),
    ("product_with_eye", gc.eye("m") @ A, A, False),
    ("product_with_eye", A @ gc.eye("n"), A, False),
    ("product_with_eye", gc.sum(S * gc.eye("m")), S.trace(), False),
    ("product_with_eye", gc.einsum("ab,ab->b", S, gc.eye("m")), gc.diagonal(S), False),
    ("product_with_eye", gc.einsum("ab,bc->c", gc.eye("m"), A), gc.sum(A, axis=0), False),
    ("scaled_eye", (gc.eye("m") * u[:, None]) @ A, A * gc.reshape(u, ("m", 1)), False),
    ("scaled_eye", A @ (gc.eye("n") * v), A * gc.reshape(v, (1, "n")), False),
    ("scaled_eye", S + s * gc.eye("m"), S + diag(gc.broadcast_to(s, ("m",))), False),
    ("product_with_diagonal_matrix", diag(u) @ A, A * gc.reshape(u, ("m", 1)), False),
    ("product_with_diagonal_matrix", A @ diag(v), A * gc.reshape(v, (1, "n")), False),
    (
        "product_with_diagonal_matrix", diag(gc.astype(u, "float32")) @ A,
        A * gc.reshape(gc.astype(u, "float32"), ("m", 1)), False,
    ),
    ("product_with_diagonal_matrix", diag(u) @ diag(u + 1), diag(u * (u + 1)), False),
    ("product_with_diagonal_matrix", diag(u) @ (u + 1), (u + 1) * u, False),
    ("product_with_diagonal_matrix", (u + 1) @ diag(u), (u + 1) * u, False),
    ("product_with_diagonal_matrix", (A @ diag(v)) @ B, None, False),
    ("product_with_diagonal_matrix", gc.sum(diag(u) @ (A @ B)), None, False),
    ("product_with_diagonal_matrix", diag(W) @ V34, None, False),
    ("product_with_diagonal_matrix", gc.sum(diag(u) * diag(u + 1)), gc.vdot(u, u + 1), False),
    ("product_with_diagonal_matrix", gc.norm(diag(u)), gc.sqrt(gc.vdot(u, u)), False),
    ("product_with_diagonal_matrix", gc.vdot(S, diag(u)), gc.vdot(u, gc.diagonal(S)), False),
    ("product_with_diagonal_matrix", gc.einsum("ab,ab->b", diag(u), S), None, False),
    ("product_with_diagonal_matrix", gc.einsum("ab,ab->a", diag(u), diag(u)), u * u, False),
    ("product_with_diagonal_matrix", gc.einsum("ab,ac->", diag(u), diag(u)), None, False),
    ("product_with_diagonal_matrix", gc.einsum("nab,nab->n", diag(A), diag(C)), None, False),
    ("product_with_diagonal_matrix", gc.einsum("nab,nba->", diag(A), diag(C)), None, False),
    ("trace_of_diagonal_matrix", diag(u).trace(), gc.sum(u), False),
    ("trace_of_diagonal_matrix", gc.diagonal(diag(A)), A, False),
    ("trace_of_diagonal_matrix", gc.einsum("abb->ba", diag(A)), A.T, False),
    ("trace_of_diagonal_matrix", gc.einsum("abc->b", diag(A)), gc.sum(A, axis=0), False),
    ("sum_of_diagonal_matrix", gc.sum(diag(A)), gc.sum(A), False),
    ("sum_of_diagonal_matrix", gc.sum(diag(u), axis=0), u, False),
    ("sum_of_diagonal_matrix", gc.sum(diag(A), axis=(0, 1)), gc.sum(A, axis=0), False),
    ("sum_of_diagonal_matrix", gc.sum(diag(A), axis=2, keepdims=True),
     gc.reshape(A, ("m", "n", 1)), False),
    ("contraction_of_contraction", (A @ B).trace(), gc.einsum("ab,ba->", A, B), False),
    ("cheaper_chain", (S @ T) @ u, S @ (T @ u), False),
    (
        "cheaper_chain", gc.exp(gc.outer(u, v)) + gc.outer(u, v) @ N,
        gc.exp(gc.outer(u, v)) + gc.outer(u, v @ N), False,
    ),
    ("slice_of_contraction", (A @ B)[0], A[0] @ B, False),
    ("slice_of_contraction", (N @ B)[2:, 1], N[2:] @ B[:, 1], False),
    ("slice_of_contraction", (W5 @ W44)[1:, 0], gc.einsum("ab,abc->ac", W5[1:, 0], W44[1:]), False),
    ("diagonal_of_function", (S - u[:, None]).trace(), gc.sum(gc.diagonal(S) - u), False),
    ("diagonal_of_function", gc.diagonal(gc.exp(S) / u), gc.exp(gc.diagonal(S)) / u, False),
    (
        "diagonal_of_function", gc.einsum("aba->ba", gc.tanh(A[:, :, None] + S[:, None, :])),
        gc.tanh(A + gc.reshape(gc.diagonal(S), ("m", 1))).T, False,
    ),
    ("sum_of_diagonal", gc.sum(gc.einsum("aa->a", S)), gc.einsum("aa->", S), False),
    ("sum_of_rows", gc.sum(A @ B, axis=0), gc.sum(A, axis=0) @ B, False),
    ("sum_of_rows", gc.sum(A @ B), gc.vdot(gc.sum(A, axis=0), gc.sum(B, axis=1)), False),
    ("sum_of_rows", gc.sum(W5 @ W44, axis=1, keepdims=True), None, False),
    ("sum_of_rows", gc.sum(gc.einsum("abc,adc->abd", W, W5), axis=2), None, False),
    ("product_plus_scaled", A @ N + A * v, A @ (N + diag(v)), False),
    ("product_plus_scaled", v * A - A @ N.T, None, False),
    ("product_plus_scaled", S @ T - s * S, S @ (T - diag(gc.broadcast_to(s, ("m",)))), False),
    ("product_plus_scaled", W5 @ W44 + W5 * W44[:, :1], None, False),
    ("added_to_itself", (-u[:, None]) * A + (-u[:, None]) * A, (u[:, None] * -2.0) * A, False),
    ("halves_that_add_up", (C - s * A) - s * A, C - (2.0 * s) * A, False),
    (
        "added_to_itself",
        gc.vjp(A / lengths, A, C),
        C / lengths - by_row(C / lengths * (A / lengths)) / lengths * A,
        False,
    ),
    ("scaled_layout", -3.0 * (2.0 * A).T, (A * -6.0).T, False),
    ("scaled_layout", 4.0 * (u * 0.5)[:, None], (u * 2.0)[:, None], False),
    ("scaled_layout", 2.0 * (0.5 / u)[:, None], (1.0 / u)[:, None], False),
    ("scaled_layout", 2.0 * (0.25 * u / s)[:, None], (0.5 * u / s)[:, None], False),
    (
        "choice_below_choice", gc.where((u > 0)[:, None], gc.where(u > 0, u, 1.0)[:, None] * A, A),
        gc.where((u > 0)[:, None], u[:, None] * A, A), True,
    ),
    (
        "choice_below_choice", gc.where((u > 0)[:, None], gc.where(u > 0, 3.0, u)[:, None] * A, A),
        gc.where((u > 0)[:, None], 3.0 * A, A), True,
    ),
    (
        "guard_of_rows", gc.where(has_length[:, None], u[:, None] * A, 0.0),
        gc.where(has_length[:, None], u[:, None], 0.0) * A, False,
    ),
    (
        "guard_of_rows", gc.where(gc.vdot(x, x) != 0, x / s, 0.0),
        x / gc.where(gc.vdot(x, x) != 0, s, np.inf), False,
    ),
    ("log_of_total", gc.log(gc.sum(gc.exp(Z), axis=1)), gc.logsumexp(Z, axis=1), False),
    ("naive_softmax", gc.exp(Z) / gc.sum(gc.exp(Z), axis=1, keepdims=True), gc.softmax(Z), False),
    ("naive_softmax", gc.exp(v) / gc.sum(gc.exp(v)), gc.softmax(v), False),
    ("naive_softmax", E / gc.sum(E, axis=1)[:, None], P, False),
    ("naive_softmax", (E.T / gc.sum(E, axis=1)).T, P, False),
    ("naive_softmax", gc.exp(S) / gc.sum(gc.exp(S), axis=0), gc.softmax(S, axis=0), False),
    ("log_of_mean", gc.log(gc.mean(E, axis=1)), None, False),
    ("log_of_mean", gc.log(0.5 * gc.sum(gc.exp(v))), None, False),
    ("naive_softmax", gc.grad(gc.log(gc.sum(gc.exp(v))), v), gc.softmax(v), False),
    ("shares_of_total", gc.grad(gc.mean(gc.log(gc.sum(E, axis=1))), Z), P / M, False),
    ("shares_of_total", gc.grad(-gc.sum(gc.log(E / gc.sum(E, axis=1)[:, None])), Z), None, False),
    ("shares_of_total", gc.grad(-gc.sum(gc.log(gc.exp(v) / gc.sum(gc.exp(v)))), v), None, False),
    ("log_of_softmax", gc.log(gc.softmax(Z)), gc.log_softmax(Z), False),
    ("gradient_of_softmax", gc.vjp(gc.softmax(Z), Z, gc.input("g", ("m", 5))), None, False),
    (
        "sum_of_scatter",
        gc.grad(gc.sum(gc.take_along_axis(gc.log_softmax(Z), labels[:, None])), Z),
        None,
        False,
    ),
    (
        "plus_scatter",
        Z + gc.scatter_add_along_axis(gc.zeros_like(Z), labels[:, None], u[:, None]),
        gc.scatter_add_along_axis(Z, labels[:, None], u[:, None]),
        False,
    ),
    (
        "plus_scatter",
        gc.grad(gc.sum(gc.take_along_axis(gc.log_softmax(Z), labels[:, None])), Z),
        None,
        False,
    ),
    ("gradient_of_softmax", gc.vjp(E / gc.sum(E, axis=1, keepdims=True), Z, G), None, False),
    ("gradient_of_softmax", gc.grad(gc.vdot(P, gc.log_softmax(Z)) / M, Z), None, False),
    (
        "gradient_of_softmax",
        (G / whole - (u[:, None] / whole + by_row(G / whole * part))) * by_hand,
        (G - (u[:, None] + by_row(G * part))) * part,
        False,
    ),
    (
        "gradient_of_softmax",
        (by_row(G / whole * part) - 3.0 / whole - G / whole) * by_hand,
        (by_row(G * part) - 3.0 - G) * part,
        False,
    ),
    (
        "gradient_of_softmax",
        gc.grad(-gc.sum(gc.one_hot(labels, 5) * gc.log(P)), Z),
        None,
        False,
    ),
    (
        "gradient_of_softmax",
        gc.grad(-gc.sum(shares * gc.log(gc.exp(D) / gc.sum(gc.exp(D)))), D),
        gc.sum(shares) * gc.softmax(D) - shares,
        False,
    ),
    ("scaled_softmax", u[:, None] * P, None, False),
    (
        "cross_entropy_of_shares",
        gc.sum(gc.one_hot(known, 6)[:, :5] * 0.0) + gc.sum(P * gc.log(gc.softmax(Z))),
        None,
        False,
    ),
    ("sum_of_shares", gc.sum(P, axis=1), gc.ones_like(u), False),
    ("sum_of_shares", gc.sum(u[:, None] * gc.one_hot(known, 5), axis=1), u, False),
    (
        "sum_of_parts",
        gc.sum((u / gc.sum(gc.exp(A), axis=1))[:, None] * gc.exp(A), axis=1),
        u,
        False,
    ),
    (
        "sum_of_parts",
        gc.sum(gc.exp(A) * (3.0 / gc.sum(gc.exp(A), axis=0)), axis=0, keepdims=True),
        gc.full((1, "n"), 3.0),
        False,
    ),
    ("sum_of_parts", gc.sum((s / gc.sum(gc.exp(x))) * gc.exp(x)), s, False),
    ("sum_of_differences", gc.sum((P - gc.softmax(G)) / u[:, None], axis=1), None, False),
    ("sum_of_differences", gc.sum(P - gc.one_hot(known, 5), axis=1), gc.zeros("m"), False),
    (
        "sum_of_differences",
        gc.grad(-gc.mean(gc.log(gc.take_along_axis(by_hand / by_row(by_hand), of_row))), Z),
        gc.scatter_add_along_axis(
            by_hand / by_row(by_hand) / M, of_row, gc.broadcast_to(-1 / M, ("m", 1))
        ),
        False,
    ),
    (
        "sum_of_differences",
        gc.sum(G - by_row(G) / by_row(by_hand) * by_hand, axis=1, keepdims=True),
        gc.zeros(("m", 1)),
        False,
    ),
    (
        "sum_of_differences",
        gc.grad(gc.sum((part - G) ** 2), Z),
        (slope - by_row(slope * part)) * part,
        False,
    ),
    (
        "sum_of_differences",
        gc.sum(G - (gc.sum(G, axis=1) / gc.sum(by_hand, axis=1))[:, None] * by_hand, axis=1),
        gc.zeros("m"),
        False,
    ),
    (  # the gradient by what is taken off by hand, so that nothing overflows
        "sum_of_differences",
        gc.grad(-gc.sum(G * gc.log(by_hand / by_row(by_hand))), Z),
        by_row(G) / by_row(by_hand) * by_hand - G,
        False,
    ),
    (
        "sum_of_one_hot",
        gc.sum(u[:, None] * gc.one_hot(labels - 2, 40), axis=1),
        gc.astype((labels - 2 >= 0) & (labels - 2 < gc.size(40)), "float64") * u,
        False,
    ),
    (
        "sum_by_one_hot",
        gc.sum(gc.one_hot(known, 5) * Z, axis=1),
        gc.reshape(gc.take_along_axis(Z, known[:, None]), ("m",)),
        False,
    ),
    (
        "dot_with_one_hot",
        gc.sum(gc.one_hot(known, 5) * Z),
        gc.sum(gc.take_along_axis(Z, known[:, None])),
        False,
    ),
    (
        "choice_among_computed",
        gc.take_along_axis(Z - u[:, None], labels[:, None]),
        gc.take_along_axis(Z, labels[:, None]) - u[:, None],
        True,
    ),
    (
        "choice_among_computed",
        gc.take_along_axis(gc.where(u[:, None] > 0, Z, -1.0) / D[0], labels[:, None]),
        gc.where(u[:, None] > 0, gc.take_along_axis(Z, labels[:, None]), -1.0) / D[0],
        True,
    ),
    (
        "plus_one_hot",
        Z + u[:, None] * gc.one_hot(known, 5),
        gc.scatter_add_along_axis(Z, known[:, None], u[:, None]),
        False,
    ),
    (
        "plus_one_hot",
        gc.one_hot(known, 5) - Z,
        gc.scatter_add_along_axis(-Z, known[:, None], gc.ones(("m", 1))),
        False,
    ),
    ("sort_of_sort", gc.sort(gc.sort(A, axis=0), axis=0), gc.sort(A, axis=0), False),
    ("taken_in_order", u[gc.argsort(u)], gc.sort(u), False),
    ("taken_in_order", gc.take_along_axis(A, gc.argsort(A)), gc.sort(A), False),
    ("sum_of_deviations", gc.sum(u[:, None] * (Z - mean), axis=1), gc.zeros(("m",)), False),
    ("sum_of_deviations", gc.sum((A - gc.mean(A)) / s), gc.zeros(()), False),
    (
        "sum_of_deviations",
        gc.sum(gc.where(v > 0, A - gc.mean(A, axis=0), 0.0), axis=0),
        gc.zeros(("n",)),
        False,
    ),
    (
        "sum_beside_deviations",
        gc.sum(C - (A - gc.mean(A, axis=0)) / gc.exp(v), axis=0),
        gc.sum(C, axis=0),
        False,
    ),
    (
        "sum_beside_deviations",
        gc.sum(gc.where(u[:, None] > 0, Z - mean, 0.0) - G, axis=1, keepdims=True),
        -gc.sum(G, axis=1, keepdims=True),
        False,
    ),
    (
        "any_of_any",
        gc.any(gc.logical_or(A > 0, gc.any(A > 0, axis=1, keepdims=True)), axis=1),
        gc.any(A > 0, axis=1),
        True,
    ),
    (
        "scale_that_returns",
        gc.sum(G * (Z / gc.exp(D)), axis=0) * gc.exp(D),
        gc.sum(G * Z, axis=0),
        False,
    ),
    ("scale_that_returns", gc.vdot(A, C / gc.exp(s)) * gc.exp(s), gc.vdot(A, C), False),
    ("axes_kept", gc.sum(A, axis=1)[:, None], gc.sum(A, axis=1, keepdims=True), True),
    ("axes_kept", gc.sum(A, axis=1, keepdims=True)[:, 0][:, None], None, True),
    ("slice_of_everything", gc.exp(Z[:, 0:5])[:], E, True),
    ("shape_put_back", gc.reshape(-2.0 * A[:, :, None], ("m", "n")), -2.0 * A, True),
    ("shape_put_back", gc.sqrt(u[:, None])[:, 0], gc.sqrt(u), True),
    ("element_of_slice", gc.reshape(W[:, 1:2], (2, 4)), W[:, 1], True),
    ("element_of_slice", gc.reshape(u[0:1], ()), u[0], True),
    ("slice_of_concat", gc.stack([u, 2 * u])[1], 2 * u, True),
    ("reshape_of_reshape", gc.reshape(W, (6, 4))[:, None], gc.reshape(W, (6, 1, 4)), True),
    ("layout_of_negative", gc.reshape(-W, (6, 4)), -gc.reshape(W, (6, 4)), True),
    ("layout_of_negative", (-A).T, -(A.T), True),
    ("common_matrix", A @ B + C @ B, (A + C) @ B, False),
    ("common_matrix", A @ B - 2.0 * (C @ B), (A - 2.0 * C) @ B, False),
    ("common_matrix", A @ v - A @ (v * v), A @ (v - v * v), False),
    ("common_matrix", S @ A + T.T @ A, (S + T.T) @ A, False),
    ("common_matrix", A @ B - 3.0 * (C @ A.T).T, None, False),
    ("contraction_of_stretched", gc.ones(("m",)) @ A, gc.sum(A, axis=0), False),
    (
        "contraction_of_equal_columns", A.T @ gc.broadcast_to(u[:, None], ("m", 7)),
        gc.broadcast_to(gc.reshape(A.T @ u, ("n", 1)), ("n", 7)), False,
    ),
    (
        "contraction_of_equal_columns",
        gc.einsum("abc,dc->abd", gc.broadcast_to(u, (2, 3, "m")), S),
        gc.broadcast_to(gc.einsum("c,dc->d", u, S), (2, 3, "m")), False,
    ),
    (
        "contraction_of_stretched",
        gc.einsum("i,j->ij", gc.broadcast_to(s, ("m",)), v),
        gc.broadcast_to(s * v, ("m", "n")),
        False,
    ),
    ("sum_of_one_operand", gc.einsum("ab->b", A), gc.sum(A, axis=0), True),
    ("sum_of_one_operand", gc.einsum("abc->ca", W), gc.sum(W, axis=1).T, True),
    ("sum_of_stretched_products", gc.sum(A * v, axis=1), A @ v, False),
    ("sum_of_stretched_products", gc.sum(A[:, :, None] * B[None], axis=1), A @ B, False),
    ("sum_of_squared_outer", gc.sum(gc.square(outer), axis=(1, 2)), None, False),
    (
        "sum_of_squared_outer",
        gc.sum(gc.reshape(outer, ("m", -1)) ** 2, axis=1, keepdims=True),
        gc.reshape(gc.sum(gc.square(outer), axis=(1, 2)), ("m", 1)),
        False,
    ),
    (
        "sum_of_squared_outer",
        gc.sum(gc.reshape(outer, ("m", -1)) ** 2, axis=0),
        gc.reshape(gc.sum(gc.square(outer), axis=0), (-1,)),
        False,
    ),
    ("sum_of_squared_outer", gc.mean(outer**2, axis=0), None, False),
    ("sum_of_squared_outer", gc.sum(outer**2, axis=1), None, False),
    ("sum_of_squared_outer", gc.sum(gc.outer(u, v) ** 2, axis=0), None, False),
    (
        "sum_of_squared_outer",
        gc.sum(gc.einsum("xy,yz->zyx", A, B) ** 2, axis=(0, 2)),
        None,
        False,
    ),
    (
        "dot_of_outer",
        gc.einsum("abc,abc->a", outer, outer),
        gc.sum(gc.square(outer), axis=(1, 2)),
        False,
    ),
    ("dot_of_outer", gc.vdot(gc.outer(u, v), gc.outer(u, v)), None, False),
    (
        "scaled_sum_of_outer",
        gc.einsum("mkn,m->kn", outer, u),
        gc.einsum("mk,mn->kn", V * gc.reshape(u, ("m", 1)), U),
        False,
    ),
    ("scaled_sum_of_outer", gc.einsum("mkn,mn->k", outer, A), None, False),
    (
        "scaled_outer",
        outer * u[:, None, None],
        gc.einsum("mn,mk->mkn", U * gc.reshape(u, ("m", 1)), V),
        False,
    ),
    ("scaled_outer", outer / gc.norm(V, axis=1, keepdims=True)[:, None], None, False),
    ("scaled_outer", gc.einsum("mn,mk->mkn", U, V) * V[:, :, None], None, False),
    ("scaled_outer", gc.outer(u, v) * v, None, False),
    (
        "sum_of_squared_parts",
        gc.sum(gc.square(gc.concat([U, V], axis=1)), axis=1),
        gc.sum(gc.square(U), axis=1) + gc.sum(gc.square(V), axis=1),
        False,
    ),
    (
        "sum_of_squared_parts",
        gc.norm(gc.concat([gc.reshape(outer, ("m", -1)), U], axis=1), axis=1),
        None,
        False,
    ),
    ("root_or_zero", gc.norm(A, axis=1), gc.sqrt(gc.sum(gc.square(A), axis=1)), True),
    ("root_or_zero", gc.std(A, axis=0), None, True),
    ("root_or_zero", gc.std(W, axis=2), None, True),
]


def fired(node, mode):
    graph, log = run(Graph([node]), mode)
    return graph.outputs[0], {r.name for step in log.steps for r in step.rewrites}


def canonical(node, mode):
    """A node as the passes leave it: what both sides of an identity must come to."""
    return run(Graph([node]), mode)[0].outputs[0]


def ids(table):
    counts = {}
    return [f"{row[0]}-{counts.setdefault(row[0], itertools.count()).__next__()}" for row in table]


def columns(dtype, count):
    """All pairs of extremes, for two inputs."""
    given = np.array(EXTREMES)
    with np.errstate(all="ignore"):
        pairs = np.array(list(itertools.product(given, given)))
        if np.dtype(dtype).kind == "i":
            pairs = np.clip(np.nan_to_num(pairs), -1000, 1000)
        return pairs.astype(dtype)[:, :count]


@pytest.mark.parametrize(
    ("name", "before", "after", "is_strict"), ELEMENTWISE, ids=ids(ELEMENTWISE)
)
def test_an_identity_on_every_pair_of_extremes(name, before, after, is_strict):
    """Negatives, 0, -0, inf, NaN, subnormal, huge: what was finite stays finite and as accurate."""
    with np.errstate(all="ignore"):
        values = dict(zip([x, y], columns(np.float64, 2).T, strict=True))
        values |= {s: -3.25, t: 1e-5, p: np.abs(values[x]) + 5e-324}
        values |= {q: np.clip(np.abs(values[x]), 0, 1), r: np.clip(np.abs(values[y]), 0, 1)}
        values |= {i: columns(np.int64, 1)[:, 0], f32: columns(np.float32, 1)[:, 0]}
    for mode in (True, "strict") if is_strict else (True,):
        result, names = fired(before, mode)
        assert name in names or mode is not ("strict" if is_strict else True)
        assert after is None or result is canonical(after, mode)
        was, now = gc.evaluate([before, result], values)
        if mode == "strict":
            np.testing.assert_array_equal(was, now, strict=True)
            signs = [np.signbit(value) & ~np.isnan(value) for value in (was, now)]
            np.testing.assert_array_equal(*signs)
        assert was.dtype == now.dtype and was.shape == now.shape
        finite = np.isfinite(was)
        assert np.all(np.isfinite(now[finite]))


# Beside the largest float a number on the small side overflows (said in docs/passes.md); a sum of
# two that cancel is luckier in one form or the other; and 50 digits do not hold 1 - 1e-304. A share
# that is exp(-300) times as large as the largest is right within 300 ulp, as in a softmax; and the
# log of what is nearly 1 has two roundings for one.
NOT_AUDITED = {
    "number_on_the_small_side", "quotient_times_divisor", "log_of_sigmoid",
    "share_of_exponentials", "shares_of_exponentials", "exponentials_less_the_largest",
}  # fmt: skip
AUDITED = [
    row
    for row in ELEMENTWISE
    if row[0] not in NOT_AUDITED and row[1].type.is_float
    if all(node.dtype == float for node in Graph([row[1]]).nodes if node.op.name == "input")
]


@pytest.mark.parametrize(("name", "before", "after", "is_strict"), AUDITED, ids=ids(AUDITED))
def test_an_identity_is_as_accurate(name, before, after, is_strict):
    """By the audit's own points, up to the ends of the range, against exact arithmetic."""
    inputs = [node for node in Graph([before]).nodes if node.op.name == "input"]
    facts = {node: declared(node) for node in inputs}
    for mode in (True, "strict") if is_strict else (True,):
        result, _ = fired(before, mode)
        verdict = audit(before, result, inputs, mode, facts, may_extend=True)
        assert verdict.holds, verdict


@pytest.mark.parametrize(
    ("name", "before"),
    [row[:2] for row in ELEMENTWISE if not row[3]],
    ids=ids([row for row in ELEMENTWISE if not row[3]]),
)
def test_a_rule_that_is_not_strict_does_not_fire_in_strict(name, before):
    """x + 0 is not x where x is -0."""
    _, names = fired(before, "strict")
    assert name not in names


@pytest.mark.parametrize(("name", "before", "after", "is_strict"), TENSOR, ids=ids(TENSOR))
def test_an_identity_of_tensors(name, before, after, is_strict):
    """The numbers of both sides, against the same sums in longer arithmetic."""
    rng = np.random.default_rng(0)
    sizes = {"m": 5, "n": 7, "k": 3}
    inputs = [node for node in Graph([before]).nodes if node.op.name == "input"]
    values = {gc.input("sizes", ("m", "n")): np.zeros((5, 7))}
    for node in inputs:
        shape = [sizes.get(str(size), size) for size in node.shape]
        drawn = rng.normal(size=shape) * 3
        values[node] = rng.integers(0, 5, shape) if node.dtype.kind == "i" else drawn
    for mode in (True, "strict") if is_strict else (True,):
        result, names = fired(before, mode)
        assert name in names
        assert after is None or result is canonical(after, mode)
        was, now = gc.evaluate([before, result], values)
        np.testing.assert_allclose(now, was, rtol=1e-13, atol=1e-14)


label = gc.input("label", (1,), "int64", between=(0, 4))
CUBE, SHARED_LABELS = gc.input("cube", ("k", "m", 5)), gc.one_hot(known, 5)
SCATTERED = gc.scatter_add_along_axis(gc.zeros((1, 5)), label[:, None], [[2.0]])
# Where one row, or one operand, stands for all: what a rule finds in it is not there in each.
STRETCHED = {
    "plus a label for all": Z + 2.0 * gc.one_hot(label, 5),
    "less than labels for all": SHARED_LABELS - CUBE,
    "chosen by a label for all": gc.sum(Z * gc.one_hot(label, 5)),
    "likelihood of a label for all": gc.sum(gc.log_softmax(Z) * gc.one_hot(label, 5)),
    "plus a scatter for all": Z + SCATTERED,
    "less than a scatter for all": SCATTERED - Z,
    "plus what is summed alone": gc.einsum("ac,b->ab", S, u) + S * u,
    "a number where it is chosen": gc.where(
        (u > 0)[:, None], gc.where(u > 0, 2.0, u)[:, None] * Z, Z
    ),
}


@pytest.mark.parametrize("name", STRETCHED)
def test_what_is_stretched_fits_where_a_rule_meets_it(name):
    """A rule that took it for as large as the result ended with an error."""
    before = STRETCHED[name]
    f = gc.compile(before)
    rng, values = np.random.default_rng(0), {}
    for v in f.graph.parameters:
        shape = [{"m": 3, "k": 2}.get(str(d), d) for d in v.shape]
        drawn = rng.normal(size=shape)
        values[v.name] = rng.integers(0, 5, shape) if v.dtype.kind == "i" else drawn
    np.testing.assert_allclose(f(**values), gc.evaluate(before, values), rtol=1e-13)


# Where a rule may meet what it looks at: below other ops, whose rules look at what it made.
POSITIONS = {
    "transposed": lambda z: gc.permute_dims(z, tuple(reversed(range(z.ndim)))),
    "stacked": lambda z: gc.stack([z, 2.0 * gc.sin(z)]),
    "squared and summed": lambda z: gc.sum(z * z),
    "summed along the last axis": lambda z: gc.sum(gc.sin(z) * z, axis=-1) if z.ndim else z,
    "beside its transpose": lambda z: gc.vdot(z.T, z.T + 1.0),
}
OF_FLOATS = [row for row in TENSOR if row[1].type.is_float]


@pytest.mark.parametrize("position", POSITIONS)
def test_an_identity_of_tensors_in_every_position(position):
    """A sum of squares of a diagonal matrix ended with an error: it met the rule of a product."""
    rng = np.random.default_rng(0)
    sizes, values = {"m": 5, "n": 7, "k": 3}, {gc.input("sizes", ("m", "n")): np.zeros((5, 7))}
    outputs = [POSITIONS[position](row[1]) for row in OF_FLOATS]
    for node in (node for node in Graph(outputs).nodes if node.op.name == "input"):
        shape = [sizes.get(str(size), size) for size in node.shape]
        drawn = rng.normal(size=shape)
        values[node] = rng.integers(0, 5, shape) if node.dtype.kind == "i" else drawn
    results = [canonical(node, True) for node in outputs]
    assert [node.type for node in outputs] == [node.type for node in results]
    was, now = gc.evaluate(outputs, values), gc.evaluate(results, values)
    for row, expected, value in zip(OF_FLOATS, was, now, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-11, atol=1e-12, err_msg=row[0])


DIAGONALS = {
    "sum of squares": (lambda u, S: gc.sum(diag(u) * diag(u)), lambda u, S: np.sum(u * u)),
    "norm": (lambda u, S: gc.norm(diag(u)), lambda u, S: np.linalg.norm(u)),
    "mean": (lambda u, S: gc.mean(diag(u) ** 2), lambda u, S: np.mean(np.diag(u) ** 2)),
    "vdot": (lambda u, S: gc.vdot(diag(u), S), lambda u, S: u @ np.diag(S)),
    "two": (lambda u, S: gc.sum(diag(u) * diag(u + 1)), lambda u, S: np.sum(u * (u + 1))),
    "trace": (lambda u, S: (diag(u) @ S).trace(), lambda u, S: u @ np.diag(S)),
    "jacobian": (
        lambda u, S: gc.sum(gc.jacobian(gc.tanh(u), u) ** 2),
        lambda u, S: np.sum((1 - np.tanh(u) ** 2) ** 2),
    ),
    "hessian": (
        lambda u, S: gc.sum(gc.hessian(gc.sum(gc.exp(u)), u) ** 2),
        lambda u, S: np.sum(np.exp(2 * u)),
    ),
}


@pytest.mark.parametrize("name", DIAGONALS)
def test_numbers_of_diagonal_matrices(name):
    """And their gradients, by central differences; a sum takes no matrix of zeros."""
    build, expected = DIAGONALS[name]
    value = build(u, S)
    results = run(Graph([value, gc.grad(value, u)]), True)[0].outputs
    if name not in ("norm", "mean"):
        assert all(node.op.name != "diagonal_matrix" for node in Graph(results[:1]).nodes)
    at = {u: np.array([0.5, -1.25, 2.0]), S: np.arange(9.0).reshape(3, 3) / 4 - 1}
    now, slope = gc.evaluate(results, at)
    np.testing.assert_allclose(now, expected(at[u], at[S]), rtol=1e-13)
    near = [[expected(at[u] + h * row, at[S]) for h in (1e-5, -1e-5)] for row in np.eye(3)]
    np.testing.assert_allclose(slope, [(b - a) / 2e-5 for b, a in near], rtol=1e-7)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_squares_of_outer_products_stay_in_range(dtype):
    """The square of one factor overflows or vanishes where that of the product does not."""
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        given = np.array([*EXTREMES, 1e20, -1e-20, 1e160, 1e-170, 1e-200]).astype(dtype)
        left, right = rng.choice(given, (2, 4000, 2))
        one, other = (gc.input(name, ("m", 2), dtype) for name in "ab")
        before = gc.sum(gc.einsum("mi,mj->mij", one, other) ** 2, axis=(1, 2))
        result, names = fired(before, True)
        was, now = gc.evaluate([before, result], {one: left, other: right})
        again, _ = fired(before, "strict")
        strictly = gc.evaluate(again, {one: left, other: right})
    np.testing.assert_array_equal(strictly, was)
    assert "sum_of_squared_outer" in names
    finite = np.isfinite(was)
    assert finite.sum() > 1000 < (~finite).sum()
    exact = [
        float(sum((Fraction(float(p)) * Fraction(float(q))) ** 2 for p in ps for q in qs))
        for ps, qs in zip(left[finite], right[finite], strict=True)
    ]
    error = [np.abs(value[finite].astype(float) - exact) for value in (was, now)]
    assert np.all(error[1] <= 4 * error[0] + 4 * np.spacing(was[finite]).astype(float))
    assert not np.any(np.isfinite(now[np.isnan(was)]))


# What is written, and that with every term made positive.
JOINED = {
    "product_plus_scaled": (lambda A, B, C, N, v: A @ N + A * v,) * 2,
    "product_plus_scaled, less": (
        lambda A, B, C, N, v: A * v - A @ N,
        lambda A, B, C, N, v: A * v + A @ N,
    ),
    "sum_of_rows": (lambda A, B, C, N, v: gc.sum(A @ B, axis=0),) * 2,
    "diagonal_alike": (lambda A, B, C, N, v: gc.sum(A * C, axis=0),) * 2,
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", JOINED)
def test_products_that_are_joined_stay_in_range(name, dtype):
    """What is finite stays so, for factors whose squares are; a NaN becomes infinite at most."""
    before = JOINED[name]
    given_sizes = {"m": 3, "n": 2}
    other = {v: gc.input(f"{v.label} of {dtype}", v.shape, dtype) for v in (A, B, C, N, v)}
    before, bound = (way(*other.values()) for way in JOINED[name])
    outputs = [before, other[A].T @ other[C]] if name == "diagonal_alike" else [before]
    graph, log = run(Graph(outputs), True)
    assert name.split(",")[0] in {r.name for step in log.steps for r in step.rewrites}
    rng = np.random.default_rng(0)
    largest = 1e150 if dtype == "float64" else 1e18
    common = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, largest, -largest, 1 / largest, 5e-324]
    rare = [*common, np.inf, -np.inf, np.nan]
    finite, lost = 0, 0
    for trial in range(200):
        drawn = [
            rng.choice(common if trial % 2 else rare, [given_sizes[str(d)] for d in v.shape])
            for v in other.values()
        ]
        given = {v: a.astype(dtype) for v, a in zip(other.values(), drawn, strict=True)}
        with np.errstate(all="ignore"):
            needed = {v: given[v] for v in graph.parameters}
            was, now = gc.evaluate([before, graph.outputs[0]], needed)
            most = gc.evaluate(bound, {v: np.abs(a) for v, a in needed.items()})
            difference = np.abs(now - was)
        kept = np.isfinite(was)
        finite, lost = finite + kept.sum(), lost + np.isnan(was).sum()
        assert np.all(difference[kept] <= 8 * np.spacing(most[kept]))
        assert not np.any(np.isfinite(now[np.isnan(was)]))
    assert finite > 100 and lost > 50


def test_single_precision_sums_row_by_row_as_a_matrix_product_does():
    """NumPy adds in pairs along the last axis only: there a dot product would be worse."""
    left, right = (gc.input(name, ("m", name), "float32") for name in "ab")
    products = left[:, :, None] * right[:, None]
    result, names = fired(gc.sum(products, axis=0), True)
    assert "sum_of_stretched_products" in names
    rng = np.random.default_rng(0)
    values = {v: rng.uniform(size=(5000, 4)).astype("float32") for v in (left, right)}
    was, now = gc.evaluate([gc.sum(products, axis=0), result], values)
    exact = values[left].T.astype(float) @ values[right]
    assert now.dtype == np.float32
    assert np.max(np.abs(now - exact)) <= 4 * np.max(np.abs(was - exact))
    _, names = fired(gc.sum(left.T[:, None] * right.T, axis=2), True)
    assert "sum_of_stretched_products" not in names


def test_an_outer_product_that_many_sum_is_not_built():
    """Norms, sums with weights and means of squares of each other's gradients need no gradient."""
    mean, norms = gc.mean(outer, axis=0), gc.sqrt(gc.sum(outer**2, axis=(1, 2)))
    clipped = gc.sum(outer * gc.minimum(1.0, 1.0 / norms)[:, None, None], axis=0)
    flat = gc.concat([gc.reshape(outer, ("m", -1)), U], axis=1)
    penalty = gc.grad(gc.mean((norms - 1) ** 2), [U, V])
    results = [mean, norms, clipped, gc.mean(outer**2, axis=0), gc.norm(flat, axis=1), *penalty]
    graph, _ = run(Graph(results), True)
    assert {gc.dim("m")} >= {node.type.size for node in graph.nodes if node.ndim > 2}


def test_a_product_that_two_slices_share_stays_one():
    """One call for all columns takes less time than a call for each of its parts."""
    product = A @ N
    graph, log = run(Graph([gc.exp(product[:, :1]), gc.sin(product[:, 1:])]), True)
    assert graph.count()["einsum"] == 1
    assert not {r.name for step in log.steps for r in step.rewrites}


def test_parts_in_another_order_are_not_one_slice():
    """concat(x[3:], x[:3]) is x rolled, and slices of two arrays are no slice of one."""
    rolled, of_two, with_gap = [D[3:], D[:3]], [D[:2], shares[2:]], [D[:2], D[3:]]
    for parts in (rolled, of_two, with_gap, [D[:3], D[2:]], [D[:2:2], D[2:]]):
        assert not fired(gc.concat(parts), True)[1]


def test_there_are_more_than_fifty_identities():
    """And each rule has one, or is met by a test of its own."""
    covered = {row[0] for row in (*ELEMENTWISE, *TENSOR)}
    own = {
        "choice_that_is_known",
        "small_divisors_first",
        "operands_in_order",
        "stopped",
    }
    assert len(ELEMENTWISE) + len(TENSOR) > 100
    assert {rule.name for rule in RULES} - covered == own


# Two outputs; what the second comes to, given the first; and whether the strict mode does it too
SHARED = [
    ("commuted", [x * y, gc.exp(y * x)], gc.exp, True),
    ("commuted", [c & d, gc.where(d & c, x, y)], lambda first: gc.where(first, x, y), True),
    (
        "reduced_alike",
        [gc.sum(A, axis=0), A - gc.sum(A, axis=0, keepdims=True)],
        lambda first: A - first,
        True,
    ),
    (
        "shaped_later",
        [gc.mean(A, axis=0), gc.var(A, axis=0)],
        lambda first: gc.sum(gc.square(A - gc.reshape(first, (1, "n"))), axis=0) / M,
        True,
    ),
    ("indexed_alike", [x[:, None], gc.exp(gc.reshape(x, ("k", 1)))], gc.exp, True),
    ("opposite_alike", [3.0 * A, gc.exp((-3.0) * A)], None, True),
    (
        "chosen_alike",
        [gc.where(c, x, 0.0) * gc.exp(gc.where(c, y, 0.0)), gc.where(c, x - y, 0.0)],
        None,
        True,
    ),
    ("grouped_alike", [A / s, gc.sum(A * (C / s), axis=1)], None, False),
    (
        "grouped_alike",
        [A / s, gc.sum(gc.where(C > 0, A * (C / s), 0.0), axis=1)],
        lambda first: gc.sum(gc.where(C > 0, first * C, 0.0), axis=1),
        False,
    ),
    ("contracted_alike", [A @ C.T, gc.exp(C @ A.T)], None, False),
    (
        "contracted_alike",
        [gc.einsum("abc,abd->acd", W5, W5 + 1), gc.exp(gc.einsum("abd,abc->dca", W5 + 1, W5))],
        None,
        False,
    ),
    ("scaled_dot", [(-1 / M) * Z, gc.vdot(Z, G) / M], lambda first: -gc.vdot(first, G), False),
    (
        "cross_entropy_alike",
        [gc.sum(G, axis=1, keepdims=True), gc.vdot(G, gc.log_softmax(Z))],
        None,
        False,
    ),
    ("exponential_of_negative", [gc.exp(q), gc.exp(-q)], None, False),
    ("rest_alike", [gc.sigmoid(-q), gc.sigmoid(q) * (1 - gc.sigmoid(q))], None, False),
    ("sigmoid_alike", [y / (1 + gc.exp(x)), y * gc.sigmoid(x)], None, False),
    ("diagonal_alike", [A.T @ C, gc.sum(C * A, axis=0)], None, False),
    (
        "diagonal_alike",
        [gc.einsum("abc,abd->acd", W5, W5 + 1), gc.sum(W5 * (W5 + 1), axis=1, keepdims=True)],
        None,
        False,
    ),
]


@pytest.mark.parametrize(("name", "before", "after", "is_strict"), SHARED, ids=ids(SHARED))
def test_what_is_there_is_used_again(name, before, after, is_strict):
    """The numbers are the same, and there is one node where there were two."""
    grid = columns(np.float64, 2).T
    values = dict(zip([x, y], grid, strict=True)) | {s: -3.25, p: np.abs(grid[0]) + 5e-324}
    values[q] = np.clip(np.abs(grid[0]), 0, 1)
    rng = np.random.default_rng(0)
    values[A], values[C] = rng.normal(size=(2, 5, 7))
    values[Z], values[G] = rng.normal(size=(2, 4, 5))
    values[W5] = rng.normal(size=(2, 5, 4))
    for mode in (True, "strict") if is_strict else (True,):
        graph, log = run(Graph(before), mode)
        assert name in {r.name for step in log.steps for r in step.rewrites}
        first, second = graph.outputs
        assert after is None or second is canonical(after(first), mode)
        fewer = flops(run(Graph(before), False)[0]) - flops(graph)
        assert gc.shapes.number(fewer, dict.fromkeys(gc.dims("k m n"), 7)) >= 0
        needed = {v: values[v] for v in graph.parameters}
        sides = gc.evaluate(before, needed), gc.evaluate([first, second], needed)
        for was, now in zip(*sides, strict=True):
            finite = np.isfinite(was)
            np.testing.assert_allclose(now[finite], was[finite], rtol=1e-15)
            assert mode is True or np.array_equal(was, now, equal_nan=True)


def test_each_equation_of_sharing_has_its_row():
    """As each rule has."""
    assert {rule.name for rule in (*SHARING, *LAST_SHARING)} == {row[0] for row in SHARED}


def test_one_walk_shares_in_every_layer():
    """What is shared below hides nothing above: 24 equal layers come out equal, at once."""
    v = x
    for _ in range(24):
        v = gc.sin(gc.exp(v) + gc.exp(-v))
    graph, fired = shared(Graph([v]))
    assert ["exponential_of_negative"] * 24 == [r.name for r in fired]
    assert dict.fromkeys(["exp", "reciprocal", "add", "sin"], 24) | {"input": 1} == graph.count()
    assert (graph, []) == shared(graph)
    values = {x: np.linspace(-1, 1, 5)}
    before, after = gc.evaluate(v, values), gc.evaluate(graph.outputs[0], values)
    np.testing.assert_allclose(before, after, rtol=1e-6)  # the chain magnifies roundings


@pytest.mark.parametrize(
    "weighed",
    [
        (G - by_row(G * P)) * part,  # not by the shares that are the weights
        (G - by_row(G * G)) * part,
        (G - gc.sum(G * part, axis=0)) * part,
        (by_row(G * part) - Z) * part,
    ],
)
def test_a_deviation_that_is_not_from_its_own_mean_does_not_vanish(weighed):
    """Its sum is 0 only by the weights, along the axis and of the values that made the mean."""
    assert "sum_of_differences" not in fired(gc.sum(weighed, axis=1), True)[1]


def test_a_known_choice_is_made():
    """where(True, x, y) is x."""
    assert fired(gc.where(gc.constant(True), x, y), "strict")[0] is x


def test_divisors_are_gathered_on_the_small_side():
    """(2 * A) / m takes one pass over A."""
    m = gc.size("m", "float64")
    before = (gc.sqrt(m) * A) / m
    result, names = fired(before, True)
    assert "small_divisors_first" in names
    assert run(Graph([result]), True)[0].count()["multiply"] == 1


def test_a_rewritten_node_keeps_its_line_and_its_name():
    """Programs, pictures and messages speak of the user's line."""
    before = (x * 1.0 + (-t)).named("total")
    result, _ = fired(before, True)
    assert "total" == result.name
    assert before.where == result.where


def test_each_rewrite_is_in_the_log_with_its_line():
    """The reader sees how the program came about."""
    v = gc.input("v of this test", ("k",))  # nobody else has built these nodes on another line
    f = gc.compile(gc.sum(v * v) * 1.0, simplify=True)
    rewrites = f.log.steps[3].rewrites
    assert [r.name for r in rewrites][-1] == "times_one"
    assert all(r.place.startswith("test_rules.py:") for r in rewrites)
    assert "times_one: 1 * x = x   test_rules.py:" in str(f.log)


def test_every_strict_rule_is_a_rule_and_every_rule_has_an_equation():
    """The docstring is what the log shows."""
    assert set(STRICT) < set(RULES)
    assert [] == [r.name for r in RULES if "=" not in r.equation and "not not" not in r.equation]


def test_without_docstrings_the_log_shows_names():
    code = "import graphc as gc; v = gc.input('v', ('k',)); print(gc.compile(v * 1.0).log)"
    command = [sys.executable, "-OO", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "times_one: times_one" in done.stdout


def test_a_rule_that_does_not_fit_is_left_out():
    """A mistake of one rule leaves the user the program without it. Here warnings are errors."""

    @rule("exp")
    def twice(n):
        """exp(x) = exp(x) beside itself, which it is not"""
        return gc.stack([n, n])

    graph = Graph([gc.exp(x)])
    with pytest.warns(RuntimeWarning, match=r"made f64\[2, k\] of .*test_rules.py:\d+.*left out"):
        found, fired_rules = rewritten(graph, [twice])
    assert found.outputs == graph.outputs
    assert not fired_rules


def test_a_rule_that_ends_with_an_error_is_left_out():
    """So is one that builds what cannot be, and it is named."""

    @rule("exp")
    def joined(n):
        """exp(x) = exp(x) after itself along an axis that it has not"""
        return gc.concat([n, n], axis=3)

    graph = Graph([gc.exp(x)])
    with pytest.warns(RuntimeWarning, match=r"joined, cannot rewrite exp .*: axis 3.*left out"):
        found, fired_rules = rewritten(graph, [joined])
    assert found.outputs == graph.outputs
    assert not fired_rules


def test_rules_that_undo_each_other_end():
    """The number of rounds is bounded whatever the rules are."""
    from graphc.passes.rewrite import rule

    @rule("add")
    def there(n):
        """x + y = y + x"""
        return gc.add(n.inputs[1], n.inputs[0])

    graph, rewrites = rewritten(Graph([x + y]), [there])
    assert graph.outputs[0].op is gc.add
    assert rewrites


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (lambda z: gc.where(gc.isnan(z * 0.0), 1.0, 2.0), 1.0),
        (lambda z: gc.where(gc.isnan(z - z), 1.0, 2.0), 1.0),
        (lambda z: gc.where(gc.equal(z / z, 1.0), 2.0, 1.0), 1.0),
        (lambda z: gc.where(gc.isnan(gc.vdot(v, v / z) * z), 1.0, 2.0), 1.0),
    ],
)
def test_what_a_test_looks_at_keeps_its_nan(test, expected):
    """`isnan(x - x)` asks whether x is infinite; 0 for x - x would answer another question."""
    z = gc.input("z", ())
    given = {"v": np.ones(3), "z": np.inf}
    f = gc.compile(test(z), simplify=True)
    assert expected == f(*[given[x.name] for x in f.graph.parameters])


@pytest.mark.parametrize("scale", [0.0, -0.0, 5e-324, -1e-300, 1.0, 1e150, -1e300, np.inf, np.nan])
def test_a_scale_that_returns_may_be_any_number(scale):
    """What was finite stays so, and is no worse: dividing by s first loses digits or underflows."""
    x, y = gc.input("x", ("n",)), gc.input("y", ("n",))
    told = gc.vdot(x, y / s) * s
    values = {"x": [2.0, -3.0, 1e-5], "y": [1e-200, 1.0, 1e5], "s": scale}
    f = gc.compile(told)
    assert "scale_that_returns" in {r.name for step in f.log.steps for r in step.rewrites}
    was, now = gc.evaluate(told, values), f(**values)
    assert now == pytest.approx(-2.0, rel=1e-15)
    assert not np.isfinite(was) or was == pytest.approx(now, rel=1e-15) or abs(scale) > 1e200


def test_the_sign_of_a_zero_that_divides_is_kept():
    """1 / -(x - y) is -inf where x is y; -(x - y) is -0 there and y - x is 0."""
    q = gc.input("q", ())
    f = gc.compile(gc.maximum(1 / -(q - 1.0), 0.0), simplify=True)
    assert 0.0 == f(1.0)


def test_the_sign_of_a_zero_is_seen_through_one_product_and_not_through_a_sum_of_them():
    """BLAS adds two products or more to 0, which is never -0; one is itself the result."""
    for size, is_kept in (("n", True), (1, True), (2, False)):
        a, b, column = (gc.input(name, (size,)) for name in "abc")
        _, names = fired(1 / (-(a - b) @ column), True)
        assert ("negative_of_difference" in names) is not is_kept


def test_a_difference_that_divides_is_not_turned():
    """-(s / (x - y)) is -inf where x is y, and s / (y - x) is inf there."""
    told = gc.tanh(-(s / (x - y)))
    f = gc.compile(told, simplify=True)
    assert [-1.0] == list(f(x=[2.0], y=[2.0], s=3.0))
