use super::*;
use crate::http::{
    Detail,
    status::{Forward, Outcome},
};
use ::http::HeaderName;
use proptest::prelude::*;

fn page() -> StoredPage {
    StoredPage::new(StatusCode::OK, vec![html()], "<p>all work and no play</p>".repeat(100).into()).compress()
}

fn html() -> (HeaderName, HeaderValue) {
    (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))
}

fn facts() -> Facts {
    Facts {
        mode: Mode::Isr,
        age_seconds: Some(3),
        lifetime: Lifetime::Shared { fresh: 60, stale: 540 },
        cache_status: CacheStatus::hit(57),
    }
}

fn request(headers: &[(&'static str, &str)]) -> HeaderMap {
    headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect()
}

/// Every header of an answer, one a line, in order of their names.
fn lines(response: &Response<Bytes>) -> String {
    let mut lines: Vec<_> = response
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    lines.sort();
    lines.join("\n")
}

fn value<'a>(response: &'a Response<Bytes>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[test]
fn a_hit_carries_exactly_what_the_contract_says() {
    let page = page();
    let answer = respond(&Method::GET, &request(&[("accept-encoding", "br")]), &page, facts());
    let body = page.body(Coding::Brotli);
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.body(), &body.bytes);
    let expected = format!(
        "accept-ranges: bytes\n\
         age: 3\n\
         cache-control: public, max-age=0, s-maxage=60, stale-while-revalidate=540\n\
         cache-status: tropos; hit; ttl=57\n\
         cdn-cache-control: max-age=60, stale-while-revalidate=540, stale-if-error=540\n\
         content-encoding: br\n\
         content-length: {}\n\
         content-type: text/html; charset=utf-8\n\
         etag: {}\n\
         vary: accept-encoding",
        body.bytes.len(),
        body.etag.to_str().unwrap(),
    );
    assert_eq!(lines(&answer), expected);
}

#[test]
fn each_coding_has_its_own_body_tag_and_length() {
    let page = page();
    let mut tags = Vec::new();
    for coding in Coding::ALL {
        let answer = respond(&Method::GET, &request(&[("accept-encoding", coding.as_str())]), &page, facts());
        let named = coding.content_encoding();
        assert_eq!(answer.headers().get(header::CONTENT_ENCODING), named.as_ref());
        assert_eq!(value(&answer, "content-length"), answer.body().len().to_string());
        tags.push(value(&answer, "etag").to_owned());
        let again =
            request(&[("accept-encoding", coding.as_str()), ("if-none-match", value(&answer, "etag"))]);
        assert_eq!(respond(&Method::GET, &again, &page, facts()).status(), 304);
    }
    tags.dedup();
    assert_eq!(tags.len(), 4);
    let other = request(&[("accept-encoding", "gzip"), ("if-none-match", &tags[0])]);
    assert_eq!(
        respond(&Method::GET, &other, &page, facts()).status(),
        200,
        "the client has it in another coding"
    );
}

#[test]
fn head_equals_get_without_the_body() {
    let page = page();
    let etag = page.body(Coding::Identity).etag.to_str().unwrap().to_owned();
    for headers in [vec![], vec![("accept-encoding", "gzip")], vec![("if-none-match", &*etag)]] {
        let (get, head) = (
            respond(&Method::GET, &request(&headers), &page, facts()),
            respond(&Method::HEAD, &request(&headers), &page, facts()),
        );
        assert_eq!((get.status(), lines(&get)), (head.status(), lines(&head)));
        assert!(head.body().is_empty());
    }
    let ranged = respond(&Method::HEAD, &request(&[("range", "bytes=0-4")]), &page, facts());
    assert_eq!(
        (ranged.status(), value(&ranged, "content-range")),
        (StatusCode::OK, ""),
        "HEAD has no ranges"
    );
}

#[test]
fn not_modified_has_validators_and_lifetimes_and_nothing_of_the_body() {
    let page = page();
    let etag = page.body(Coding::Identity).etag.clone();
    let answer = respond(&Method::GET, &request(&[("if-none-match", "*")]), &page, facts());
    assert_eq!(answer.status(), 304);
    assert!(answer.body().is_empty());
    let expected = format!(
        "age: 3\n\
         cache-control: public, max-age=0, s-maxage=60, stale-while-revalidate=540\n\
         cache-status: tropos; hit; ttl=57\n\
         cdn-cache-control: max-age=60, stale-while-revalidate=540, stale-if-error=540\n\
         etag: {}\n\
         vary: accept-encoding",
        etag.to_str().unwrap(),
    );
    assert_eq!(lines(&answer), expected);
}

#[test]
fn a_range_is_cut_from_the_coding_that_was_chosen() {
    let page = page();
    for coding in [Coding::Identity, Coding::Gzip] {
        let body = page.body(coding);
        let etag = body.etag.to_str().unwrap();
        let asked =
            request(&[("accept-encoding", coding.as_str()), ("range", "bytes=5-9"), ("if-range", etag)]);
        let answer = respond(&Method::GET, &asked, &page, facts());
        assert_eq!(answer.status(), 206);
        assert_eq!(answer.body(), &body.bytes.slice(5..10));
        assert_eq!(value(&answer, "content-range"), format!("bytes 5-9/{}", body.bytes.len()));
        assert_eq!(value(&answer, "content-length"), "5");
        assert_eq!(value(&answer, "etag"), etag);
        assert_eq!(value(&answer, "vary"), "accept-encoding");
        assert_eq!(answer.headers().get(header::CONTENT_ENCODING), coding.content_encoding().as_ref());
    }
}

#[test]
fn what_cannot_be_satisfied_is_refused_and_not_kept() {
    let page = page();
    let answer = respond(&Method::GET, &request(&[("range", "bytes=9999999-")]), &page, facts());
    assert_eq!(answer.status(), 416);
    let length = page.body(Coding::Identity).bytes.len();
    assert_eq!(
        lines(&answer),
        format!(
            "cache-control: no-store\ncache-status: tropos; hit; ttl=57\ncontent-length: 0\ncontent-range: bytes */{length}"
        )
    );
    let failed =
        respond(&Method::GET, &request(&[("if-match", "\"x\""), ("range", "bytes=0-1")]), &page, facts());
    assert_eq!(
        (failed.status(), value(&failed, "cache-control")),
        (StatusCode::PRECONDITION_FAILED, "no-store")
    );
}

#[test]
fn redirects_and_missing_pages_go_out_whole_whatever_the_conditions() {
    let location = (header::LOCATION, HeaderValue::from_static("/new"));
    let miss = CacheStatus::miss(Forward::UriMiss, Outcome::Stored);
    for (status, headers) in
        [(StatusCode::PERMANENT_REDIRECT, vec![location]), (StatusCode::NOT_FOUND, vec![html()])]
    {
        let page = StoredPage::new(status, headers, "gone".into());
        let asked = request(&[("if-none-match", "*"), ("if-match", "\"x\""), ("range", "bytes=0-0")]);
        let answer = respond(&Method::GET, &asked, &page, Facts { cache_status: miss, ..facts() });
        assert_eq!((answer.status(), answer.body().as_ref()), (status, &b"gone"[..]));
        assert_eq!(value(&answer, "etag"), "");
        let locations = answer.headers().get_all("location").iter().count();
        assert_eq!(locations, usize::from(status == StatusCode::PERMANENT_REDIRECT));
    }
}

#[test]
fn age_is_told_of_isr_pages_alone() {
    let page = page();
    let age = |mode, age_seconds| {
        let answer = respond(&Method::GET, &HeaderMap::new(), &page, Facts { mode, age_seconds, ..facts() });
        value(&answer, "age").to_owned()
    };
    assert_eq!(age(Mode::Isr, Some(0)), "0");
    assert_eq!(age(Mode::Isr, None), "");
    assert_eq!(age(Mode::Ssg, Some(99_999_999)), "");
}

#[test]
fn a_stale_hit_says_so_and_its_age_uses_up_the_lifetime() {
    let stale = CacheStatus::Hit { ttl: -3, detail: Some(Detail::Stale) };
    let facts = Facts { age_seconds: Some(63), cache_status: stale, ..facts() };
    let answer = respond(&Method::GET, &HeaderMap::new(), &page(), facts);
    assert_eq!(value(&answer, "age"), "63");
    assert_eq!(value(&answer, "cache-status"), "tropos; hit; ttl=-3; detail=stale");
    assert!(value(&answer, "cache-control").contains("s-maxage=60"));
}

#[test]
fn a_pages_own_words_stand() {
    let own = |name: HeaderName, value| (name, HeaderValue::from_static(value));
    let headers = vec![html(), own(header::CACHE_CONTROL, "public, max-age=5"), own(header::VARY, "x-a")];
    let page = StoredPage::new(StatusCode::OK, headers, "a".into());
    for (headers, status) in [(vec![], 200), (vec![("if-none-match", "*")], 304)] {
        let answer = respond(&Method::GET, &request(&headers), &page, facts());
        assert_eq!(answer.status(), status);
        assert_eq!(
            answer.headers().get_all("cache-control").iter().collect::<Vec<_>>(),
            ["public, max-age=5"]
        );
        assert_eq!(value(&answer, "cdn-cache-control"), "");
        assert_eq!(answer.headers().get_all("vary").iter().collect::<Vec<_>>(), ["x-a", "accept-encoding"]);
    }
}

proptest! {
    #[test]
    fn parts_put_together_are_the_whole(cut in 1usize..2699, accept in prop::sample::select(vec!["br", "gzip", ""])) {
        let page = page();
        let get = |range: String| respond(&Method::GET, &request(&[("accept-encoding", accept), ("range", &range)]), &page, facts());
        let whole = respond(&Method::GET, &request(&[("accept-encoding", accept)]), &page, facts()).into_body();
        prop_assume!(cut < whole.len());
        let both = [get(format!("bytes=0-{}", cut - 1)).into_body(), get(format!("bytes={cut}-")).into_body()].concat();
        prop_assert_eq!(both, whole.to_vec());
    }
}
