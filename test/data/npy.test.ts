import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readNpy, writeNpy } from '../../src/data/npy.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import { findPython } from '../../src/runner/python.ts'
import { temporaryFolder } from './temporary-folder.ts'

const arrays = [
  HostArray.from('f32', [[1.5, -2, NaN], [0, 1e-40, Infinity]]),
  HostArray.from('f64', 3.25),
  HostArray.from('f16', [0.5, 65504]),
  HostArray.from('i64', [-(2n ** 62n), 5n]),
  HostArray.from('u8', [[[1, 255]]]),
  HostArray.from('bool', [true, false]),
  HostArray.from('i32', []),
]

describe('npy files', () => {
  it('come back as they were written', async () => {
    const folder = temporaryFolder()
    for (const [i, array] of arrays.entries()) {
      const path = join(folder, `${i}.npy`)
      await writeNpy(path, array)
      const back = await readNpy(path)
      expect(back.type).toEqual(array.type)
      expect(back.data).toEqual(array.data)
    }
  })
  it('are those of NumPy', async () => {
    const folder = temporaryFolder()
    const path = join(folder, 'numpy.npy')
    execFileSync(findPython().command, ['-c', 'import numpy, sys; numpy.save(sys.argv[1], numpy.arange(6, dtype="int16").reshape(2, 3))', path])
    expect(await readNpy(path)).toEqual(HostArray.from('i16', [[0, 1, 2], [3, 4, 5]]))
    await writeNpy(path, HostArray.from('bf16', [1, 2.5]))
    expect(execFileSync(findPython().command, ['-c', 'import numpy, sys; a = numpy.load(sys.argv[1]); print(a.dtype, a.tolist())', path], { encoding: 'utf8' })).toBe('float32 [1.0, 2.5]\n')
  })
  it('that are none are refused', async () => {
    const folder = temporaryFolder()
    const path = join(folder, 'text.npy')
    writeFileSync(path, 'hello, this is text')
    await expect(readNpy(path)).rejects.toThrow(/not an npy file: expected the magic bytes/)
    await expect(readNpy(join(folder, 'missing.npy'))).rejects.toThrow(/does not exist/)
    writeFileSync(path, Buffer.concat([Buffer.from([0x93]), Buffer.from('NUMPY'), Buffer.from([1, 0, 255, 0]), Buffer.from('{')]))
    await expect(readNpy(path)).rejects.toMatchObject({ code: 'NPY_FORMAT' })
  })
})
