// Prints the ids of the cases that count, as a JSON list: those of kind "required" (which is the default) that are not
// for browsers alone. The suite about `Surrogate-Control`, a draft that no RFC took up, is not among these modules.
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const index = path.join(process.argv[2], 'tests', 'index.mjs')
const { default: suites } = await import(pathToFileURL(index))
const counts = test => (test.kind ?? 'required') === 'required' && !test.browser_only
console.log(JSON.stringify(suites.flatMap(suite => suite.tests).filter(counts).map(test => test.id)))
