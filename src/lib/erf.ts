import { customVjp } from '../autodiff/custom.ts'
import type { Tensor } from '../ir/module.ts'
import { divide, multiply, negate, subtract, add } from '../ops/arithmetic.ts'
import { compare } from '../ops/compare.ts'
import { abs, exponential, log, sign, sqrt } from '../ops/elementwise-unary.ts'
import { clamp, select } from '../ops/select.ts'
import { polynomial } from './polynomial.ts'
import { inWideType, needFloat } from './wide.ts'

/** The error function and its inverse as rational and polynomial approximations in plain ops; StableHLO has neither. */

// Odd rational approximation on [-limit, limit], beyond which f32 erf is 1. Source: Eigen, generic_fast_erf (5 ULP in f32).
const single = {
  limit: 3.832506856900711,
  numerator: [2.2905065861350646e-4, 3.4082910107109506e-3, 5.0955695062380861e-2, 1.8520832239976145e-1, 1.128379143519084],
  denominator: [-1.1791602954361697e-7, 2.3547966471313185e-5, 1.0179625278914885e-3, 1.4070470171167667e-2, 1.1098505178285362e-1, 4.9746925110067538e-1, 1],
}

// Source: Moshier, Cephes, ndtr.c: erf below 1 as x T(x^2)/U(x^2), above as 1 - exp(-x^2) P(x)/Q(x); beyond 6 it is 1 in f64.
const double = {
  t: [9.60497373987051638749, 9.00260197203842689217e1, 2.23200534594684319226e3, 7.00332514112805075473e3, 5.55923013010394962768e4],
  u: [1, 3.35617141647503099647e1, 5.21357949780152679795e2, 4.59432382970980127987e3, 2.26290000613890934246e4, 4.92673942608635921086e4],
  p: [2.46196981473530512524e-10, 5.64189564831068821977e-1, 7.46321056442269912687, 4.86371970985681366614e1, 1.96520832956077098242e2,
    5.26445194995477358631e2, 9.34528527171957607540e2, 1.02755188689515710272e3, 5.57535335369399327526e2],
  q: [1, 1.32281951154744992508e1, 8.67072140885989742329e1, 3.54937778887819891062e2, 9.75708501743205489753e2, 1.82390916687909736289e3,
    2.24633760818710981792e3, 1.65666309194161350182e3, 5.57535340817727675546e2],
}

function erfSingle(x: Tensor): Tensor {
  const inside = clamp(-single.limit, x, single.limit)
  const square = multiply(inside, inside)
  return clamp(-1, divide(multiply(inside, polynomial(square, single.numerator)), polynomial(square, single.denominator)), 1)
}

function erfDouble(x: Tensor): Tensor {
  // Squares of larger values would overflow the polynomials.
  const inside = clamp(-6, x, 6)
  const size = abs(inside)
  const square = multiply(inside, inside)
  const near = multiply(inside, divide(polynomial(square, double.t), polynomial(square, double.u)))
  const complement = multiply(exponential(negate(square)), divide(polynomial(size, double.p), polynomial(size, double.q)))
  return select(compare(size, 1, 'LT'), near, multiply(sign(inside), subtract(1, complement)))
}

/**
 * The error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to `x`: within 5 ULP in f32, 2 in f64; narrower floats in f32.
 * Its gradient is exact. Throws `OpError`.
 */
export function erf(x: Tensor): Tensor {
  needFloat('erf', x)
  return inWideType(x, erfRule)
}
const erfRule = customVjp(
  (x: Tensor) => [x.dtype === 'f64' ? erfDouble(x) : erfSingle(x), x],
  (x, d) => [multiply(d, multiply(exponential(negate(multiply(x, x))), 2 / Math.sqrt(Math.PI)))],
)

// Polynomials in w = -log(1 - x^2): centres, limits and coefficients. Source: Giles 2010, "Approximating the erfinv function", tables 1 to 3.
const inverseSingle = {
  near: [2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 2.1858087e-4, -1.25372503e-3, -4.17768164e-3, 2.46640727e-1, 1.50140941],
  far: [-2.00214257e-4, 1.00950558e-4, 1.34934322e-3, -3.67342844e-3, 5.73950773e-3, -7.6224613e-3, 9.43887047e-3, 1.00167406, 2.83297682],
}
const inverseDouble = {
  near: [-3.6444120640178196996e-21, -1.685059138182016589e-19, 1.2858480715256400167e-18, 1.115787767802518096e-17, -1.333171662854620906e-16,
    2.0972767875968561637e-17, 6.6376381343583238325e-15, -4.0545662729752068639e-14, -8.1519341976054721522e-14, 2.6335093153082322977e-12,
    -1.2975133253453532498e-11, -5.4154120542946279317e-11, 1.051212273321532285e-9, -4.1126339803469836976e-9, -2.9070369957882005086e-8,
    4.2347877827932403518e-7, -1.3654692000834678645e-6, -1.3882523362786468719e-5, 1.867342080340571352e-4, -7.4070253416626697512e-4,
    -6.0336708714301490533e-3, 2.4015818242558961693e-1, 1.6536545626831027356],
  middle: [2.2137376921775787049e-9, 9.0756561938885390979e-8, -2.7517406297064545428e-7, 1.8239629214389227755e-8, 1.5027403968909827627e-6,
    -4.013867526981545969e-6, 2.9234449089955446044e-6, 1.2475304481671778723e-5, -4.7318229009055733981e-5, 6.8284851459573175448e-5,
    2.4031110387097893999e-5, -3.550375203628474796e-4, 9.5328937973738049703e-4, -1.6882755560235047313e-3, 2.4914420961078508066e-3,
    -3.7512085075692412107e-3, 5.370914553590063617e-3, 1.0052589676941592334, 3.0838856104922207635],
  far: [-2.7109920616438573243e-11, -2.5556418169965252055e-10, 1.5076572693500548083e-9, -3.7894654401267369937e-9, 7.6157012080783393804e-9,
    -1.4960026627149240478e-8, 2.9147953450901080826e-8, -6.7711997758452339498e-8, 2.2900482228026654717e-7, -9.9298272942317002539e-7,
    4.5260625972231537039e-6, -1.9681778105531670567e-5, 7.5995277030017761139e-5, -2.1503011930044477347e-4, -1.3871931833623122026e-4,
    1.0103004648645343977, 4.8499064014085844221],
}

function inverse(x: Tensor): Tensor {
  // (1 - x)(1 + x) rather than 1 - x^2: exact where x is near 1.
  const w = negate(log(multiply(subtract(1, x), add(1, x))))
  const piece = (centre: number, coefficients: readonly number[]) => polynomial(subtract(w, centre), coefficients)
  const rootPiece = (centre: number, coefficients: readonly number[]) => polynomial(subtract(sqrt(w), centre), coefficients)
  const factor = x.dtype === 'f64'
    ? select(compare(w, 6.25, 'LT'), piece(3.125, inverseDouble.near),
        select(compare(w, 16, 'LT'), rootPiece(3.25, inverseDouble.middle), rootPiece(5, inverseDouble.far)))
    : select(compare(w, 5, 'LT'), piece(2.5, inverseSingle.near), rootPiece(3, inverseSingle.far))
  // At 1 and -1 the polynomials meet infinities of both signs.
  return select(compare(abs(x), 1, 'EQ'), multiply(x, Infinity), multiply(factor, x))
}

/**
 * The inverse of `erf` on [-1, 1], infinite at its ends and NaN outside; relative error below 1e-6 in f32, 1e-14 in f64; narrower floats in
 * f32. Throws `OpError`.
 */
export function erfInv(x: Tensor): Tensor {
  needFloat('erfInv', x)
  return inWideType(x, erfInvRule)
}
const erfInvRule = customVjp(
  (x: Tensor) => [inverse(x), x],
  (x, d): readonly [Tensor] => {
    const y = erfInv(x)
    return [multiply(d, multiply(exponential(multiply(y, y)), Math.sqrt(Math.PI) / 2))]
  },
)
