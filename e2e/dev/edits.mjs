// Edits that both dev servers are given, in applications that have the same texts.
//
// `change` makes the nth state of a file, whatever state it is in; `seen` says whether a page shows the nth.

const swap = (pattern, to) => (text, n) => text.replace(pattern, typeof to === 'function' ? to(n) : to)

/** @type {{what: string, page: 'note' | 'write', loads: boolean, seen: (n: number) => (seen: any) => boolean,
 *   tropos: [string, (text: string, n: number) => string], next: [string, (text: string, n: number) => string]}[]} */
export const edits = [
  {
    what: 'a style sheet',
    page: 'note',
    seen: (n) => (seen) => seen.color === `rgb(${n}, 2, 3)`,
    tropos: ['public/style.css', (text, n) => `${text.replace(/\nbody \{ color: rgb.*/, '')}\nbody { color: rgb(${n}, 2, 3) }`],
    next: ['app/style.css', (text, n) => `${text.replace(/\nbody \{ color: rgb.*/, '')}\nbody { color: rgb(${n}, 2, 3) }`],
  },
  {
    what: 'a picture',
    page: 'note',
    seen: (n) => (seen) => seen.picture === 10 + n,
    tropos: ['public/picture.svg', swap(/width="\d+"/, (n) => `width="${10 + n}"`)],
    next: ['public/picture.svg', swap(/width="\d+"/, (n) => `width="${10 + n}"`)],
  },
  {
    what: 'a text of a page',
    page: 'note',
    seen: (n) => (seen) => seen.html.includes(`Written ${n} by `),
    tropos: ['src/pages/note.rs', swap(/Written (\d+ )?by /, (n) => `Written ${n} by `)],
    next: ['app/notes/[slug]/page.jsx', swap(/Written (\d+ )?by /, (n) => `Written ${n} by `)],
  },
  {
    what: 'an attribute',
    page: 'note',
    seen: (n) => (seen) => seen.html.includes(`title="${n}"`),
    tropos: ['src/pages/note.rs', swap(/<p class="quiet"[^>]*>/, (n) => `<p class="quiet" title="${n}">`)],
    next: ['app/notes/[slug]/page.jsx', swap(/<p className="quiet"[^>]*>/, (n) => `<p className="quiet" title="${n}">`)],
  },
  {
    what: 'the structure of a page',
    page: 'note',
    seen: (n) => (seen) => seen.html.includes(`<ul>${'<li>item</li>'.repeat(n)}</ul>`),
    tropos: ['src/pages/note.rs', swap(/(<ul>.*<\/ul>\s*)?<LikeButton/, (n) => `<ul>${'<li>"item"</li>'.repeat(n)}</ul>\n            <LikeButton`)],
    next: ['app/notes/[slug]/page.jsx', swap(/(<ul>.*<\/ul>\s*)?<LikeButton/, (n) => `<ul>${'<li>item</li>'.repeat(n)}</ul>\n        <LikeButton`)],
  },
  {
    what: 'a text of an island',
    page: 'note',
    seen: (n) => (seen) => seen.html.includes(`♥ ${n} `),
    tropos: ['src/islands.rs', swap(/♥ (\d+ )?/, (n) => `♥ ${n} `)],
    next: ['app/like.jsx', swap(/♥ (\d+ )?/, (n) => `♥ ${n} `)],
  },
  {
    what: 'logic of a page',
    page: 'note',
    loads: true,
    seen: (n) => (seen) => seen.html.includes(`(${n})</h1>`),
    tropos: ['src/pages/note.rs', swap(/<h1>\{.*\}<\/h1>/, (n) => `<h1>{format!("{} (${n})", note.title)}</h1>`)],
    next: ['app/notes/[slug]/page.jsx', swap(/<h1>\{.*\}<\/h1>/, (n) => `<h1>{\`\${note.title} (${n})\`}</h1>`)],
  },
  {
    what: 'logic of an island',
    page: 'note',
    loads: true,
    // Interactive again, not only rendered.
    seen: (n) => (seen) => new RegExp(`<output[^>]*>${n}0\\d\\d<`).test(seen.html) && seen.hydrated,
    tropos: ['src/islands.rs', swap(/<output>\{.*\}<\/output>/, (n) => `<output>{move || likes.get() + ${n}000}</output>`)],
    next: ['app/like.jsx', swap(/<output>\{.*\}<\/output>/, (n) => `<output>{likes + ${n}000}</output>`)],
  },
]

/** An error that the compiler finds in the one, and whoever runs the page in the other. */
export const broken = {
  tropos: ['src/pages/write.rs', (text) => text.replace('    view! {', '    nonsense();\n    view! {')],
  next: ['app/write/page.jsx', (text) => text.replace('  return', '  nonsense()\n  return')],
}

/** What was broken, as it was before. */
export const mended = (text) => text.replace(/ +nonsense\(\);?\n/, '')
