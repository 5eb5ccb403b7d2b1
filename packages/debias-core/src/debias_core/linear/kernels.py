"""The passes over a tile of logits as Triton kernels: every logit is read once.

A tile `[v, n]` is worked by programs that take a strip of its rows and a block of its tokens each.
`fused` starts them and says what they are given; the formulas are those of `forward` and
`backward`.

Triton is imported here and in `fused`, nowhere else; `choice` says when they are.
"""

import torch
import triton
import triton.language as tl

LOWEST = tl.constexpr(torch.finfo(torch.float32).min)


@triton.jit(do_not_specialize=["first_token", "first_row", "num_lanes"])
def add_tile(
    state,
    tile,
    ref,
    targets,
    first_token,
    num_tokens,
    first_row,
    num_rows,
    width,
    per_lane,
    num_lanes,
    HAS_REFERENCE: tl.constexpr,
    HAS_TARGETS: tl.constexpr,
    ROWS: tl.constexpr,
    TOKENS: tl.constexpr,
):
    column = tl.program_id(0) * TOKENS + tl.arange(0, TOKENS)
    lane = tl.program_id(1)
    inside = column < width
    size = num_lanes.to(tl.int64) * num_tokens  # from one statistic to the next
    here = state + lane.to(tl.int64) * num_tokens + first_token + column
    m = tl.load(here, mask=inside, other=LOWEST)
    s = tl.load(here + size, mask=inside, other=0.0)
    e = tl.load(here + 2 * size, mask=inside, other=0.0)
    if HAS_TARGETS:
        wanted = tl.load(targets + first_token + column, mask=inside, other=-1) - first_row
        chosen = tl.load(here + 3 * size, mask=inside, other=0.0)
    if HAS_REFERENCE:
        ref_m = tl.load(here + 4 * size, mask=inside, other=LOWEST)
        ref_s = tl.load(here + 5 * size, mask=inside, other=0.0)
        ref_e = tl.load(here + 6 * size, mask=inside, other=0.0)
        f = tl.load(here + 7 * size, mask=inside, other=0.0)
    last = tl.minimum((lane + 1) * per_lane, num_rows)
    for start in range(lane * per_lane, last, ROWS):
        row = start + tl.arange(0, ROWS)
        offset = row[:, None].to(tl.int64) * width + column[None, :]
        valid = (row < last)[:, None] & inside[None, :]
        z = tl.load(tile + offset, mask=valid, other=LOWEST)
        if HAS_TARGETS:
            is_wanted = (row[:, None] == wanted[None, :]) & valid
            chosen += tl.sum(tl.where(is_wanted, z, 0.0), 0)
        new = tl.maximum(m, tl.max(z, 0))
        shift = m - new
        ratio = tl.exp(shift)
        x = z - new[None, :]
        p = tl.exp(x)
        if HAS_REFERENCE:
            r = tl.load(ref + offset, mask=valid, other=LOWEST)
            ref_new = tl.maximum(ref_m, tl.max(r, 0))
            ref_shift = ref_m - ref_new
            ref_ratio = tl.exp(ref_shift)
            ref_x = r - ref_new[None, :]
            ref_p = tl.exp(ref_x)
            # x - x' before the product: its error then shrinks with the difference itself.
            f = (f + s * (shift - ref_shift)) * ratio + tl.sum(p * (x - ref_x), 0)
            ref_e = (ref_e + ref_s * ref_shift) * ref_ratio + tl.sum(ref_p * ref_x, 0)
            ref_s = ref_s * ref_ratio + tl.sum(ref_p, 0)
            ref_m = ref_new
        e = (e + s * shift) * ratio + tl.sum(p * x, 0)
        s = s * ratio + tl.sum(p, 0)
        m = new
    tl.store(here, m, mask=inside)
    tl.store(here + size, s, mask=inside)
    tl.store(here + 2 * size, e, mask=inside)
    if HAS_TARGETS:
        tl.store(here + 3 * size, chosen, mask=inside)
    if HAS_REFERENCE:
        tl.store(here + 4 * size, ref_m, mask=inside)
        tl.store(here + 5 * size, ref_s, mask=inside)
        tl.store(here + 6 * size, ref_e, mask=inside)
        tl.store(here + 7 * size, f, mask=inside)


@triton.jit(do_not_specialize=["first_token", "first_row"])
def to_gradient(
    tile,
    ref,
    maximum,
    ref_maximum,
    per_x,
    per_difference,
    constant,
    at_target,
    targets,
    first_token,
    first_row,
    num_rows,
    width,
    per_tanh,
    HAS_REFERENCE: tl.constexpr,
    HAS_TARGETS: tl.constexpr,
    IS_BOUNDED: tl.constexpr,
    ROWS: tl.constexpr,
    TOKENS: tl.constexpr,
):
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(1) * TOKENS + tl.arange(0, TOKENS)
    inside = column < width
    token = first_token + column
    offset = row[:, None].to(tl.int64) * width + column[None, :]
    valid = (row < num_rows)[:, None] & inside[None, :]
    z = tl.load(tile + offset, mask=valid, other=0.0)
    x = z - tl.load(maximum + token, mask=inside, other=0.0)[None, :]
    a = tl.load(per_x + token, mask=inside, other=0.0)[None, :]
    factor = tl.load(constant + token, mask=inside, other=0.0)[None, :] + x * a
    if HAS_REFERENCE:
        r = tl.load(ref + offset, mask=valid, other=0.0)
        ref_x = r - tl.load(ref_maximum + token, mask=inside, other=0.0)[None, :]
        c = tl.load(per_difference + token, mask=inside, other=0.0)[None, :]
        factor += (x - ref_x) * c
    gradient = tl.exp(x) * factor
    if HAS_TARGETS:
        wanted = tl.load(targets + token, mask=inside, other=-1) - first_row
        extra = tl.load(at_target + token, mask=inside, other=0.0)
        gradient += tl.where(row[:, None] == wanted[None, :], extra[None, :], 0.0)
    if IS_BOUNDED:
        tanh = z * per_tanh
        gradient *= 1.0 - tanh * tanh
    tl.store(tile + offset, gradient, mask=valid)
