import { describe, expect, it } from 'vitest'
import { BundleCounter } from '../../src/xla/bundles.ts'

const count = (text: string, pieces = [text.length]) => {
  const counter = new BundleCounter()
  let at = 0
  for (const size of pieces) counter.push(text.slice(at, (at += size)))
  counter.push(text.slice(at))
  return counter.finish()
}

const head = `= control target key start
LH: loop header
LB: loop body
= control target key end

     0   :  { %s1 = smov 0 }
`
/** A loop of `body` bundles; its last one branches back. */
const loop = (region: number, body: number, turns: number | undefined, options: { stage?: string; inner?: string } = {}) => `
  0x10   :  { %s2 = smov 0 }
  0x11 LB: > { %s3 = sadd.s32 1, %s2 } /* ${options.stage ?? ''} Start region ${region} */
${Array.from({ length: body - 2 }, () => '  0x12   : > { %v1 = vld [vmem:[#allocation0]] }').join('\n')}
${options.inner ?? ''}
${turns === undefined ? '' : `  %p = scmp.ge.s32.totalorder %s3, ${turns} /* loop exit test */\n`}  0x13   : > { %4 = sbr.rel (!%p) target = $region${region} } /* End region ${region} */
`

describe('BundleCounter', () => {
  it('counts a bundle a cycle', () => {
    expect(count(`${head}  0x1   :  { nop }\n  0x2 PF:  { nop }\n`)).toEqual({ cycles: 3, bundles: 3, unknownLoops: 0 })
    expect(count('')).toEqual({ cycles: 0, bundles: 0, unknownLoops: 0 })
  })

  it('counts the bundles of a loop as often as it turns', () => {
    expect(count(head + loop(7, 5, 10))).toEqual({ cycles: 2 + 5 * 10, bundles: 7, unknownLoops: 0 })
  })

  it('multiplies loops inside loops', () => {
    // The outer body: its head, one more, the inner loop (a bundle before it and 3 in it), its branch.
    expect(count(head + loop(7, 3, 4, { inner: loop(8, 3, 5) }))).toEqual({ cycles: 2 + 4 * (2 + 1 + 3 * 5 + 1), bundles: 9, unknownLoops: 0 })
  })

  it('leaves out the turns of a pipeline that are not the body\'s', () => {
    expect(count(head + loop(7, 5, 10, { stage: 'iteration index, stage = 0' })).cycles).toBe(2 + 5 * 9)
    expect(count(head + loop(7, 5, 10, { stage: 'stage = 1' })).cycles).toBe(2 + 5 * 8)
    expect(count(head + loop(7, 5, 1, { stage: 'stage = 1' })).cycles).toBe(2 + 5)
  })

  it('counts a loop once whose turns are not said, and says so', () => {
    expect(count(head + loop(7, 5, undefined))).toEqual({ cycles: 7, bundles: 7, unknownLoops: 1 })
    expect(count(`${head}  0x1 LB: > { nop } /* Start region 3 */\n`)).toEqual({ cycles: 2, bundles: 2, unknownLoops: 1 })
  })

  it('takes the text in any pieces', () => {
    const text = head + loop(7, 3, 4, { inner: loop(8, 3, 5) })
    expect(count(text, Array.from({ length: text.length }, () => 1))).toEqual(count(text))
    expect(count(text.trimEnd(), [10, 200])).toEqual(count(text))
  })
})
