import { EngramError } from '../ir/errors.ts'

/** The name of a generation of TPUs, as libtpu and `--target tpu:NAME:SHAPE` spell it. */
export type TpuGenerationName = 'v2' | 'v3' | 'v4' | 'v5e' | 'v5p' | 'v6e' | 'tpu7x'

/** What is known of the chips of a generation; sizes and speeds are of a whole chip. */
export interface TpuGeneration {
  readonly name: TpuGenerationName
  /** Devices that a program sees of one chip; they share its memory and its speed evenly. */
  readonly devicesPerChip: 1 | 2
  readonly hbmBytesPerChip: number
  /** Bytes a second between the chip and its HBM. */
  readonly hbmBytesPerSecond: number
  /** bf16 operations a second at best. */
  readonly peakFlops: number
  /** Cycles a second; published up to v4 and for v5e, otherwise what the peak and the number of matrix units come to. */
  readonly clockHz: number
  /** Shapes that can be had, in chips. */
  readonly shapes: readonly string[]
}

const GiB = 2 ** 30
const flat = (...more: string[]) => ['1x1', '2x2', ...more]
const cubes = ['1x1x1', '2x2x1', '2x2x2', '2x2x4', '2x4x4', '4x4x4', '4x4x8', '4x8x8', '8x8x8', '8x8x16', '8x16x16']

/**
 * Every generation that libtpu 0.0.42 compiles for.
 * Source: cloud.google.com/tpu/docs, the pages of each version; Norrie et al., "The Design Process for Google's Training Chips", 2021 (v2, v3).
 */
export const tpuGenerations: Readonly<Record<TpuGenerationName, TpuGeneration>> = {
  v2: generation('v2', 2, 16, 700e9, 46e12, 0.7e9, flat('4x4', '4x8', '8x8', '8x16', '16x16')),
  v3: generation('v3', 2, 32, 900e9, 123e12, 0.94e9, flat('4x4', '4x8', '8x8', '8x16', '16x16', '16x32', '32x32')),
  v4: generation('v4', 2, 32, 1228e9, 275e12, 1.05e9, cubes),
  v5e: generation('v5e', 1, 16, 819e9, 197e12, 1.5e9, flat('2x4', '4x4', '4x8', '8x8', '8x16', '16x16')),
  v5p: generation('v5p', 1, 95, 2765e9, 459e12, 1.75e9, [...cubes, '16x16x16']),
  v6e: generation('v6e', 1, 32, 1640e9, 918e12, 1.75e9, flat('2x4', '4x4', '4x8', '8x8', '8x16', '16x16')),
  tpu7x: generation('tpu7x', 2, 192, 7380e9, 2307e12, 2.2e9, cubes),
}

function generation(
  name: TpuGenerationName,
  devicesPerChip: 1 | 2,
  hbmGiB: number,
  hbmBytesPerSecond: number,
  peakFlops: number,
  clockHz: number,
  shapes: readonly string[],
): TpuGeneration {
  return { name, devicesPerChip, hbmBytesPerChip: hbmGiB * GiB, hbmBytesPerSecond, peakFlops, clockHz, shapes }
}

/** TPUs to compile for. */
export interface Topology {
  /** `v5e:2x2` */
  readonly name: string
  readonly generation: TpuGeneration
  readonly chips: number
  readonly devices: number
  /** Chips of a host along each axis, where libtpu's own number does not fit: a single chip. */
  readonly chipsPerHost: readonly number[] | undefined
  /** What one device has: the chip's share. */
  readonly device: {
    readonly hbmBytes: number
    readonly hbmBytesPerSecond: number
    readonly peakFlops: number
    readonly clockHz: number
  }
}

/** A topology that does not exist. The message lists those that do. */
export class TopologyError extends EngramError {
  override readonly name = 'TopologyError'
  constructor(message: string) {
    super(message, { code: 'UNKNOWN_TOPOLOGY' })
  }
}

/** Names that are in use elsewhere for a generation. */
const otherNames: Readonly<Record<string, TpuGenerationName>> = {
  v5lite: 'v5e', v5litepod: 'v5e', v5: 'v5p', v6: 'v6e', v6lite: 'v6e', trillium: 'v6e', v7: 'tpu7x', v7x: 'tpu7x', '7x': 'tpu7x', tpuv7: 'tpu7x', ironwood: 'tpu7x',
}

const examples = Object.values(tpuGenerations).map(({ name, shapes }) => `${name}:${shapes[1]}`).join(', ')

/** The topology that a name says, `v5e:2x2`; `v5e:1x1` is a single chip. Throws `TopologyError`. */
export function parseTopology(text: string): Topology {
  const [given, shape, ...rest] = text.trim().toLowerCase().split(':')
  const known = Object.hasOwn(tpuGenerations, given) ? tpuGenerations[given as TpuGenerationName] : undefined
  if (known === undefined) {
    const meant = Object.hasOwn(otherNames, given) ? otherNames[given] : undefined
    const shapes = meant && tpuGenerations[meant].shapes
    const hint = meant ? `the name is ${meant}: ${meant}:${shape !== undefined && shapes?.includes(shape) ? shape : shapes?.[1]}` : `expected one of ${examples}`
    throw new TopologyError(`there is no TPU topology ${JSON.stringify(text)}: ${hint}`)
  }
  const { name, shapes, devicesPerChip } = known
  // Two axes for a generation of three: the third is one chip.
  const whole = shape !== undefined && shapes[0] === '1x1x1' && /^\d+x\d+$/.test(shape) ? `${shape}x1` : shape
  if (whole === undefined || rest.length > 0 || !shapes.includes(whole))
    throw new TopologyError(
      `there is no TPU topology ${JSON.stringify(text)}: ${name} comes as ${shapes.map((one) => `${name}:${one}`).join(', ')}`,
    )
  const chips = whole.split('x').reduce((product, size) => product * Number(size), 1)
  return {
    name: `${name}:${whole}`,
    generation: known,
    chips,
    devices: chips * devicesPerChip,
    chipsPerHost: chips === 1 ? [1, 1, 1] : undefined,
    device: {
      hbmBytes: known.hbmBytesPerChip / devicesPerChip,
      hbmBytesPerSecond: known.hbmBytesPerSecond / devicesPerChip,
      peakFlops: known.peakFlops / devicesPerChip,
      clockHz: known.clockHz,
    },
  }
}
