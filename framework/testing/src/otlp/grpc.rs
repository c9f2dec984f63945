//! The frame that gRPC puts around a message, and how it says what became of it.

use axum::body::Body;
use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use http_body::Frame;
use http_body_util::StreamBody;
use std::convert::Infallible;

/// The only message of a call, and whether it is compressed.
pub(super) fn message(body: &Bytes) -> Option<(bool, Bytes)> {
    let (head, _) = body.split_first_chunk::<5>()?;
    let [compressed, length @ ..] = *head;
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    (body.len() == 5 + length).then(|| (compressed == 1, body.slice(5..)))
}

/// An answer with this message.
pub(super) fn taken(message: &[u8]) -> Response<Body> {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or_default());
    framed.put_slice(message);
    let trailers =
        HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
    let frames = [Frame::data(framed.freeze()), Frame::trailers(trailers)];
    let frames = futures::stream::iter(frames.map(Ok::<_, Infallible>));
    grpc(Response::new(Body::new(StreamBody::new(frames))))
}

/// An answer that says this code, and when to come again.
pub(super) fn refused(code: i32, after_ms: Option<u64>) -> Response<Body> {
    let mut response = grpc(Response::new(Body::empty()));
    let headers = response.headers_mut();
    headers.insert("grpc-status", HeaderValue::from(code));
    headers.insert("grpc-message", HeaderValue::from_static("refused"));
    if let Some(after) = after_ms {
        // google.rpc.Status { details: [Any { RetryInfo { Duration } }] }
        let mut delay = number(1, after / 1000);
        delay.extend(number(2, after % 1000 * 1_000_000));
        let info = field(1, &delay);
        let mut any = field(1, b"type.googleapis.com/google.rpc.RetryInfo");
        any.extend(field(2, &info));
        let mut status = number(1, u64::try_from(code).unwrap_or_default());
        status.extend(field(3, &any));
        if let Ok(value) = HeaderValue::from_str(&base64(&status)) {
            headers.insert("grpc-status-details-bin", value);
        }
    }
    response
}

fn grpc(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// `partial_success` of either signal.
pub(super) fn partial(rejected: i64, why: &str) -> Vec<u8> {
    let mut partial = number(1, u64::try_from(rejected).unwrap_or_default());
    partial.extend(field(2, why.as_bytes()));
    field(1, &partial)
}

/// A field of protobuf with a length.
fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![tag << 3 | 2];
    varint(&mut out, bytes.len() as u64);
    out.extend_from_slice(bytes);
    out
}

/// A field of protobuf that is a number.
fn number(tag: u8, value: u64) -> Vec<u8> {
    let mut out = vec![tag << 3];
    varint(&mut out, value);
    out
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Without padding, as metadata has it.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32| DIGITS.get((bits & 63) as usize).map_or('=', |digit| char::from(*digit));
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        text.extend([18, 12, 6, 0].iter().take(chunk.len() + 1).map(|shift| digit(bits >> shift)));
    }
    text
}
