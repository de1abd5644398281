import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { InputError } from '../ir/errors.ts'
import { type BackendName, startSession } from '../program/start.ts'
import { isDeviceBuffer } from '../program/session.ts'
import { Generator } from '../train/generate.ts'
import { samplingSchema } from '../train/sampling.ts'
import { flatten } from '../trace/tree.ts'
import { type CheckpointSelection, readCheckpointModel } from './checkpoint-model.ts'

export interface TextGeneration extends CheckpointSelection {
  readonly prompt?: string
  /** `-` is standard input. */
  readonly promptFile?: string
  readonly tokens: number
  readonly temperature: number
  readonly topK?: number
  readonly topP?: number
  readonly seed: number
  readonly ignoreEnd?: boolean
  readonly backend: BackendName
  readonly signal?: AbortSignal
  readonly onPrompt?: (done: number, total: number) => void
  /** Told what was drawn, whole characters at a time. */
  readonly onText?: (text: string) => void
}

export interface GeneratedText {
  readonly checkpoint: string
  readonly step: number
  readonly promptTokens: number
  readonly ids: readonly number[]
  readonly text: string
  /** `end`: the model ended the document. */
  readonly reason: 'tokens' | 'end' | 'interrupted'
  readonly tokensPerSecond: number
}

/** Goes on with a text from the checkpoint that `path` means. Throws `TrainError`, `InputError`, `DataError`. */
export async function generateText(path: string, options: TextGeneration): Promise<GeneratedText> {
  const bytes = await promptBytes(options)
  const { checkpoint, manifest, trained, tokenizer, spec, parameters: arrays } = await readCheckpointModel(path, options)
  const prompt = tokenizer.encode(bytes)
  const { temperature, topK, topP } = options
  const session = await startSession(options.backend)
  try {
    const parameters = session.put(arrays)
    const generator = await Generator.create(session, trained, spec, samplingSchema.parse({ temperature, topK, topP }))
    const ids: number[] = []
    const decoder = new TextDecoder()
    let text = ''
    const tell = (piece: string): void => {
      text += piece
      options.onText?.(piece)
    }
    let firstAt: number | undefined
    for await (const id of generator.generate(parameters, prompt, { ...options, endOfDocument: options.ignoreEnd ? undefined : tokenizer.endOfDocument })) {
      firstAt ??= performance.now()
      ids.push(id)
      if (id < tokenizer.vocabularySize) tell(decoder.decode(tokenizer.decode([id]), { stream: true }))
    }
    tell(decoder.decode())
    const seconds = (performance.now() - (firstAt ?? performance.now())) / 1000
    for (const leaf of flatten(parameters, isDeviceBuffer, 'the parameters').leaves) leaf.release()
    const reason = options.signal?.aborted ? 'interrupted' : ids.at(-1) === tokenizer.endOfDocument && !options.ignoreEnd ? 'end' : 'tokens'
    return { checkpoint, step: manifest.step, promptTokens: prompt.length, ids, text, reason, tokensPerSecond: ids.length > 1 ? (ids.length - 1) / seconds : 0 }
  } finally {
    await session.close()
  }
}

async function promptBytes({ prompt, promptFile }: TextGeneration): Promise<Uint8Array> {
  if ((prompt === undefined) === (promptFile === undefined)) throw new InputError('give the prompt by --prompt or by --prompt-file, one of the two', 'INPUT_PROMPT')
  if (prompt !== undefined) return new TextEncoder().encode(prompt)
  if (promptFile === '-') return buffer(process.stdin)
  try {
    return await readFile(promptFile!)
  } catch (error) {
    throw new InputError(`the prompt ${promptFile} cannot be read: ${(error as Error).message}`, 'INPUT_PROMPT', error)
  }
}
