import fc from 'fast-check'
import { assert, describe, expect, test } from 'vitest'
import { createBatchStream, createEvaluationStream } from '../../src/data/packing.ts'
import { localReach, recallRole, recallTask } from '../../src/data/recall-task.ts'
import { thrownBy } from './temporary-folder.ts'

const parameters = fc.record({
  pairs: fc.integer({ min: 1, max: 12 }),
  minimumDistance: fc.integer({ min: 0, max: 90 }),
  practicePairs: fc.integer({ min: 0, max: 12 }),
  practiceSpread: fc.integer({ min: 0, max: 5 }),
  nameLength: fc.integer({ min: 1, max: 2 }),
  valueLength: fc.integer({ min: 1, max: 2 }),
  nameTokens: fc.integer({ min: 24, max: 30 }),
  valueTokens: fc.integer({ min: 2, max: 8 }),
  noiseTokens: fc.integer({ min: 1, max: 3 }),
  seed: fc.integer({ min: 0, max: 9 }),
})

describe('recall task', () => {
  test('every answer can be looked up at its distance, far ones beyond the minimum, near ones within the practice', () => {
    fc.assert(
      fc.property(parameters, fc.nat({ max: 50 }), (options, index) => {
        const task = recallTask(options)
        const { tokens, roles, distances } = task.document(index)
        const { nameLength, valueLength, pairs, practicePairs, practiceSpread } = options
        expect([tokens.length, roles.length]).toEqual([task.documentTokens, task.documentTokens])
        expect(Math.max(...tokens)).toBeLessThan(task.vocabularySize)
        expect(Math.min(...tokens)).toBeGreaterThan(0)
        expect(roles.filter((role) => role === recallRole.answer).length).toBe(task.answersPerDocument)
        expect(roles.filter((role) => role === recallRole.practice).length).toBe(practicePairs * valueLength)
        const answers = new Map<string, string>()
        const isName = (token: number): boolean => token >= 1 && token <= options.nameTokens
        const isValue = (token: number): boolean => token > options.nameTokens && token <= options.nameTokens + options.valueTokens
        for (let i = 0; i < tokens.length; ) {
          if (!isName(tokens[i])) {
            assert.equal(roles[i], recallRole.other)
            i++
            continue
          }
          const name = tokens.slice(i, i + nameLength)
          const value = tokens.slice(i + nameLength, i + nameLength + valueLength)
          expect(name.every(isName) && value.every(isValue)).toBe(true)
          const known = answers.get(String(name))
          for (let j = 0; j < valueLength; j++) {
            const place = i + nameLength + j
            expect(roles[place] === recallRole.other).toBe(known === undefined)
            if (known === undefined) continue
            expect(tokens[place - distances[place]]).toBe(tokens[place])
            if (roles[place] === recallRole.answer) assert.isAbove(distances[place], options.minimumDistance)
          }
          if (known !== undefined) assert.equal(String(value), known)
          answers.set(String(name), String(value))
          i += nameLength + valueLength
        }
        // Every name is bound once and asked once, so nothing near a question gives its answer away.
        expect(answers.size).toBe(pairs + practicePairs)
        const practice = distances.filter((_, i) => roles[i] === recallRole.practice)
        // Where the filler holds no noise, at most `spread` pairs are bound in between, and each may be asked for too.
        if (options.minimumDistance === 0) assert.isTrue(practice.every((d) => d <= (2 * practiceSpread + 1) * 2 * (nameLength + valueLength)))
      }),
    )
  })

  test('documents depend on seed and number alone, and differ', () => {
    const task = recallTask({ minimumDistance: 50 })
    expect(task.document(3)).toEqual(recallTask({ minimumDistance: 50 }).document(3))
    expect(task.document(3)).not.toEqual(task.document(4))
    expect(task.document(3)).not.toEqual(recallTask({ minimumDistance: 50, seed: 1 }).document(3))
  })

  test('a guess is right as often as chance says: values are even and independent', () => {
    const task = recallTask({ minimumDistance: 20, valueTokens: 8 })
    const counts = new Map<number, number>()
    for (let i = 0; i < 500; i++) {
      const { tokens, roles } = task.document(i)
      tokens.forEach((token, at) => roles[at] === recallRole.answer && counts.set(token, (counts.get(token) ?? 0) + 1))
    }
    const all = 500 * task.answersPerDocument
    expect(counts.size).toBe(8)
    for (const count of counts.values()) expect(count / all).toBeCloseTo(task.chance, 1)
  })

  test('packs for training and for measuring, so that the targets that count are the answers', () => {
    const task = recallTask({ minimumDistance: localReach({ layers: 2, segment: 16, cache: 16 }), pairs: 8, practicePairs: 6 })
    const options = { slots: 3, segment: 16, tokenizer: task.units }
    const sum = (weights: 'answers' | 'answers-and-practice' | 'all') => [...createEvaluationStream(task.documents(0, 5, weights), options)].reduce((n, batch) => n + batch.counts.tokens, 0)
    expect(sum('answers')).toBe(5 * 8)
    expect(sum('answers-and-practice')).toBe(5 * 14)
    expect(sum('all')).toBe(5 * (task.documentTokens - 1))
    const batch = createEvaluationStream(task.documents(0, 3, 'answers'), options)
    for (const { targets, weights, sources } of batch)
      for (let i = 0; i < weights.size; i++) {
        const source = sources[Math.floor(i / 16)]
        if (weights.data[i] === 0 || !source) continue
        const document = task.document(Number(source.document.split('/')[1]))
        const place = source.offset + (i % 16) + 1
        expect(document.roles[place]).toBe(recallRole.answer)
        expect(targets.data[i]).toBe(document.tokens[place])
      }
    expect(createBatchStream(task.documents(0, 4), options).piecesPerEpoch).toBe(4)
  })

  test('parameters that cannot be', async () => {
    const error = await thrownBy(() => recallTask({ minimumDistance: 9, pairs: 40, practicePairs: 30, nameTokens: 64 }))
    expect(error).toMatchObject({ name: 'DataError', code: 'DATA_OPTIONS' })
    expect(error.message).toBe('recall task: 40 pairs and 30 practice pairs need as many names, but 64 tokens in names of 1 give 64')
    expect((await thrownBy(() => recallTask({ minimumDistance: -1 }))).code).toBe('DATA_OPTIONS')
    expect((await thrownBy(() => recallTask({ minimumDistance: 9, nameTokens: 70000 }))).message).toContain('at most 65536')
    expect(recallTask({ minimumDistance: 9, pairs: 40, practicePairs: 30, nameTokens: 64, nameLength: 2 }).answersPerDocument).toBe(40)
  })
})
