// The scripts of live pages and islands, in Chromium.

import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { launch } from './chromium.mjs'
import { listen, refuse, send, sending } from './live-server.mjs'

let browser, server, page, errors

before(async () => {
  browser = await launch()
})
after(() => browser?.close())

beforeEach(async () => {
  server = await listen()
  page = await browser.newPage()
  errors = []
  page.on('pageerror', (error) => errors.push(String(error)))
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()))
})
afterEach(async () => {
  await page.close()
  server.close()
})

/** Opens a page with this body, with `morph` at hand. */
async function open(body) {
  server.page = body
  await page.goto(server.url)
  await page.evaluate(async () => {
    globalThis.live = await import('/live.js')
    globalThis.$ = (selector) => document.querySelector(selector)
  })
}

const morph = (html) => page.evaluate((html) => live.morph(document.body, html), html)
const body = () => page.evaluate(() => document.body.innerHTML.replaceAll(' data-tropos-changed=""', ''))

describe('morph makes the page what it is told', () => {
  const table = [
    ['a text changes', '<p>1</p>', '<p>2</p>'],
    ['a text comes', '<p></p>', '<p>2</p>'],
    ['a text goes', '<p>1</p>', '<p></p>'],
    ['attributes come, change and go', '<p class="a" lang="en">x</p>', '<p class="b" title="t">x</p>'],
    ['an attribute with a name that only the parser takes', '<p>x</p>', '<p @click="a" :x="1" a"b="2">x</p>'],
    ['elements come', '<ul></ul>', '<ul><li>1</li><li>2</li></ul>'],
    ['elements go', '<ul><li>1</li><li>2</li><li>3</li></ul>', '<ul><li>2</li></ul>'],
    ['an element becomes another', '<p>x</p>', '<b>x</b>'],
    ['all goes', '<p>x</p><p>y</p>', ''],
    ['comments between texts', 'a<!>b', 'a<!---->c<!---->b'],
    ['elements change places', '<i id="a">1</i><i id="b">2</i><i id="c">3</i>', '<i id="c">3</i><i id="a">1</i><i id="b">2</i>'],
    ['an id goes from one to another', '<i id="a">1</i><b id="b">2</b>', '<i id="b">1</i><b id="a">2</b>'],
    ['an id occurs twice', '<i id="a">1</i><i id="a">2</i>', '<i id="a">3</i><i id="a">4</i><i id="a">5</i>'],
    ['text and elements mixed', 'a<b>1</b>b<b>2</b>c', '<b>2</b>x<b>3</b>a<i>4</i>'],
    ['rows of a table', '<table><tbody><tr><td>1</td></tr></tbody></table>', '<table><tbody><tr><td>0</td></tr><tr><td>1</td></tr></tbody></table>'],
    ['a drawing', '<svg viewBox="0 0 1 1"><path d="M0 0"></path></svg>', '<svg viewBox="0 0 2 2"><use xlink:href="#a"></use><path d="M1 1"></path></svg>'],
    ['a template', '<template><p>1</p></template>', '<template><p>2</p><p>3</p></template>'],
    ['quotes and entities', '<p title="a">b</p>', '<p title="&quot;&lt;&amp;">&lt;script&gt; &amp; "</p>'],
    ['beyond the basic plane', '<p>😀</p>', '<p>😁𝄞</p>'],
    ['a style', '<style>p { color: red }</style>', '<style>p { color: blue }</style>'],
    ['options', '<select><option>a</option></select>', '<select><option>b</option><option selected="">a</option></select>'],
  ]
  for (const [name, from, to] of table) {
    test(name, async () => {
      await open(from)
      await morph(to)
      const expected = await page.evaluate((to) => {
        const template = document.createElement('template')
        template.innerHTML = to
        return template.innerHTML
      }, to)
      assert.equal(await body(), expected)
      await morph(from)
      await morph(to)
      assert.equal(await body(), expected, 'there and back')
    })
  }

  test('any page from any other', async () => {
    await open('')
    const wrong = await page.evaluate(() => {
      let seed = 1
      const random = (n) => (seed = (seed * 48271) % 2147483647) % n
      const make = (depth) => {
        let html = ''
        for (let i = random(5); i > 0; i--) {
          const tag = ['div', 'b', 'i', 'span'][random(4)]
          const id = random(3) ? '' : ` id="n${random(8)}"`
          html += random(3) || !depth ? 'text' + random(3) + '<!---->' : `<${tag}${id} lang="${random(3)}">${make(depth - 1)}</${tag}>`
        }
        return html
      }
      for (let i = 0; i < 500; i++) {
        const to = make(4)
        const template = document.createElement('template')
        template.innerHTML = to
        live.morph(document.body, to)
        document.querySelectorAll('[data-tropos-changed]').forEach((e) => e.removeAttribute('data-tropos-changed'))
        if (!document.body.isEqualNode(Object.assign(document.createElement('body'), { innerHTML: template.innerHTML })))
          return [i, to, document.body.innerHTML]
      }
    })
    assert.equal(wrong, undefined)
    assert.deepEqual(errors, [])
  })
})

describe('an element that is still there stays the same', () => {
  // `kept` is found before and after: the two must be one element.
  const table = [
    ['beside a text that changes', '<p>1</p><b>x</b>', '<p>2</p><b>x</b>', 'b'],
    ['when its text changes', '<p>1</p>', '<p>2</p>', 'p'],
    ['with its id, wherever among its siblings', '<p id="a">1</p><p id="b">2</p>', '<p id="c">0</p><p id="b">2!</p><p id="a">1!</p>', '#b'],
    ['with its content, when another is put before it', '<ul><li>a</li><li lang="x">b</li></ul>', '<ul><li>new</li><li>a</li><li lang="x">b</li></ul>', '[lang]'],
    ['with its content, when the one before it goes', '<ul><li>a</li><li lang="x">b</li></ul>', '<ul><li lang="x">b</li></ul>', '[lang]'],
    ['around an element with an id', '<div>a<i id="a">1</i></div><div lang="x">b<i id="b">2</i></div>', '<div lang="x">b!<i id="b">2!</i></div>', '[lang]'],
    ['a field by its name', '<input name="a"><input name="b">', '<input name="b" class="new">', '[name=b]'],
    ['an island by its component', '<leptos-island data-component="A"></leptos-island><leptos-island data-component="B"></leptos-island>', '<leptos-island data-component="B"></leptos-island>', '[data-component=B]'],
  ]
  for (const [name, from, to, kept] of table) {
    test(name, async () => {
      await open(from)
      await page.evaluate((kept) => (globalThis.old = $(kept)), kept)
      await morph(to)
      assert.ok(await page.evaluate((kept) => old === $(kept), kept))
    })
  }
})

describe('what the user has done stays', () => {
  const act = (action) => page.evaluate(action)
  const table = [
    {
      name: 'the focused field keeps its value and selection',
      from: '<p>1</p><input id="f" value="server">',
      act: () => { $('#f').focus(); $('#f').setSelectionRange(1, 3, 'backward') },
      to: '<p>2</p><input id="f" value="other">',
      see: () => [document.activeElement === $('#f'), $('#f').value, $('#f').selectionStart, $('#f').selectionEnd, $('#f').selectionDirection],
      expect: [true, 'server', 1, 3, 'backward'],
    },
    {
      name: 'the focused field keeps the focus when it moves',
      from: '<ul><li id="a">a</li><li id="b"><input value="x"></li></ul>',
      act: () => { $('input').focus(); $('input').value = 'typed'; $('input').setSelectionRange(2, 4) },
      to: '<ul><li id="b"><input value="x"></li><li id="c">c</li><li id="a">a</li></ul>',
      see: () => [document.activeElement === $('input'), $('input').value, $('input').selectionStart, $('input').selectionEnd],
      expect: [true, 'typed', 2, 4],
    },
    {
      name: 'an edited field keeps its value without the focus',
      from: '<input value="a"><textarea>b</textarea>',
      act: () => { $('input').value = 'mine'; $('textarea').value = 'mine too' },
      to: '<input value="c"><textarea>d</textarea>',
      see: () => [$('input').value, $('textarea').value, $('input').defaultValue, $('textarea').defaultValue],
      expect: ['mine', 'mine too', 'c', 'd'],
    },
    {
      name: 'a field that the user left alone takes the new value',
      from: '<input value="a"><textarea>b</textarea><input type="checkbox"><select><option>x<option>y</select>',
      act: () => { $('input').value = 'z'; $('input').value = 'a' },
      to: '<input value="c"><textarea>d</textarea><input type="checkbox" checked><select><option>x<option selected>y</select>',
      see: () => [$('input').value, $('textarea').value, $('[type=checkbox]').checked, $('select').value],
      expect: ['c', 'd', true, 'y'],
    },
    {
      name: 'a colour and a range that the user left alone take the new value',
      from: '<input type="color"><input type="range">',
      act: () => {},
      to: '<input type="color" value="#ff0000"><input type="range" value="7">',
      see: () => [$('[type=color]').value, $('[type=range]').value],
      expect: ['#ff0000', '7'],
    },
    {
      name: 'checks that the user set or cleared',
      from: '<input type="checkbox" id="a"><input type="checkbox" id="b" checked><input type="radio" name="r" value="1" checked><input type="radio" name="r" value="2">',
      act: () => { $('#a').click(); $('#b').click(); $('[value="2"]').click(); $('#a').blur(); document.activeElement.blur() },
      to: '<input type="checkbox" id="a" class="x"><input type="checkbox" id="b" checked class="x"><input type="radio" name="r" value="1" checked class="x"><input type="radio" name="r" value="2" class="x">',
      see: () => [$('#a').checked, $('#b').checked, $('[value="1"]').checked, $('[value="2"]').checked, $('#a').className],
      expect: [true, false, false, true, 'x'],
    },
    {
      name: 'a choice, also when options come and go',
      from: '<select><option>a</option><option>b</option><option>c</option></select>',
      act: () => { $('select').value = 'c' },
      to: '<select><option>new</option><option selected>b</option><option>c</option></select>',
      see: () => $('select').value,
      expect: 'c',
    },
    {
      name: 'a choice that is no more becomes the default',
      from: '<select><option>a</option><option>b</option></select>',
      act: () => { $('select').value = 'b' },
      to: '<select><option>a</option><option selected>c</option></select>',
      see: () => $('select').value,
      expect: 'c',
    },
    {
      name: 'several choices',
      from: '<select multiple><option selected>a</option><option>b</option><option>c</option></select>',
      act: () => { $('select').options[2].selected = true },
      to: '<select multiple><option selected>a</option><option selected>b</option><option>c</option></select>',
      see: () => [...$('select').selectedOptions].map((o) => o.value),
      expect: ['a', 'c'],
    },
    {
      name: 'a file that was chosen',
      from: '<input type="file">',
      act: () => {
        const files = new DataTransfer()
        files.items.add(new File(['x'], 'mine.txt'))
        $('input').files = files.files
      },
      to: '<input type="file" class="x">',
      see: () => [$('input').files[0]?.name, $('input').className],
      expect: ['mine.txt', 'x'],
    },
    {
      name: 'details that the user opened or closed',
      from: '<details id="a"><p>1</p></details><details id="b" open><p>1</p></details>',
      act: () => { live.morph(document.body, document.body.innerHTML); $('#a').open = true; $('#b').open = false },
      to: '<details id="a"><p>2</p></details><details id="b" open><p>2</p></details>',
      see: () => [$('#a').open, $('#b').open, $('#a p').textContent],
      expect: [true, false, '2'],
    },
    {
      name: 'scrolling, of a box and of the page',
      from: '<div id="box" style="height:50px;overflow:auto"><p style="height:500px">1</p></div><p style="height:5000px"></p>',
      act: () => { $('#box').scrollTop = 100; scrollTo(0, 300) },
      to: '<div id="box" style="height:50px;overflow:auto"><p style="height:500px">2</p></div><p style="height:5000px"></p>',
      see: () => [$('#box').scrollTop, scrollY],
      expect: [100, 300],
    },
    {
      name: 'what is being written in an editable element',
      from: '<div contenteditable="true" id="e">a</div>',
      act: () => { $('#e').focus(); $('#e').textContent = 'mine' },
      to: '<div contenteditable="true" id="e">b</div>',
      see: () => $('#e').textContent,
      expect: 'mine',
    },
    {
      name: 'an element that is marked to be kept, whether or not the server knows it',
      from: '<p>1</p><div data-tropos-keep id="map"></div>',
      act: () => {
        $('#map').innerHTML = '<i>drawn</i>'
        document.body.insertAdjacentHTML('beforeend', '<div data-tropos-keep class="toast">note</div>')
      },
      to: '<p>2</p><div data-tropos-keep id="map"></div><div>new</div>',
      see: () => [$('#map').innerHTML, $('.toast')?.textContent, $('p').textContent, document.body.innerText.includes('new')],
      expect: ['<i>drawn</i>', 'note', '2', true],
    },
  ]
  for (const { name, from, act: action, to, see, expect } of table) {
    test(name, async () => {
      await open(from)
      await act(action)
      await morph(to)
      assert.deepEqual(await page.evaluate(see), expect)
      assert.deepEqual(errors, [])
    })
  }

  test('the focused field keeps the focus when it moves, where the browser cannot move an element in place', async () => {
    await open('<i id="a"></i><i id="b"><input></i>')
    await page.evaluate(() => {
      delete Element.prototype.moveBefore
      $('input').focus()
      $('input').value = 'typed'
      $('input').setSelectionRange(2, 4)
    })
    await morph('<i id="b"><input></i><i id="a"></i>')
    const see = () => [document.activeElement === $('input'), $('input').selectionStart, $('input').selectionEnd]
    assert.deepEqual(await page.evaluate(see), [true, 2, 4])
  })

  test('details follow the server until the user touches them', async () => {
    await open('')
    await morph('<details>1</details>')
    await morph('<details open>1</details>')
    assert.ok(await page.evaluate(() => $('details').open))
  })

  test('a focused field that the user did not edit takes the new value once the focus is gone', async () => {
    await open('<input value="a">')
    await page.focus('input')
    assert.equal(await morph('<input value="b">'), true, 'something waits')
    assert.equal(await page.inputValue('input'), 'a')
    await page.evaluate(() => document.activeElement.blur())
    assert.equal(await morph('<input value="b">'), false)
    assert.equal(await page.inputValue('input'), 'b')
  })

  test('a focused field that the user goes on to edit is the user’s', async () => {
    await open('<input value="a">')
    await page.focus('input')
    await morph('<input value="b">')
    await page.keyboard.type('x')
    await page.evaluate(() => document.activeElement.blur())
    await morph('<input value="c">')
    assert.match(await page.inputValue('input'), /x/)
  })
})

test('scripts are not run', async () => {
  await open('<script>globalThis.ran = ["first"]</script>')
  await morph('<script>globalThis.ran = ["changed"]</script><script>ran.push("inline")</script><div><script type="module">ran.push("module")</script><script src="data:text/javascript,ran.push(1)"></script></div>')
  await page.waitForTimeout(100)
  assert.deepEqual(await page.evaluate(() => ran), ['first'])
})

test('what has changed is marked for a second, and nothing else', async () => {
  await open('<main data-at="1"><p id="a">1</p><p id="b">x</p><ul><li>1</li></ul><hr lang="a"></main>')
  await page.evaluate(() => {
    globalThis.events = []
    document.addEventListener('tropos:changed', (event) => events.push(event.target.id || event.target.localName))
  })
  await morph('<main data-at="2"><p id="a">2</p><p id="b">x</p><ul><li>1</li><li>2</li></ul><hr lang="b"></main>')
  assert.deepEqual(await page.evaluate(() => events.sort()), ['a', 'hr', 'li'])
  const marked = () => page.evaluate(() => [...document.querySelectorAll('[data-tropos-changed]')].map((e) => e.localName))
  assert.deepEqual(await marked(), ['p', 'li', 'hr'])
  await page.waitForFunction(() => !$('[data-tropos-changed]'), null, { timeout: 3000 })
})

describe('islands', () => {
  const counter = (props, text = '') =>
    `<leptos-island data-component="Counter" data-props="${props}"><button>${text}</button></leptos-island>`
  const calls = () => page.evaluate(() => globalThis.calls)

  async function openWithIslands(html) {
    server.head = '<script type="module" src="/islands.js" data-tropos-islands data-script="app.js" data-wasm="app.wasm"></script>'
    await open(html)
    await page.waitForSelector('html[data-tropos-hydrated]', { state: 'attached' })
  }

  test('are hydrated once each, the outer before the inner, each under its own children', async () => {
    await openWithIslands(
      '<leptos-island data-component="Outer"><leptos-children><leptos-island data-component="Inner"></leptos-island></leptos-children></leptos-island>' +
        '<leptos-island data-component="Inner"></leptos-island>',
    )
    const expected = ['init /app.wasm', 'hydrate', 'Outer', 'children of Outer', 'Inner', 'Inner']
    assert.deepEqual(await calls(), expected)
    await page.evaluate(() => __tropos.hydrate(document.body))
    assert.deepEqual(await calls(), expected)
  })

  test('one that throws, and one that the module lacks, do not stop the others', async () => {
    await openWithIslands(
      '<leptos-island data-component="Broken"></leptos-island><leptos-island data-component="Missing"></leptos-island>' + counter(7),
    )
    assert.equal(await page.textContent('button'), '7')
    assert.equal(errors.length, 2)
    assert.match(errors[0], /Broken.*on purpose/s)
    assert.match(errors[1], /Missing/)
  })

  /** What the page's server was told, once there are so many reports. */
  async function reports(count) {
    for (let tries = 0; tries < 100 && server.reports.length < count; tries += 1)
      await new Promise((resolve) => setTimeout(resolve, 20))
    return server.reports
  }

  test('report what nothing has caught, each once and five a page at most', async () => {
    await openWithIslands('<leptos-island data-component="Broken"></leptos-island>')
    const [island] = await reports(1)
    assert.deepEqual([island.source, island.name, island.message], ['island', 'Error', 'on purpose'])
    await page.evaluate(() => history.replaceState(null, '', '/?planted=1#planted'))
    await page.evaluate(() => {
      setTimeout(() => missing.field)
      setTimeout(() => missing.field)
      Promise.reject(new RangeError('too far'))
    })
    await reports(3)
    const seen = server.reports.slice(1).map(({ source, name }) => `${source} ${name}`).sort()
    assert.deepEqual(seen, ['error ReferenceError', 'rejection RangeError'])
    for (const report of server.reports) {
      assert.equal(report.path, '/')
      assert.equal(report.type, 'application/json')
      assert.equal(report.traceparent, server.trace)
      assert.ok(!JSON.stringify(report).includes('planted'))
    }
    assert.match(server.reports[1].stack, /\n/)
    await page.evaluate(() => [...Array(20).keys()].forEach((number) => Promise.reject(new Error(`no. ${number}`))))
    await reports(5)
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.equal(server.reports.length, 5)
  })

  test('that panic are reported once, with the message and the stack of the trap', async () => {
    await openWithIslands('<leptos-island data-component="Panicking"><button></button></leptos-island>')
    await page.click('button')
    const [report] = await reports(1)
    await new Promise((resolve) => setTimeout(resolve, 400))
    assert.equal(server.reports.length, 1)
    assert.deepEqual([report.source, report.name], ['panic', 'RuntimeError'])
    assert.match(report.message, /panicked at src\/islands.rs:7:9: on purpose/)
    assert.match(report.stack, /wasm-function/)
  })

  test('keep their element and state while their properties are the same', async () => {
    await openWithIslands('<p>1</p>' + counter(1))
    await page.click('button')
    await page.evaluate(() => (globalThis.old = $('button')))
    await morph('<p>2</p><p>new</p>' + counter(1))
    assert.ok(await page.evaluate(() => old === $('button')))
    assert.equal(await page.textContent('button'), '2')
    await page.click('button')
    assert.equal(await page.textContent('button'), '3')
    assert.deepEqual((await calls()).slice(2), ['Counter 1'])
  })

  test('are replaced and hydrated with other properties', async () => {
    await openWithIslands(counter(1))
    await page.click('button')
    await page.evaluate(() => document.activeElement.blur())
    assert.equal(await morph(counter(5)), false)
    await page.waitForFunction(() => $('button').textContent === '5')
    await page.click('button')
    assert.equal(await page.textContent('button'), '6')
  })

  test('wait with other properties until the focus is elsewhere', async () => {
    await openWithIslands(counter(1))
    await page.focus('button')
    assert.equal(await morph(counter(5)), true, 'something waits')
    assert.equal(await page.textContent('button'), '1')
    await page.evaluate(() => document.activeElement.blur())
    assert.equal(await morph(counter(5)), false)
    await page.waitForFunction(() => $('button').textContent === '5')
  })

  test('that come with a change are hydrated', async () => {
    await openWithIslands('<p>1</p>')
    await morph('<p>1</p><section>' + counter(3) + counter(4) + '</section>')
    await page.waitForFunction(() => calls.length === 4)
    assert.deepEqual((await calls()).slice(2), ['Counter 3', 'Counter 4'])
  })

  test('show the newest content of the server within them, and keep what is theirs', async () => {
    const outer = (text) =>
      `<leptos-island data-component="Outer"><b>own</b><leptos-children><p>${text}</p>${counter(1)}</leptos-children></leptos-island>`
    await openWithIslands(outer('1'))
    await page.click('button')
    await page.evaluate(() => ($('b').textContent = 'changed by the island'))
    await morph(outer('2'))
    assert.equal(await page.textContent('p'), '2')
    assert.equal(await page.textContent('b'), 'changed by the island')
    assert.equal(await page.textContent('button'), '2')
  })

  test('that come within an island see its context', async () => {
    const outer = (html) => `<leptos-island data-component="Outer"><leptos-children>${html}</leptos-children></leptos-island>`
    await openWithIslands(outer(''))
    await morph(outer('<leptos-island data-component="Inner"></leptos-island>'))
    await page.waitForFunction(() => calls.includes('Inner'))
    assert.deepEqual((await calls()).slice(2), ['Outer', 'children of Outer', 'Inner'])
  })
})

describe('the stream', () => {
  const follow = async (html) => {
    server.head = '<meta name="tropos-live" content="/stream?since=v0"><script type="module" src="/live.js"></script>'
    server.page = html
    await page.goto(server.url)
  }
  const shows = (text) => page.waitForFunction((text) => document.body.textContent === text, text, { timeout: 5000 })

  test('brings the whole and then splices, also behind characters of two units', async () => {
    server.stream = sending(
      { v: 'v1', html: '<p>😀é𝄞</p><b>1</b>' },
      { v: 'v2', base: 'v1', at: '<p>😀é𝄞</p><b>'.length, del: 1, ins: '😁2' },
      { v: 'v3', base: 'v2', at: 3, del: '😀é𝄞'.length, ins: '𝄢' },
    )
    await follow('<p>0</p>')
    await shows('𝄢😁2')
    assert.deepEqual(server.requests, [{ query: '?since=v0', lastEventId: undefined }])
    assert.equal(await page.getAttribute('html', 'data-tropos-live'), 'open')
    assert.deepEqual(errors, [])
  })

  test('is opened again by the browser with the last version, and goes on from there', async () => {
    server.stream = (response, number) => {
      if (number > 1) return sending({ v: 'v2', base: 'v1', at: 3, del: 1, ins: '2' })(response)
      sending({ v: 'v1', html: '<p>1</p>' })(response)
      setTimeout(() => response.end(), 100)
    }
    await follow('<p>0</p>')
    await shows('2')
    assert.equal(server.requests[1].lastEventId, 'v1')
  })

  test('is opened again from nothing after a splice on a version that the page does not hold', async () => {
    server.stream = (response, number) =>
      number === 1
        ? sending({ v: 'v1', html: '<p>1</p>' }, { v: 'v3', base: 'v2', at: 0, del: 99, ins: 'wrong' })(response)
        : sending({ v: 'v3', html: '<p>3</p>' }, { v: 'v4', base: 'v3', at: 3, del: 1, ins: '4' })(response)
    await follow('<p>0</p>')
    await shows('4')
    assert.deepEqual(server.requests[1], { query: '', lastEventId: undefined })
  })

  test('is opened again from nothing after a message that cannot be read', async () => {
    server.stream = (response, number) => {
      sending()(response)
      if (number === 1) response.write('data: {"v":\n\n')
      else send(response, { v: 'v1', html: '<p>1</p>' })
    }
    await follow('<p>0</p>')
    await shows('1')
    assert.deepEqual(server.requests[1], { query: '', lastEventId: undefined })
  })

  test('is tried again, later each time, where the server refuses it, and keeps what the page holds', async () => {
    const times = []
    server.stream = (response, number) => {
      times.push(performance.now())
      if (number === 1) {
        sending({ v: 'v1', html: '<p>1</p>' })(response)
        setTimeout(() => response.end(), 100)
      } else if (number < 6) refuse(response)
      else sending({ v: 'v2', base: 'v1', at: 3, del: 1, ins: '2' })(response)
    }
    await follow('<p>0</p>')
    await shows('2')
    assert.deepEqual(server.requests.at(-1), { query: '?base=v1', lastEventId: undefined })
    const gaps = times.slice(2).map((time, i) => time - times[i + 1])
    for (const [i, gap] of gaps.entries()) assert.ok(gap >= 100 * 2 ** i && gap < 400 * 2 ** i + 500, gaps.join())
  })

  test('lets an unedited field wait until the focus is gone', async () => {
    let stream
    server.stream = (response) => sending()((stream = response))
    await follow('<input value="a">')
    await page.waitForSelector('html[data-tropos-live=open]', { state: 'attached' })
    await page.focus('input')
    send(stream, { v: 'v1', html: '<input value="b"><p>1</p>' })
    await page.waitForSelector('p')
    assert.equal(await page.inputValue('input'), 'a')
    await page.evaluate(() => document.activeElement.blur())
    await page.waitForFunction(() => document.querySelector('input').value === 'b', null, { timeout: 3000 })
  })

  test('keeps what was typed while changes arrive', async () => {
    let stream
    server.stream = (response) => sending()((stream = response))
    const html = (n) => `<p>${n}</p><form><input name="q" value="start"></form>`
    await follow(html(0))
    await page.waitForSelector('html[data-tropos-live=open]', { state: 'attached' })
    await page.focus('input')
    await page.keyboard.press('End')
    for (let n = 1; n <= 20; n++) {
      send(stream, { v: `v${n}`, html: html(n) })
      await page.keyboard.type(String.fromCharCode(96 + n))
    }
    await page.waitForFunction(() => document.querySelector('p').textContent === '20')
    assert.equal(await page.inputValue('input'), 'startabcdefghijklmnopqrst')
  })

  test('is closed as the page is left, and opened again as it comes back', async () => {
    server.stream = (response, number) =>
      sending(number === 1 ? { v: 'v1', html: '<p>1</p>' } : { v: 'v2', base: 'v1', at: 3, del: 1, ins: '2' })(response)
    await follow('<p>0</p>')
    await shows('1')
    const leave = (type) => page.evaluate((type) => dispatchEvent(new PageTransitionEvent(type, { persisted: true })), type)
    await leave('pagehide')
    assert.equal(await page.getAttribute('html', 'data-tropos-live'), 'closed')
    await leave('pageshow')
    await shows('2')
    assert.equal(server.requests[1].query, '?base=v1')
  })

  test('is not opened by a page that names none', async () => {
    server.head = '<script type="module" src="/live.js"></script>'
    server.page = '<p>0</p>'
    await page.goto(server.url)
    await page.waitForTimeout(100)
    assert.deepEqual([server.requests, errors], [[], []])
  })
})
