//! The encodings of a page.

use super::StoredPage;
use crate::http::is_worth_compressing;
use ::http::header;
use bytes::Bytes;
use std::io::Write;

/// See [`StoredPage::compress`].
const BROTLI_QUALITY: i32 = 5;
const ZSTD_LEVEL: i32 = 3;
const GZIP_LEVEL: u32 = 6;

pub(super) fn compress(page: StoredPage) -> StoredPage {
    let content_type = page.header(&header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let plain = page.identity.bytes.clone();
    if page.header(&header::CONTENT_ENCODING).is_some() || !is_worth_compressing(content_type, plain.len()) {
        return page;
    }
    let smaller =
        |encoded: Option<Vec<u8>>| encoded.filter(|encoded| encoded.len() < plain.len()).map(Bytes::from);
    let encoded = [smaller(brotli(&plain)), smaller(zstd(&plain)), smaller(gzip(&plain))];
    StoredPage::assemble(page.status, page.headers, page.etag, plain, encoded, page.inlined)
}

// An encoder that fails leaves the page without its encoding, which costs bytes and nothing else.

fn brotli(plain: &[u8]) -> Option<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: BROTLI_QUALITY,
        size_hint: plain.len(),
        ..Default::default()
    };
    let mut out = Vec::with_capacity(plain.len() / 4);
    brotli::BrotliCompress(&mut &*plain, &mut out, &parameters).ok()?;
    out.shrink_to_fit();
    Some(out)
}

fn zstd(plain: &[u8]) -> Option<Vec<u8>> {
    let mut out = zstd::bulk::compress(plain, ZSTD_LEVEL).ok()?;
    out.shrink_to_fit();
    Some(out)
}

fn gzip(plain: &[u8]) -> Option<Vec<u8>> {
    let out = Vec::with_capacity(plain.len() / 4);
    // The header's time stays zero, so that equal pages have equal bytes.
    let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::new(GZIP_LEVEL));
    encoder.write_all(plain).ok()?;
    let mut out = encoder.finish().ok()?;
    out.shrink_to_fit();
    Some(out)
}
