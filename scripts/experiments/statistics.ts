/** Values of one quantity, one for each seed, with their mean and spread. */
export interface Spread {
  readonly values: readonly number[]
  readonly mean: number
  /** Standard deviation of a sample; 0 for a single value. */
  readonly deviation: number
}

export function spread(values: readonly number[]): Spread {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return { values, mean, deviation: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 }
}

/** By what share each value is below that of the same seed in `base`: 0.03 is three percent less. */
export const gainOver = (values: readonly number[], base: readonly number[]): Spread => spread(values.map((value, i) => 1 - value / base[i]))
