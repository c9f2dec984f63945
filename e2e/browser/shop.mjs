// What a visitor does in the storefront, in Chromium.

/** Orders what lies in the visitor's basket, and waits for the receipt. */
export async function checkOut(page) {
  await page.goto('/basket')
  await page.fill('.checkout input[name=name]', 'A reader')
  await page.fill('.checkout input[name=email]', 'reader@example.org')
  await page.fill('.checkout [name=address]', 'Some Street 1')
  await page.click('.checkout button')
  await page.waitForURL(/\/order\//)
}
