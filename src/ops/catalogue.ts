import type { OpDefinition } from '../ir/op-definition.ts'
import * as arithmetic from './arithmetic.ts'
import * as bitwise from './bitwise.ts'
import { broadcastInDimOp } from './broadcast.ts'
import { compareOp } from './compare.ts'
import { constantOp } from './constant.ts'
import { dotGeneralOp, dotOp } from './dot-general.ts'
import * as binary from './elementwise-binary.ts'
import * as unary from './elementwise-unary.ts'
import { reduceOp } from './reduce.ts'
import { funcReturnOp, returnOp } from './return.ts'
import { clampOp, selectOp } from './select.ts'

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
  // constants and shape
  constantOp,
  broadcastInDimOp,
  // reductions
  reduceOp,
  dotGeneralOp,
  dotOp,
  // control
  returnOp,
  funcReturnOp,
]

/** Every op by its full name. */
export const catalogue: ReadonlyMap<string, OpDefinition> = new Map(definitions.map((definition) => [definition.name, definition]))
