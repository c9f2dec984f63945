// An application's folder, as its author edits it.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export class Application {
  constructor(folder) {
    this.folder = folder
  }

  path(name) {
    return join(this.folder, name)
  }

  read(name) {
    return readFileSync(this.path(name), 'utf8')
  }

  /** Saves a file as editors do: beside, and then renamed. Returns when, by the clock of this process. */
  write(name, text) {
    const path = this.path(name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(`${path}~`, text)
    const at = performance.now()
    renameSync(`${path}~`, path)
    return at
  }

  /** Saves what `change` makes of a file. */
  edit(name, change) {
    const before = this.read(name)
    const after = change(before)
    if (after === before) throw new Error(`${name} does not hold what is to be edited`)
    return this.write(name, after)
  }
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
