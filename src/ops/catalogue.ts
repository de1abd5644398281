import type { OpDefinition } from '../ir/op-definition.ts'
import * as arithmetic from './arithmetic.ts'
import { asyncDoneOp, asyncStartOp } from './async.ts'
import { batchNormGradOp, batchNormInferenceOp, batchNormTrainingOp } from './batch-norm.ts'
import * as bitwise from './bitwise.ts'
import { broadcastInDimOp } from './broadcast.ts'
import { callOp, compositeOp } from './call.ts'
import * as check from './check.ts'
import * as collectiveReductions from './collective-reductions.ts'
import * as collectives from './collectives.ts'
import { broadcastOps } from './chlo-broadcast.ts'
import { chloConstantOp, constantLikeOp } from './chlo-constant.ts'
import * as chlo from './chlo-math.ts'
import { raggedDotOp } from './chlo-ragged-dot.ts'
import { scanOp } from './chlo-scan.ts'
import { topKOp } from './chlo-top-k.ts'
import { compareOp } from './compare.ts'
import { complexOp, imagOp, realOp } from './complex.ts'
import { concatenateOp } from './concatenate.ts'
import { arithConstantOp, constantOp } from './constant.ts'
import { caseOp, ifOp } from './control-flow.ts'
import { bitcastConvertOp, convertOp, reducePrecisionOp } from './convert.ts'
import { convolutionOp } from './convolution.ts'
import { customCallOp } from './custom-call.ts'
import { getDimensionSizeOp, setDimensionSizeOp } from './dimension-size.ts'
import { dotGeneralOp, dotOp } from './dot-general.ts'
import { dynamicConvOp } from './dynamic-conv.ts'
import { dynamicBroadcastInDimOp, dynamicIotaOp, dynamicReshapeOp } from './dynamic-shape.ts'
import { dynamicSliceOp, dynamicUpdateSliceOp } from './dynamic-slice.ts'
import { dynamicGatherOp, dynamicPadOp, realDynamicSliceOp } from './dynamic-window.ts'
import * as binary from './elementwise-binary.ts'
import * as unary from './elementwise-unary.ts'
import { fftOp } from './fft.ts'
import { gatherOp, scatterOp } from './gather-scatter.ts'
import { infeedOp, outfeedOp, recvOp, sendOp } from './host-transfer.ts'
import { iotaOp } from './iota.ts'
import * as legacy from './legacy.ts'
import { einsumOp, unaryEinsumOp } from './legacy-einsum.ts'
import { choleskyOp, triangularSolveOp } from './linear-algebra.ts'
import { manualComputationOp, sdyReturnOp } from './manual-computation.ts'
import { mapOp } from './map.ts'
import { optimizationBarrierOp } from './optimization-barrier.ts'
import { rngBitGeneratorOp, rngOp } from './random-bits.ts'
import { reduceOp } from './reduce.ts'
import { reduceWindowOp, selectAndScatterOp } from './reduce-window.ts'
import { reshapeOp } from './reshape.ts'
import { funcReturnOp, returnOp } from './return.ts'
import { reverseOp } from './reverse.ts'
import { clampOp, selectOp } from './select.ts'
import { runParallelOp } from './run-parallel.ts'
import { shardingConstraintOp } from './sharding.ts'
import { sortOp } from './sort.ts'
import { afterAllOp, createTokenOp } from './tokens.ts'
import { getTupleElementOp, tupleOp } from './tuple.ts'
import { padOp, sliceOp } from './slice-pad.ts'
import { transposeOp } from './transpose.ts'
import { uniformDequantizeOp, uniformQuantizeOp } from './uniform-quantize.ts'
import { whileOp } from './while-loop.ts'

const definitions: readonly OpDefinition[] = [
  // element-wise
  arithmetic.addOp,
  arithmetic.subtractOp,
  arithmetic.multiplyOp,
  arithmetic.divideOp,
  arithmetic.negateOp,
  binary.maximumOp,
  binary.minimumOp,
  binary.powerOp,
  binary.remainderOp,
  binary.atan2Op,
  bitwise.andOp,
  bitwise.orOp,
  bitwise.xorOp,
  bitwise.notOp,
  bitwise.shiftLeftOp,
  bitwise.shiftRightArithmeticOp,
  bitwise.shiftRightLogicalOp,
  bitwise.popcntOp,
  bitwise.countLeadingZerosOp,
  unary.absOp,
  unary.signOp,
  unary.ceilOp,
  unary.floorOp,
  unary.roundNearestAfzOp,
  unary.roundNearestEvenOp,
  unary.exponentialOp,
  unary.exponentialMinusOneOp,
  unary.logOp,
  unary.logPlusOneOp,
  unary.logisticOp,
  unary.tanhOp,
  unary.sqrtOp,
  unary.rsqrtOp,
  unary.cbrtOp,
  unary.sineOp,
  unary.cosineOp,
  unary.tanOp,
  unary.isFiniteOp,
  compareOp,
  selectOp,
  clampOp,
  mapOp,
  complexOp,
  realOp,
  imagOp,
  // constants and shape
  constantOp,
  broadcastInDimOp,
  iotaOp,
  reshapeOp,
  transposeOp,
  reverseOp,
  concatenateOp,
  sliceOp,
  padOp,
  dynamicSliceOp,
  dynamicUpdateSliceOp,
  gatherOp,
  scatterOp,
  convertOp,
  bitcastConvertOp,
  reducePrecisionOp,
  // shapes known only when the program runs
  dynamicBroadcastInDimOp,
  dynamicIotaOp,
  dynamicReshapeOp,
  dynamicPadOp,
  realDynamicSliceOp,
  dynamicGatherOp,
  dynamicConvOp,
  // quantized numbers
  uniformQuantizeOp,
  uniformDequantizeOp,
  // reductions
  reduceOp,
  reduceWindowOp,
  selectAndScatterOp,
  dotGeneralOp,
  dotOp,
  convolutionOp,
  fftOp,
  choleskyOp,
  triangularSolveOp,
  batchNormInferenceOp,
  batchNormTrainingOp,
  batchNormGradOp,
  sortOp,
  // sizes, tokens
  getDimensionSizeOp,
  setDimensionSizeOp,
  afterAllOp,
  createTokenOp,
  // ops of older programs
  legacy.broadcastOp,
  legacy.torchIndexSelectOp,
  legacy.crossReplicaSumOp,
  einsumOp,
  unaryEinsumOp,
  // composites that frameworks write
  chlo.acosOp,
  chlo.acoshOp,
  chlo.asinOp,
  chlo.asinhOp,
  chlo.atanOp,
  chlo.atanhOp,
  chlo.sinhOp,
  chlo.coshOp,
  chlo.chloTanOp,
  chlo.squareOp,
  chlo.conjOp,
  chlo.erfOp,
  chlo.erfcOp,
  chlo.erfInvOp,
  chlo.lgammaOp,
  chlo.digammaOp,
  chlo.besselI1eOp,
  chlo.polygammaOp,
  chlo.zetaOp,
  chlo.nextAfterOp,
  chlo.mulhiOp,
  chlo.isInfOp,
  chlo.isPosInfOp,
  chlo.isNegInfOp,
  chloConstantOp,
  constantLikeOp,
  topKOp,
  raggedDotOp,
  scanOp,
  ...broadcastOps,
  // random numbers
  rngBitGeneratorOp,
  rngOp,
  // tuples
  tupleOp,
  getTupleElementOp,
  // many processes
  collectives.replicaIdOp,
  collectives.partitionIdOp,
  collectives.allGatherOp,
  collectives.allToAllOp,
  collectives.collectiveBroadcastOp,
  collectives.collectivePermuteOp,
  collectiveReductions.allReduceOp,
  collectiveReductions.reduceScatterOp,
  collectiveReductions.collectiveReduceOp,
  infeedOp,
  outfeedOp,
  sendOp,
  recvOp,
  asyncStartOp,
  asyncDoneOp,
  runParallelOp,
  shardingConstraintOp,
  manualComputationOp,
  // control
  ifOp,
  caseOp,
  whileOp,
  callOp,
  compositeOp,
  customCallOp,
  optimizationBarrierOp,
  returnOp,
  sdyReturnOp,
  funcReturnOp,
  // test programs
  check.expectEqConstOp,
  check.expectAlmostEqConstOp,
  check.expectEqOp,
  check.expectAlmostEqOp,
  check.expectCloseOp,
  check.expectSerializedEqOp,
  check.probeOp,
  arithConstantOp,
]

/** Every op by its full name. */
export const catalogue: ReadonlyMap<string, OpDefinition> = new Map(definitions.map((definition) => [definition.name, definition]))
