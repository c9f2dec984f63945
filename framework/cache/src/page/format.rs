//! A page as bytes: `status u16 · etag u128 · headers · bodies · inlined`, numbers little-endian. The last part is left out
//! where nothing is inline, and is missing where the page was written before there was such a part.
//!
//! The entry around it has the version and the checksum, so that what arrives here is what was written; it is read as
//! if it were not.

use super::{ENCODED, Inlined, StoredPage, inlined};
use crate::http::is_kept;
use ::http::{HeaderName, HeaderValue, StatusCode};
use bytes::Bytes;
use std::sync::Arc;

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
    for list in page.inlined.iter().flat_map(|inlined| inlined.lists()) {
        let list = list.get(..inlined::MOST).unwrap_or(list);
        out.extend_from_slice(&(list.len() as u64).to_le_bytes());
        list.iter().for_each(|hash| put(out, hash.as_bytes()));
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
    let inlined = match input.0.is_empty() {
        true => None,
        false => Some(Arc::new(Inlined::new(input.texts()?, input.texts()?))),
    };
    input.0.is_empty().then(|| StoredPage::assemble(status, headers, etag, identity, encoded, inlined))
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

    fn texts(&mut self) -> Option<Vec<String>> {
        let count = usize::try_from(u64::from_le_bytes(self.array()?)).ok()?;
        let count = Some(count).filter(|count| *count <= inlined::MOST)?;
        (0..count).map(|_| Some(std::str::from_utf8(self.part()??).ok()?.to_owned())).collect()
    }
}
