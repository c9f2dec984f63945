use super::*;
use crate::http::CDN_CACHE_CONTROL;
use proptest::prelude::*;
use std::io::Read;

fn html() -> (HeaderName, HeaderValue) {
    (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))
}

fn page(body: impl Into<Bytes>) -> StoredPage {
    StoredPage::new(StatusCode::OK, vec![html()], body.into())
}

fn all(page: &StoredPage) -> Vec<(Coding, Bytes)> {
    Coding::ALL
        .into_iter()
        .filter(|c| page.codings().has(*c))
        .map(|c| (c, page.body(c).bytes.clone()))
        .collect()
}

#[test]
fn every_encoding_decodes_to_the_plain_body() {
    let plain = "<p>all work and no play</p>".repeat(200);
    let page = page(plain.clone()).compress();
    let encodings = all(&page);
    assert_eq!(encodings.len(), 4);
    for (coding, bytes) in encodings {
        let mut out = Vec::new();
        match coding {
            Coding::Brotli => brotli::BrotliDecompress(&mut &*bytes, &mut out).unwrap(),
            Coding::Zstd => out = zstd::bulk::decompress(&bytes, 1 << 20).unwrap(),
            Coding::Gzip => _ = flate2::read::GzDecoder::new(&*bytes).read_to_end(&mut out).unwrap(),
            Coding::Identity => out = bytes.to_vec(),
        }
        assert_eq!(out, plain.as_bytes(), "{coding:?}");
    }
}

#[test]
fn encodings_that_save_nothing_are_not_kept() {
    let mut noise = vec![0; 4096];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    assert_eq!(all(&page(noise).compress()).len(), 1, "noise does not shrink");
    assert_eq!(all(&page("a".repeat(255)).compress()).len(), 1, "short");
    let png = (header::CONTENT_TYPE, HeaderValue::from_static("image/png"));
    assert_eq!(all(&StoredPage::new(StatusCode::OK, vec![png], "a".repeat(999).into()).compress()).len(), 1);
    let own = vec![html(), (header::CONTENT_ENCODING, HeaderValue::from_static("br"))];
    assert_eq!(all(&StoredPage::new(StatusCode::OK, own, "a".repeat(999).into()).compress()).len(), 1);
}

#[test]
fn the_entity_tag_is_strong_and_names_the_encoding() {
    let page = page("a".repeat(999)).compress();
    let base = format!("{:032x}", page.etag());
    for (coding, expected) in [
        (Coding::Identity, format!("\"{base}\"")),
        (Coding::Brotli, format!("\"{base}-br\"")),
        (Coding::Zstd, format!("\"{base}-zstd\"")),
        (Coding::Gzip, format!("\"{base}-gzip\"")),
    ] {
        assert_eq!(page.body(coding).etag, expected);
    }
}

#[test]
fn the_entity_tag_changes_with_status_headers_and_body_and_with_nothing_else() {
    let header = |name: &'static str, value: &'static str| {
        (HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    let etag = |status, headers, body: &'static str| StoredPage::new(status, headers, body.into()).etag();
    let base = etag(StatusCode::OK, vec![header("x-a", "b")], "c");
    assert_eq!(base, etag(StatusCode::OK, vec![header("x-a", "b")], "c"));
    assert_eq!(base, etag(StatusCode::OK, vec![header("x-a", "b"), header("set-cookie", "a=1")], "c"));
    for (name, other) in [
        ("status", etag(StatusCode::NOT_FOUND, vec![header("x-a", "b")], "c")),
        ("body", etag(StatusCode::OK, vec![header("x-a", "b")], "d")),
        ("value", etag(StatusCode::OK, vec![header("x-a", "bc")], "")),
        ("name", etag(StatusCode::OK, vec![header("x-ab", "")], "c")),
        ("headers", etag(StatusCode::OK, vec![], "c")),
    ] {
        assert_ne!(base, other, "{name}");
    }
}

#[test]
fn what_belongs_to_one_visitor_or_one_connection_is_not_stored() {
    let refused = [
        "set-cookie",
        "connection",
        "transfer-encoding",
        "age",
        "date",
        "etag",
        "content-length",
        "cache-status",
    ];
    let kept =
        ["content-type", "location", "link", "vary", "cache-control", "last-modified", "content-language"];
    let headers = refused
        .iter()
        .chain(&kept)
        .map(|name| (HeaderName::from_static(name), HeaderValue::from_static("x")));
    let page = StoredPage::new(StatusCode::OK, headers.collect(), Bytes::new());
    assert_eq!(page.headers().iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), kept);
}

#[test]
fn what_is_read_back_is_what_was_written() {
    let location = (header::LOCATION, HeaderValue::from_bytes(b"/caf\xe9").unwrap());
    for page in [
        page("a".repeat(999)).compress(),
        page("short"),
        StoredPage::new(StatusCode::PERMANENT_REDIRECT, vec![location], Bytes::new()),
    ] {
        let mut bytes = Vec::new();
        page.encode(&mut bytes);
        let read = StoredPage::decode(&bytes).unwrap();
        assert_eq!(
            (read.status(), read.headers(), read.etag()),
            (page.status(), page.headers(), page.etag())
        );
        assert_eq!(all(&read), all(&page));
        assert_eq!(read.weight(), page.weight());
        for end in 0..bytes.len() {
            assert!(StoredPage::decode(&bytes[..end]).is_none(), "cut at {end}");
        }
        bytes.push(0);
        assert!(StoredPage::decode(&bytes).is_none(), "one byte more");
    }
}

#[test]
fn the_weight_counts_every_encoding() {
    let plain = page("a".repeat(100_000));
    assert!(plain.weight() > 100_000);
    let bytes: usize = all(&plain.clone().compress()).iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(plain.compress().weight() > bytes);
}

#[test]
fn another_lifetime_than_the_first_is_not_answered_with_the_first() {
    let page = page("a");
    let first = Lifetime::Shared { fresh: 60, stale: 0 };
    assert_eq!(page.lifetime_headers(first).0, "public, max-age=0, s-maxage=60");
    assert_eq!(
        page.lifetime_headers(Lifetime::Private),
        (HeaderValue::from_static("private, no-cache"), None)
    );
    assert_eq!(page.lifetime_headers(first).1.unwrap(), "max-age=60", "{CDN_CACHE_CONTROL}");
}

proptest! {
    #[test]
    fn foreign_bytes_are_refused_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = StoredPage::decode(&bytes);
    }
}

fn inlined() -> Inlined {
    Inlined::new(vec!["sha256-YQ==".to_owned(), "sha256-Yg==".to_owned()], vec!["sha256-Yw==".to_owned()])
}

#[test]
fn what_stands_inline_is_kept_through_compression_and_the_store_and_is_a_part_of_the_entity_tag() {
    let plain = page("a".repeat(999));
    let noted = plain.clone().with_inlined(inlined());
    assert_ne!(noted.etag(), plain.etag());
    assert_eq!(plain.clone().with_inlined(Inlined::default()).etag(), plain.etag());
    for page in [noted.clone(), noted.clone().compress(), plain.compress().with_inlined(inlined())] {
        let mut bytes = Vec::new();
        page.encode(&mut bytes);
        let read = StoredPage::decode(&bytes).unwrap();
        assert_eq!((read.etag(), all(&read)), (noted.etag(), all(&page)));
        let read = read.inlined().unwrap();
        assert_eq!((read.scripts(), read.styles()), (inlined().scripts(), inlined().styles()));
        for end in bytes.len() - 40..bytes.len() {
            assert!(StoredPage::decode(&bytes[..end]).is_none(), "torn at {end}");
        }
        bytes.push(0);
        assert!(StoredPage::decode(&bytes).is_none());
    }
}

#[test]
fn a_page_that_was_written_before_inline_parts_were_noted_still_reads() {
    let mut old = Vec::new();
    old.extend_from_slice(&200_u16.to_le_bytes());
    old.extend_from_slice(&7_u128.to_le_bytes());
    old.extend_from_slice(&1_u32.to_le_bytes());
    for part in ["content-type", "text/html", "<p>a</p>"] {
        old.extend_from_slice(&(part.len() as u64).to_le_bytes());
        old.extend_from_slice(part.as_bytes());
    }
    for _ in ENCODED {
        old.extend_from_slice(&u64::MAX.to_le_bytes());
    }
    let read = StoredPage::decode(&old).unwrap();
    assert_eq!((read.etag(), &*read.body(Coding::Identity).bytes), (7, b"<p>a</p>".as_slice()));
    assert!(read.inlined().is_none());
    let mut again = Vec::new();
    read.encode(&mut again);
    assert_eq!(again, old, "a page without inline parts is written as ever");
}
