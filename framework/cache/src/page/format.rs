//! A page as bytes: `status u16 · etag u128 · headers · bodies`, numbers little-endian.
//!
//! The entry around it has the version and the checksum, so that what arrives here is what was written; it is read as
//! if it were not.

use super::{ENCODED, StoredPage};
use crate::http::is_kept;
use ::http::{HeaderName, HeaderValue, StatusCode};
use bytes::Bytes;

/// More headers than this were never written.
const MOST_HEADERS: u32 = 1024;

/// What stands in place of a length where an encoding does not exist.
const ABSENT: u64 = u64::MAX;

pub(super) fn encode(page: &StoredPage, out: &mut Vec<u8>) {
    out.extend_from_slice(&page.status.as_u16().to_le_bytes());
    out.extend_from_slice(&page.etag.to_le_bytes());
    let headers = page.headers.iter().take(MOST_HEADERS as usize);
    out.extend_from_slice(&u32::try_from(headers.len()).unwrap_or(MOST_HEADERS).to_le_bytes());
    for (name, value) in headers {
        put(out, name.as_str().as_bytes());
        put(out, value.as_bytes());
    }
    put(out, &page.identity.bytes);
    for body in &page.encoded {
        match body {
            Some(body) => put(out, &body.bytes),
            None => out.extend_from_slice(&ABSENT.to_le_bytes()),
        }
    }
}

fn put(out: &mut Vec<u8>, part: &[u8]) {
    out.extend_from_slice(&(part.len() as u64).to_le_bytes());
    out.extend_from_slice(part);
}

pub(super) fn decode(bytes: &[u8]) -> Option<StoredPage> {
    let mut input = Input(bytes);
    let status = StatusCode::from_u16(u16::from_le_bytes(input.array()?)).ok()?;
    let etag = u128::from_le_bytes(input.array()?);
    let count = u32::from_le_bytes(input.array()?);
    let mut headers = Vec::new();
    for _ in 0..Some(count).filter(|count| *count <= MOST_HEADERS)? {
        let name = HeaderName::from_bytes(input.part()??).ok()?;
        let value = HeaderValue::from_bytes(input.part()??).ok()?;
        is_kept(&name).then(|| headers.push((name, value)))?;
    }
    let identity = Bytes::copy_from_slice(input.part()??);
    let mut encoded = ENCODED.map(|_| None);
    for body in &mut encoded {
        *body = input.part()?.map(Bytes::copy_from_slice);
    }
    input.0.is_empty().then(|| StoredPage::assemble(status, headers, etag, identity, encoded))
}

/// What is left to read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    /// `Some(None)` where the part is absent.
    fn part(&mut self) -> Option<Option<&'a [u8]>> {
        let length = u64::from_le_bytes(self.array()?);
        if length == ABSENT {
            return Some(None);
        }
        let (part, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(Some(part))
    }
}
