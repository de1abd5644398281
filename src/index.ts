/**
 * Engram's public surface: the tensor language, differentiation, lowering to StableHLO, and the places where a program runs.
 * Importing it also gives tensors their methods (`x.mul(2).add(y)`).
 */
import './lib/tensor-methods.ts'

// Types, values and errors
export { type DType, dtypeNames, dtypes } from './ir/dtypes.ts'
export { DifferentiationError, EngramError, InputError, OpError, TraceError } from './ir/errors.ts'
export { HostArray, type HostData, type NestedNumbers } from './ir/host-array.ts'
export { Module, Tensor } from './ir/module.ts'
export { type TensorType, shortType } from './ir/types.ts'
export { bf16, bool, c128, c64, f16, f32, f64, i16, i32, i64, i8, typeOf, u16, u32, u64, u8, type TypeConstructor } from './lib/type-constructors.ts'

// Programs and where they run
export { type LowerOptions, lower, lowerWith } from './program/lower.ts'
export { Program } from './program/program.ts'
export { type ImportOptions, type ImportedFunction, importStableHLO } from './program/import-stablehlo.ts'
export type { SpecOf } from './program/trace-function.ts'
export { type HostOf, evaluate, interpretProgram } from './program/evaluate.ts'
export { type BuffersOf, Executable, type InputOf, Session } from './program/session.ts'
export { type BackendName, startInterpreter, startRunner, startSession } from './program/start.ts'
export { type CompileForOptions, type CompileTarget, type CompiledFor, compileFor, traceTarget } from './program/compile-for.ts'
export { TpuCompiler, type TpuCompileOptions, type TpuCompilerOptions } from './runner/tpu-compiler.ts'
export { type Topology, TopologyError, type TpuGeneration, parseTopology, tpuGenerations } from './runner/topology.ts'
export type { OpEstimate, TimeEstimate } from './xla/estimate.ts'
export type { Backend, CompileOptions, CompileStatistics, DeviceBuffer } from './ir/backend.ts'
export {
  CancelledError, CompileError, ExecutionError, RunnerArgumentError, RunnerClosedError, RunnerDiedError, RunnerError, RunnerFileError,
  RunnerProtocolError, RunnerStartError, RunnerVersionError, TpuCompilerDiedError,
} from './runner/errors.ts'
export { EvaluationError, type InterpretOptions, interpret } from './interpret/interpreter.ts'
export { scope } from './trace/frame.ts'
export { type Target, currentTarget, targets, withTarget } from './trace/target.ts'

// StableHLO text
export { type PrintOptions, printModule, printOperation } from './text/print.ts'
export { type ParseOptions, parseModule } from './text/parse.ts'
export { ParseError } from './text/parse-error.ts'
export { type DiffOptions, type ModuleDifference, diffModules, differencesText, sameModule } from './text/compare.ts'
export { type VerifyOptions, checkModule, verifyModule } from './verify/verify.ts'
export { VerifyError } from './verify/verify-error.ts'

// Differentiation
export { type GradOptions, type Gradient, grad, valueAndGrad, valueAndGradWithAux, vjp } from './autodiff/grad.ts'
export { checkpoint, customVjp, stopGradient } from './autodiff/custom.ts'

// Ops by their StableHLO names; some also by the name NumPy has for them
export { add, divide, divide as div, multiply, multiply as mul, negate, negate as neg, subtract, subtract as sub } from './ops/arithmetic.ts'
export { and, countLeadingZeros, not, or, popcnt, shiftLeft, shiftRightArithmetic, shiftRightLogical, xor } from './ops/bitwise.ts'
export { type TensorLike, broadcastInDim, broadcastTo } from './ops/broadcast.ts'
export { composite, outlined } from './ops/call.ts'
export { compare, equal, greater, greaterEqual, less, lessEqual, notEqual } from './ops/compare.ts'
export { concatenate, stack } from './ops/concatenate.ts'
export { constant, fill, ones, zeros } from './ops/constant.ts'
export { cond, switchCase } from './ops/control-flow.ts'
export { bitcastConvert, convert, reducePrecision } from './ops/convert.ts'
export { complex, imag, real } from './ops/complex.ts'
export { convolution } from './ops/convolution.ts'
export { fft } from './ops/fft.ts'
export { cholesky, triangularSolve } from './ops/linear-algebra.ts'
export { rngBitGenerator } from './ops/random-bits.ts'
export { type CustomCallMeaning, type CustomCallOptions, customCall, defineCustomCall } from './ops/custom-call.ts'
export { type DotGeneralOptions, type DotOptions, dotGeneral, matmul } from './ops/dot-general.ts'
export { dynamicSlice, dynamicUpdateSlice } from './ops/dynamic-slice.ts'
export { atan2, maximum, minimum, power, power as pow, remainder } from './ops/elementwise-binary.ts'
export {
  abs, cbrt, ceil, cosine, cosine as cos, exponential, exponential as exp, exponentialMinusOne, exponentialMinusOne as expm1, floor, isFinite, log,
  logPlusOne, logPlusOne as log1p, logistic, relu, roundNearestAfz, roundNearestEven, rsqrt, sign, sine, sine as sin, sqrt, tan, tanh,
} from './ops/elementwise-unary.ts'
export { type GatherOptions, type ScatterOptions, gather, scatter, scatterAdd, scatterAssign } from './ops/gather-scatter.ts'
export { iota } from './ops/iota.ts'
export { type ManualOptions, manualComputation } from './ops/manual-computation.ts'
export { Mesh, mesh } from './ops/mesh.ts'
export { optimizationBarrier } from './ops/optimization-barrier.ts'
export { type ReduceOptions, reduce, reduceAnd, reduceMax, reduceMin, reduceOr, reduceProd, reduceSum, reduceSum as sum } from './ops/reduce.ts'
export { reduceWindow, reduceWindowMax, reduceWindowMin, reduceWindowSum } from './ops/reduce-window.ts'
export { expandDims, reshape, squeeze } from './ops/reshape.ts'
export { reverse } from './ops/reverse.ts'
export { clamp, select, where } from './ops/select.ts'
export { type Placement, currentMesh, shard, withMesh } from './ops/sharding.ts'
export { pad, slice, sliceAxis } from './ops/slice-pad.ts'
export { argSort, sort, sortAscending, sortDescending, sortWithIndices } from './ops/sort.ts'
export { takeAlongAxis, takeRows } from './ops/take.ts'
export { transpose } from './ops/transpose.ts'
export { whileLoop } from './ops/while-loop.ts'

// Derived functions
export { type GeluOptions, gelu, sigmoid, silu, softplus } from './lib/activations.ts'
export { argMax, argMin } from './lib/arg-extreme.ts'
export { type CumulativeOptions, cummax, cumprod, cumsum } from './lib/cumulative.ts'
export { einsum } from './lib/einsum.ts'
export { erf, erfInv } from './lib/erf.ts'
export { type ScanOptions, foriLoop, map, scan } from './lib/loops.ts'
export { mean, standardDeviation, variance } from './lib/mean.ts'
export { globalNorm, l2Normalize, norm, rmsNormalize } from './lib/norm.ts'
export { type OneHotOptions, oneHot } from './lib/one-hot.ts'
export {
  type UniformOptions, bernoulli, dropout, foldIn, normal, randomBits, randomKey, splitKey, uniform,
} from './lib/random.ts'
export { type ArangeOptions, arange, causalMask, lowerTriangle, upperTriangle } from './lib/ranges.ts'
export { type SliceRange, flip, moveAxis, repeat, repeatNewAxis, roll, sliceRanges, split, swapAxes, tile } from './lib/rearrange.ts'
export { logSoftmax, logSumExp, maskedSoftmax, softmax } from './lib/softmax.ts'
export type { Axes, TensorMethods } from './lib/tensor-methods.ts'

// Nearest neighbours
export { type ApproxTopKLowering, type ApproxTopKOptions, approxBottomK, approxTopK, approxTopKLowerings, survivorCount } from './knn/approx-top-k.ts'
export { type BinnedSearch, type XlaBinsOptions, binsForRecall, expectedRecall, expectedRecallOfBest, xlaBins } from './knn/recall.ts'
export { mixRows } from './knn/mix-rows.ts'
export { type NearestOptions, type RowOrder, nearest, rowOrders } from './knn/nearest.ts'
export { type ShardedOptions, shardedNearest } from './knn/sharded.ts'
export { type SearchLowering, type SearchPlan, type SearchSize, chooseLowering, searchLowerings } from './knn/plan.ts'
export { type Distance, distances } from './knn/score.ts'
export { type Neighbours, topK } from './knn/top-k.ts'
export { type Retrieval, type RetrievalPlan, type RetrievalSize, chooseRetrieval, retrievals } from './nn/retrieval-plan.ts'
export { type AuxiliaryLoss, auxiliaryLosses } from './nn/compression-loss.ts'
export { type Compression, compressions } from './nn/compression.ts'
export { type RetrievedAttention, type RetrievedAttentionOptions, retrievedAttention } from './nn/retrieved-attention.ts'

// Models
export { type ConfiguredModel, configure, findModel, modelNames, preset } from './models/registry.ts'
export { ConfigurationError } from './models/configuration.ts'
export type { AuxiliaryOutput, LanguageModel, ModelConfig, ModelInput, ModelOutput, RetrievedPlaces } from './models/model.ts'
