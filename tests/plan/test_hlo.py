"""Counting what stands in compiled text: loops multiply, open loops are marked, nothing is counted twice."""

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from perc_jax.config import MeshConfig
from perc_jax.mesh import sharding
from perc_jax.plan import hlo

TEXT = """HloModule jit_step, is_scheduled=true

%add (x: f32[], y: f32[]) -> f32[] {
  %x = f32[] parameter(0)
  ROOT %sum = f32[] add(%x, %x)
}

%all-reduce-scatter.1 (input: bf16[16,8]) -> bf16[2,8] {
  %input = bf16[16,8]{1,0} parameter(0)
  %all-reduce.9 = bf16[16,8]{1,0} all-reduce(%input), channel_id=3, to_apply=%add
  ROOT %slice = bf16[2,8]{1,0} dynamic-slice(%all-reduce.9), dynamic_slice_sizes={2,8}
}

%inner_body (p: (s32[], f32[4,8])) -> (s32[], f32[4,8]) {
  %p = (s32[], f32[4,8]{1,0}) parameter(0)
  %gather = f32[32,8]{1,0:T(8,128)} all-gather(%p), channel_id=1, dimensions={0}
  %fused = bf16[2,8]{1,0} fusion(%gather), kind=kCustom, calls=%all-reduce-scatter.1
  ROOT %out = (s32[], f32[4,8]{1,0}) tuple(%p)
}

%inner_condition (p: (s32[], f32[4,8])) -> pred[] {
  %limit = s32[]{:T(128)} constant(36)
  %counter = s32[] get-tuple-element(%p), index=0
  ROOT %lt = pred[] compare(%counter, %limit), direction=LT
}

%outer_body (q: (s32[], f32[4,8])) -> (s32[], f32[4,8]) {
  %q = (s32[], f32[4,8]{1,0}) parameter(0)
  %copy.1 = f32[1024,8]{1,0} copy(%q)
  %small = f32[4,8]{1,0} copy(%q)
  ROOT %loop = (s32[], f32[4,8]{1,0}) while(%q), condition=%inner_condition, body=%inner_body
}

%outer_condition (q: (s32[], f32[4,8])) -> pred[] {
  %end = s32[] constant(128)
  %column = s32[] get-tuple-element(%q), index=0
  %less = pred[] compare(%column, %end), direction=LT
  %done = pred[] get-tuple-element(%q), index=1
  ROOT %and = pred[] and(%less, %done)
}

ENTRY %main (a: f32[4,8]) -> f32[4,8] {
  %a = f32[4,8]{1,0} parameter(0)
  %start = (f32[4,8], f32[32,8]) all-gather-start(%a), channel_id=2, dimensions={0}
  %finish = f32[32,8]{1,0} all-gather-done(%start)
  %moved = (f32[4,8]{1,0}, f32[4,8]{1,0}, u32[]{:S(2)}, u32[]{:S(2)}) collective-permute-start(%a), channel_id=5
  %total = (f32[8], f32[2]) all-reduce(%a, %a), channel_id=4, to_apply=%add
  ROOT %decode = (s32[], f32[4,8]{1,0}) while(%a), condition=%outer_condition, body=%outer_body
}
"""


def test_loops_multiply_and_open_loops_are_marked():
    found = {(one.kind, one.in_decode_loop): (one.runs, one.total_bytes) for one in hlo.collectives(TEXT)}
    assert found == {
        ("all-gather", False): (1, 32 * 8 * 4),  # the asynchronous one, by what it delivers
        ("all-reduce", False): (1, 10 * 4),
        ("collective-permute", False): (1, 4 * 8 * 4),
        ("all-gather", True): (36, 36 * 32 * 8 * 4),
        ("reduce-scatter", True): (36, 36 * 16 * 8 * 2),
    }


def test_what_is_sent_between_slices_counts_by_its_data():
    """As libtpu 0.0.42 writes an all-reduce over two slices, in a loop of 36 rounds."""
    sent = "%send.1 = (f32[4,8,128]{2,1,0:T(8,128)}, u32[], token[]) send(%p, %p), channel_id=7, is_host_transfer=true"
    done = "%send.2 = token[] send-done(%send.1), channel_id=7, is_host_transfer=true"
    received = "%recv.1 = (f32[4,8,128]{2,1,0:T(8,128)}, u32[], token[]) recv(%p), channel_id=8, is_host_transfer=true"
    text = TEXT.replace("  %gather =", f"  {sent}\n  {done}\n  {received}\n  %gather =")
    before, after = hlo.collectives(TEXT), hlo.collectives(text)
    assert [one for one in after if one not in before] == [(hlo.BETWEEN_SLICES, True, 36, 36 * 4 * 8 * 128 * 4)]


def test_only_copies_of_the_cache_that_are_written_are_reported():
    def sizes(text, **options):
        return [
            copy.output_bytes for copy in hlo.loop_copies(text, **{"least_bytes": 1000, "dims": (8, 1024)} | options)
        ]

    assert sizes(TEXT) == [1024 * 8 * 4]
    assert sizes(TEXT, least_bytes=1024 * 8 * 4 + 1) == [] and sizes(TEXT, dims=(8, 512)) == []
    assert sizes(TEXT.replace("f32[1024,8]{1,0} copy", "f32[1024,8]{1,0:T(8,128)S(1)} copy")) == []
    assert sizes(TEXT.replace("f32[1024,8]{1,0} copy(", "f32[1024,8]{1,0} dynamic-update-slice(")) == []
    moved = TEXT.replace("  %copy.1 = f32[1024,8]{1,0} copy(%q)\n", "").replace(
        "  %input = bf16", "  %copy.1 = f32[1024,8]{1,0} copy(%q)\n  %input = bf16"
    )
    assert sizes(moved) == []  # inside a fusion
    outside = TEXT.replace("condition=%outer_condition", "condition=%inner_condition")
    assert sizes(outside) == []
    assert not any(one.in_decode_loop for one in hlo.collectives(outside))
    assert sum(one.runs for one in hlo.collectives(outside) if one.kind == "reduce-scatter") == 36 * 36


@pytest.mark.parametrize("layers", [3, 5])
def test_a_real_program_gathers_each_layer_once(layers):
    mesh = sharding.make_mesh(MeshConfig())
    split, whole = (NamedSharding(mesh, PartitionSpec(*spec)) for spec in ((None, "fsdp"), ()))

    def through(x, weights):
        def layer(x, weight):
            return jnp.tanh(x @ jax.lax.with_sharding_constraint(weight, whole)), None

        return jax.lax.scan(layer, x, weights)[0]

    shapes = (
        jax.ShapeDtypeStruct((16, 64), jnp.float32, sharding=whole),
        jax.ShapeDtypeStruct((layers, 64, 64), jnp.float32, sharding=split),
    )
    text = jax.jit(through, out_shardings=whole).lower(*shapes).compile().as_text()
    (found,) = hlo.collectives(text)
    assert found == ("all-gather", False, layers, layers * 64 * 64 * 4.0)
