import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { DType } from '../../src/ir/dtypes.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { elementCount, tensorType } from '../../src/ir/types.ts'
import { add, multiply, subtract } from '../../src/ops/arithmetic.ts'
import { convert } from '../../src/ops/convert.ts'
import { maximum, minimum } from '../../src/ops/elementwise-binary.ts'
import { type GatherOptions, type ScatterOptions, gather, scatter, scatterAdd, scatterAssign } from '../../src/ops/gather-scatter.ts'
import { takeAlongAxis, takeRows } from '../../src/ops/take.ts'
import { counting } from '../support/arrays.ts'
import { randomCase, referenceGather, referenceScatter, scatterNumbers } from '../support/gather-reference.ts'
import { seededRandom } from '../support/op-samples/sample.ts'
import { runOp, runOps, traceError } from '../support/run-ops.ts'

const f32 = (...shape: number[]) => tensorType('f32', shape)
const i32 = (...shape: number[]) => tensorType('i32', shape)
const seeds = fc.integer({ min: 0, max: 2 ** 31 })
const rows = { update_window_dims: [1], inserted_window_dims: [0], scatter_dims_to_operand_dims: [0], index_vector_dim: 1 }

describe('gather', () => {
  test('agrees with the specification, in every form', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const item = randomCase(seededRandom(seed))
        const operand = counting(item.shape, 'f64')
        const indices = HostArray.of('i32', item.indicesShape, item.indices)
        const result = runOp((x, i) => gather(x, i, { dimension_numbers: item.numbers, slice_sizes: item.sliceSizes }), operand, indices)
        expect(result.shape).toEqual(item.resultShape)
        expect(Array.from(result.data as Float64Array)).toEqual(referenceGather(operand, indices, item))
      }),
      { numRuns: 500 },
    )
  })
  test('every element type, and 64-bit indices', () => {
    const indices = HostArray.from('i64', [2n, -9n, 2n ** 40n])
    expect(runOp(takeRows, HostArray.from('i64', [1n, 2n, 3n]), indices).toNested()).toEqual([3n, 1n, 3n])
    expect(runOp(takeRows, HostArray.from('bool', [true, false, false]), indices).toNested()).toEqual([false, true, false])
    expect(runOp(takeRows, HostArray.from('bf16', [1, 2, 3]), indices).toNested()).toEqual([3, 1, 3])
    const complex = new HostArray(tensorType('c128', [2, 2]), Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8))
    expect(runOp(takeRows, complex, HostArray.from('u8', [1])).toNested()).toEqual([[[5, 6], [7, 8]]])
    expect(runOp((x, i) => takeAlongAxis(x, i, 1), complex, HostArray.from('u8', [[1], [0]])).toNested()).toEqual([[[3, 4]], [[5, 6]]])
  })
  test('takeRows looks rows up by indices of any shape', () => {
    const table = counting([3, 2])
    expect(runOp(takeRows, table, HostArray.from('i32', [[0, 2], [7, -1]])).toNested()).toEqual([[[1, 2], [5, 6]], [[5, 6], [1, 2]]])
    expect(runOp(takeRows, table, HostArray.of('i32', [], [1])).toNested()).toEqual([3, 4])
    expect(runOp(takeRows, counting([3]), HostArray.from('i32', [2])).toNested()).toEqual([3])
    expect(runOp(takeRows, table, HostArray.zeros('i32', [0])).shape).toEqual([0, 2])
  })
  test('takeAlongAxis picks by each row of indices', () => {
    expect(runOp((x, i) => takeAlongAxis(x, i, -1), counting([2, 3]), HostArray.from('i32', [[2, 0], [1, 1]])).toNested()).toEqual([[3, 1], [5, 5]])
    expect(runOp((x, i) => takeAlongAxis(x, i, 0), counting([2, 3]), HostArray.from('i32', [[1, 0, 1]])).toNested()).toEqual([[4, 2, 6]])
    expect(runOp((x, i) => takeAlongAxis(x, i, 1), counting([0, 3]), HostArray.zeros('i32', [0, 2])).shape).toEqual([0, 2])
  })
})

describe('scatter', () => {
  const bodies: Record<string, { update: (old: Tensor, fresh: Tensor) => Tensor; scalar: (old: number, fresh: number) => number }> = {
    add: { update: add, scalar: (old, fresh) => old + fresh },
    'add, the other way round': { update: (old, fresh) => add(fresh, old), scalar: (old, fresh) => old + fresh },
    assign: { update: (_, fresh) => fresh, scalar: (_, fresh) => fresh },
    multiply: { update: multiply, scalar: (old, fresh) => old * fresh },
    maximum: { update: maximum, scalar: Math.max },
    minimum: { update: minimum, scalar: Math.min },
    'any other': { update: (old, fresh) => subtract(multiply(old, 2), fresh), scalar: (old, fresh) => 2 * old - fresh },
  }
  test.each(Object.entries(bodies))('%s: agrees with the specification, in every form', (_, { update, scalar }) => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const item = randomCase(seededRandom(seed))
        const input = counting(item.shape, 'f64')
        const indices = HostArray.of('i32', item.indicesShape, item.indices)
        const updates = HostArray.of('f64', item.resultShape, Array.from({ length: elementCount(item.resultShape) }, (_unused, i) => 0.5 + i))
        const options: ScatterOptions = { scatter_dimension_numbers: scatterNumbers(item.numbers) }
        const result = runOp((x, i, u) => scatter([x], i, [u], options, ([old], [fresh]) => [update(old, fresh)])[0], input, indices, updates)
        expect(result.shape).toEqual(item.shape)
        expect(Array.from(result.data as Float64Array)).toEqual(referenceScatter(input, indices, updates, item, scalar))
      }),
      { numRuns: 200 },
    )
  })

  const scatterTo = (dtype: DType, values: (number | bigint | boolean)[], fresh: (number | bigint | boolean)[], update: (old: Tensor, fresh: Tensor) => Tensor) =>
    runOp(
      (x, i, u) => scatter([x], i, [u], { scatter_dimension_numbers: { ...rows, update_window_dims: [] } }, ([old], [next]) => [update(old, next)])[0],
      HostArray.of(dtype, [values.length], values),
      HostArray.of('i32', [fresh.length, 1], fresh.map(() => 0)),
      HostArray.of(dtype, [fresh.length], fresh),
    ).at(0)
  test('integers wrap around, narrow floats are rounded at every step, bool adds as or', () => {
    expect(scatterTo('i8', [127], [1], add)).toBe(-128)
    expect(scatterTo('u4', [15], [1], add)).toBe(0)
    expect(scatterTo('i64', [2n ** 63n - 1n], [1n], add)).toBe(-(2n ** 63n))
    expect(scatterTo('u64', [3n], [5n], maximum)).toBe(5n)
    expect(scatterTo('bf16', [256], [1, 1, 1], add)).toBe(256)
    expect(scatterTo('bool', [false], [true], add)).toBe(true)
    expect(scatterTo('f32', [1], [NaN], maximum)).toBe(NaN)
    expect(scatterTo('i32', [7], [3], subtract)).toBe(4)
  })
  test('complex numbers', () => {
    const complex = (...parts: number[]) => new HostArray(tensorType('c64', [parts.length / 2]), Float32Array.from(parts))
    const options = { scatter_dimension_numbers: { inserted_window_dims: [0], scatter_dims_to_operand_dims: [0], index_vector_dim: 1 } }
    const at = HostArray.from('i32', [1, 1])
    expect(runOp((x, i, u) => scatterAdd(x, i, u, options), complex(1, 2, 3, 4), at, complex(10, 20, 100, 200)).toNested()).toEqual([[1, 2], [113, 224]])
    expect(runOp((x, i, u) => scatterAssign(x, i, u, options), complex(1, 2, 3, 4), at, complex(10, 20, 100, 200)).toNested()).toEqual([[1, 2], [100, 200]])
  })
  test('several inputs at once', () => {
    const results = runOps(
      (x, y, i, u, v) => scatter([x, y], i, [u, v], { scatter_dimension_numbers: rows }, (old, fresh) => [add(old[0], convert(fresh[1], 'f32')), maximum(old[1], fresh[1])]),
      counting([2, 2]),
      counting([2, 2], 'i32'),
      HostArray.from('i32', [[1]]),
      HostArray.from('f32', [[0, 0]]),
      HostArray.from('i32', [[9, 2]]),
    )
    expect(results.map((result) => result.toNested())).toEqual([[[1, 2], [12, 6]], [[1, 2], [9, 4]]])
  })
  test('does not change its input', () => {
    const x = counting([2, 2])
    runOp((t, i, u) => scatterAdd(t, i, u, { scatter_dimension_numbers: rows }), x, HostArray.from('i32', [[1]]), counting([1, 2]))
    expect(x.toNested()).toEqual([[1, 2], [3, 4]])
  })
})

describe('errors', () => {
  // Operand f32[4,5,6], index vectors of 2 components for axes 1 and 2, windows along axis 0.
  const good = { offset_dims: [1], collapsed_slice_dims: [1, 2], start_index_map: [1, 2], index_vector_dim: 1 }
  const gatherError = (numbers: Partial<GatherOptions['dimension_numbers']>, slice_sizes = [4, 1, 1], shape = [4, 5, 6], indices = i32(7, 2)) =>
    traceError((x, i) => gather(x, i, { dimension_numbers: { ...good, ...numbers }, slice_sizes }), f32(...shape), indices)
  const batched = { offset_dims: [1], collapsed_slice_dims: [2], operand_batching_dims: [1], start_indices_batching_dims: [0], start_index_map: [2] }

  test('gather', () => {
    expect(gatherError({ offset_dims: [] })).toMatchInlineSnapshot(`"gather: offset_dims size (0) plus collapse_slice_dims size (2) plus operand_batching_dims size (0) is not equal to operand rank (3) [gather_c1]"`)
    expect(gatherError({ index_vector_dim: 3 })).toMatchInlineSnapshot(`"gather: Expects index_vector_dim to be in range [0, rank-of('start_indices')] i.e. [0, 2]. got: 3. [gather_c2]"`)
    expect(gatherError({ start_index_map: [1] })).toMatchInlineSnapshot(`"gather: start_index_map size (1) is not equal to size of index dimension (1) of start_indices (2) [gather_c3]"`)
    expect(gatherError({ offset_dims: [1, 0], collapsed_slice_dims: [1] })).toMatchInlineSnapshot(`"gather: expects offset_dims to be sorted, got: [1, 0] [gather_c4]"`)
    expect(gatherError({ offset_dims: [1, 1], collapsed_slice_dims: [1] })).toMatchInlineSnapshot(`"gather: expects offset_dims to not repeat, got: [1, 1] [gather_c4]"`)
    expect(gatherError({ offset_dims: [2] })).toMatchInlineSnapshot(`"gather: Expects each element of offset_dims to be in range [0, implied-result-rank) i.e. [0, 2). got: 2. [gather_c5]"`)
    expect(gatherError({ collapsed_slice_dims: [1, 1] })).toMatchInlineSnapshot(`"gather: has duplicated dimension from collapsed_slice_dims and operand_batching_dims: 1 [gather_c6]"`)
    expect(gatherError({ collapsed_slice_dims: [2, 1] })).toMatchInlineSnapshot(`"gather: expects collapsed_slice_dims to be sorted, got: [2, 1] [gather_c7]"`)
    expect(gatherError({ collapsed_slice_dims: [1, 3] })).toMatchInlineSnapshot(`"gather: Expects each element of collapsed_slice_dims to be in range [0, rank-of('operand')) i.e. [0, 3). got: 3. [gather_c8]"`)
    expect(gatherError({}, [4, 1, 2])).toMatchInlineSnapshot(`"gather: Expects that for each dim in collapsed_slice_dims, slice_sizes[dim] should be <= 1, but got 2 [gather_c9]"`)
    expect(gatherError({ ...batched, operand_batching_dims: [1, 0], offset_dims: [] })).toMatchInlineSnapshot(`"gather: expects operand_batching_dims to be sorted, got: [1, 0] [gather_c10]"`)
    expect(gatherError({ ...batched, operand_batching_dims: [-1] })).toMatchInlineSnapshot(`"gather: Expects each element of operand_batching_dims to be in range [0, rank-of('operand')) i.e. [0, 3). got: -1. [gather_c11]"`)
    expect(gatherError({ ...batched }, [4, 2, 1])).toMatchInlineSnapshot(`"gather: Expects that for each dim in operand_batching_dims, slice_sizes[dim] should be <= 1, but got 2 [gather_c12]"`)
    expect(gatherError({ ...batched, start_indices_batching_dims: [0, 0] })).toMatchInlineSnapshot(`"gather: expects start_indices_batching_dims to not repeat, got: [0, 0] [gather_c13]"`)
    expect(gatherError({ ...batched, start_indices_batching_dims: [2] })).toMatchInlineSnapshot(`"gather: Expects each element of start_indices_batching_dims to be in range [0, rank-of('start_indices')) i.e. [0, 2). got: 2. [gather_c14]"`)
    expect(gatherError({ ...batched, start_indices_batching_dims: [1] })).toMatchInlineSnapshot(`"gather: expects start_indices_batching_dims not to include index_vector_dim 1. [gather_c15]"`)
    expect(gatherError({ ...batched, start_indices_batching_dims: [] })).toMatchInlineSnapshot(`"gather: operand_batching_dims and start_indices_batching_dims should have the same size. They are [1] and [] [gather_c16]"`)
    expect(gatherError(batched, [4, 1, 1], [4, 5, 6], i32(7, 1))).toMatchInlineSnapshot(`"gather: operand_batching_dims[0] and start_indices_batching_dims[0] must have compatible sizes, but got 5 and 7 [gather_c17]"`)
    expect(gatherError({ start_index_map: [1, 1] })).toMatchInlineSnapshot(`"gather: has duplicated dimension from start_index_map and operand_batching_dims: 1 [gather_c18]"`)
    expect(gatherError({ start_index_map: [1, 3] })).toMatchInlineSnapshot(`"gather: Expects each element of start_index_map to be in range [0, rank-of('operand')) i.e. [0, 3). got: 3. [gather_c19]"`)
    expect(gatherError({}, [4, 1])).toMatchInlineSnapshot(`"gather: slice_sizes size (2) not equal to operand rank (3) [gather_c20]"`)
    expect(gatherError({}, [5, 1, 1])).toMatchInlineSnapshot(`"gather: slice size (5) is out of bounds for operand dimension (4) at index 0 [gather_c21]"`)
    expect(gatherError({}, [4, 1, 1], [4, 5, 6], f32(7, 2))).toMatchInlineSnapshot(`"gather: start_indices f32[7,2] must be integers [gather_i2]"`)
    expect(traceError((x, i) => takeAlongAxis(x, i, 0), f32(2, 3), i32(2))).toMatchInlineSnapshot(`"gather: takeAlongAxis: x f32[2,3] and indices i32[2] differ in rank"`)
    expect(traceError((x, i) => takeAlongAxis(x, i, 0), f32(2, 3), i32(2, 4))).toMatchInlineSnapshot(`"gather: operand_batching_dims[0] and start_indices_batching_dims[0] must have compatible sizes, but got 3 and 4 [gather_c17]"`)
    expect(traceError((x, i) => takeRows(x, i), f32(), i32(2, 4))).toMatchInlineSnapshot(`"gather: takeRows needs a table with rows, got f32[]"`)
  })

  const goodScatter = { update_window_dims: [1], inserted_window_dims: [1, 2], scatter_dims_to_operand_dims: [1, 2], index_vector_dim: 1 }
  const scatterError = (numbers: Partial<ScatterOptions['scatter_dimension_numbers']>, types = [f32(4, 5, 6), i32(7, 2), f32(7, 4)]) =>
    traceError((x, i, u) => scatterAdd(x, i, u, { scatter_dimension_numbers: { ...goodScatter, ...numbers } }), ...types)
  const batchedScatter = { inserted_window_dims: [2], input_batching_dims: [1], scatter_indices_batching_dims: [0], scatter_dims_to_operand_dims: [2] }

  test('scatter', () => {
    expect(scatterError({ inserted_window_dims: [1] })).toMatchInlineSnapshot(`"scatter: Expects rank-of operand to match size-of('update_window_dims') + size-of('inserted_window_dims') + size-of('input_batching_dims') i.e. 2 but got 3. [scatter_c2]"`)
    expect(scatterError({}, [f32(4, 5, 6), i32(7, 2), f32(7, 4, 1)])).toMatchInlineSnapshot(`"scatter: expects updates tensor must be of rank 2 ( == rank-of('scatter_indices') - 1 + size-of('update_window_dims'), where 'scatter_indices' is expanded by a trailing 1 dimension if 'index_vector_dim' == rank-of('scatter_indices')), but got 3. [scatter_c4]"`)
    expect(scatterError({}, [f32(4, 5, 6), i32(7, 2), f32(7, 5)])).toMatchInlineSnapshot(`"scatter: expects bounds of the window dimensions of updates to not exceed the bounds of the corresponding dimensions of operand. For dimension 1, updates bound is 5, operand bound is 4. [scatter_c4]"`)
    expect(scatterError({}, [f32(4, 5, 6), i32(7, 2), f32(8, 4)])).toMatchInlineSnapshot(`"scatter: expects bounds of the scatter dimensions of updates to be same as the bounds of the corresponding dimensions of scatter indices. For scatter dimension 0, updates bound is 8 , scatter_indices bound is 7. [scatter_c4]"`)
    expect(traceError((x, i, u) => scatter([x], i, [u], { scatter_dimension_numbers: goodScatter }, (old) => old), f32(4, 5, 6), i32(7, 2), i32(7, 4))).toMatchInlineSnapshot(`"scatter: The type of reduction-region's parameter at index 1 is different than the corresponding result type: 'tensor<i32>' vs 'tensor<f32>' [scatter_c23]"`)
    expect(scatterError({ update_window_dims: [1, 0], inserted_window_dims: [1] }, [f32(4, 5, 6), i32(7, 2), f32(1, 1, 7)])).toMatchInlineSnapshot(`"scatter: Expects update_window_dims to be sorted; got: [1, 0]. [scatter_c7]"`)
    expect(scatterError({ update_window_dims: [1, 1], inserted_window_dims: [1], index_vector_dim: 0 }, [f32(4, 5, 6), i32(2), f32(1, 1)])).toMatchInlineSnapshot(`"scatter: Expects update_window_dims to not repeat; got: [1, 1]. [scatter_c7]"`)
    expect(scatterError({ update_window_dims: [2] })).toMatchInlineSnapshot(`"scatter: Expects each element of update_window_dims to be in range [0, rank-of('updates')) i.e. [0, 2). got: 2. [scatter_c8]"`)
    expect(scatterError({ inserted_window_dims: [1, 1] })).toMatchInlineSnapshot(`"scatter: has duplicated dimension from inserted_window_dims and input_batching_dims: 1 [scatter_c9]"`)
    expect(scatterError({ inserted_window_dims: [2, 1] })).toMatchInlineSnapshot(`"scatter: Expects inserted_window_dims to be sorted; got: [2, 1]. [scatter_c10]"`)
    expect(scatterError({ inserted_window_dims: [1, 3] })).toMatchInlineSnapshot(`"scatter: Expects each element of inserted_window_dims to be in range [0, rank-of('operand')) i.e. [0, 3). got: 3. [scatter_c11]"`)
    expect(scatterError({ ...batchedScatter, input_batching_dims: [2, 1], inserted_window_dims: [] })).toMatchInlineSnapshot(`"scatter: Expects input_batching_dims to be sorted; got: [2, 1]. [scatter_c12]"`)
    expect(scatterError({ ...batchedScatter, input_batching_dims: [3] })).toMatchInlineSnapshot(`"scatter: Expects each element of input_batching_dims to be in range [0, rank-of('operand')) i.e. [0, 3). got: 3. [scatter_c13]"`)
    expect(scatterError({ ...batchedScatter, scatter_indices_batching_dims: [0, 0] })).toMatchInlineSnapshot(`"scatter: Expects scatter_indices_batching_dims to not repeat; got: [0, 0]. [scatter_c14]"`)
    expect(scatterError({ ...batchedScatter, scatter_indices_batching_dims: [2] })).toMatchInlineSnapshot(`"scatter: Expects each element of scatter_indices_batching_dims to be in range [0, rank-of('scatter_indices')) i.e. [0, 2). got: 2. [scatter_c15]"`)
    expect(scatterError({ ...batchedScatter, scatter_indices_batching_dims: [1] })).toMatchInlineSnapshot(`"scatter: expects scatter_indices_batching_dims not to include index_vector_dim 1. [scatter_c16]"`)
    expect(scatterError({ ...batchedScatter, scatter_indices_batching_dims: [] })).toMatchInlineSnapshot(`"scatter: input_batching_dims and scatter_indices_batching_dims should have the same size. They are [1] and [] [scatter_c17]"`)
    expect(scatterError({ ...batchedScatter })).toMatchInlineSnapshot(`"scatter: input_batching_dims[0] and scatter_indices_batching_dims[0] must have compatible sizes, but got 5 and 7 [scatter_c18]"`)
    expect(scatterError({ scatter_dims_to_operand_dims: [1] })).toMatchInlineSnapshot(`"scatter: Scatter op has 1 elements in scatter_dims_to_operand_dims and the bound of dimension index_vector_dim=1 of scatter_indices is 2. These two numbers must be equal. [scatter_c19]"`)
    expect(scatterError({ scatter_dims_to_operand_dims: [1, 1] })).toMatchInlineSnapshot(`"scatter: has duplicated dimension from scatter_dims_to_operand_dims and input_batching_dims: 1 [scatter_c20]"`)
    expect(scatterError({ scatter_dims_to_operand_dims: [1, 3] })).toMatchInlineSnapshot(`"scatter: Expects each element of scatter_dims_to_operand_dims to be in range [0, rank-of('operand')) i.e. [0, 3). got: 3. [scatter_c21]"`)
    expect(scatterError({ index_vector_dim: 3 })).toMatchInlineSnapshot(`"scatter: Expects index_vector_dim to be in range [0, rank-of('scatter_indices')] i.e. [0, 2]. got: 3. [scatter_c22]"`)
    expect(scatterError({}, [f32(4, 5, 6), f32(7, 2), f32(7, 4)])).toMatchInlineSnapshot(`"scatter: scatter_indices f32[7,2] must be integers [scatter_i2]"`)
    const options = { scatter_dimension_numbers: goodScatter }
    expect(traceError((x, y, i, u) => scatter([x, y], i, [u, u], options, (old) => old), f32(4, 5, 6), f32(4, 5, 7), i32(7, 2), f32(7, 4))).toMatchInlineSnapshot(`"scatter: Not all inputs have compatible shapes. They are (f32[4,5,6], f32[4,5,7]) [scatter_c1]"`)
    expect(traceError((x, i, u, v) => scatter([x, x], i, [u, v], options, (old) => old), f32(4, 5, 6), i32(7, 2), f32(7, 4), f32(7, 3))).toMatchInlineSnapshot(`"scatter: Not all updates have compatible shapes. They are (f32[7,4], f32[7,3]) [scatter_c3]"`)
    expect(traceError((x, i) => scatter([x], i, [], options, (old) => old), f32(4, 5, 6), i32(7, 2))).toMatchInlineSnapshot(`"scatter: has 2 operands, must have inputs, scatter_indices and as many updates [scatter_c5]"`)
    expect(traceError((x, i, u) => scatter([x], i, [u], options, () => []), f32(4, 5, 6), i32(7, 2), f32(7, 4))).toMatchInlineSnapshot(`"scatter: The reduction-region expected to return some value(s) [scatter_c23]"`)
    expect(traceError((x, i, u) => scatter([x], i, [u], options, ([old]) => [convert(old, 'i32')]), f32(4, 5, 6), i32(7, 2), f32(7, 4))).toMatchInlineSnapshot(`"scatter: The type of reduction-region's parameter at index 0 is different than the corresponding result type: 'tensor<f32>' vs 'tensor<i32>' [scatter_c23]"`)
  })
})
