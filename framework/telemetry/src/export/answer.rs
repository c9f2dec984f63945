//! What a collector says, as far as it is of interest.

use super::Sent;
use prost::Message;
use std::time::Duration;

/// The answer to either signal: `ExportTraceServiceResponse` and `ExportMetricsServiceResponse` differ in the names of their
/// fields alone, which are not sent.
#[derive(Clone, PartialEq, Message)]
struct Export {
    #[prost(message, optional, tag = "1")]
    partial: Option<Partial>,
}

#[derive(Clone, PartialEq, Message)]
struct Partial {
    /// Spans or data points that were refused.
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    message: String,
}

/// What was refused, by the body of an answer. A body that says nothing sensible refuses nothing.
pub(crate) fn partial(body: &[u8]) -> Sent {
    let partial = Export::decode(body).ok().and_then(|answer| answer.partial).unwrap_or_default();
    Sent { rejected: u64::try_from(partial.rejected).unwrap_or(0), note: short(&partial.message) }
}

/// `google.rpc.Status`, in the details of a gRPC status.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    delay: Option<Delay>,
}

#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// The delay of `RetryInfo` within the details of a gRPC status.
pub(crate) fn retry_info(details: &[u8]) -> Option<Duration> {
    let status = Status::decode(details).ok()?;
    let info = status.details.iter().find(|any| any.type_url.ends_with("/google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(info.value.as_slice()).ok()?.delay.unwrap_or_default();
    Some(Duration::new(u64::try_from(delay.seconds).unwrap_or(0), u32::try_from(delay.nanos).unwrap_or(0)))
}

/// The message of a failed answer over HTTP, which is a `google.rpc.Status`, or text that some proxy wrote.
pub(crate) fn message(body: &[u8]) -> String {
    match Status::decode(body) {
        Ok(status) if !status.message.is_empty() => short(&status.message),
        _ => short(&String::from_utf8_lossy(body)),
    }
}

/// At most 200 bytes of one line: it goes into a log.
pub(crate) fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.get(..line.floor_char_boundary(200)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_read_and_nonsense_refuses_nothing() {
        let body = Export { partial: Some(Partial { rejected: 3, message: "too old\nmore".into() }) };
        assert_eq!(partial(&body.encode_to_vec()), Sent { rejected: 3, note: "too old".into() });
        for nonsense in [&b""[..], b"{}", b"\xff\xff\xff"] {
            assert_eq!(partial(nonsense), Sent::default());
        }
    }

    #[test]
    fn the_delay_of_a_grpc_status_is_found_among_its_details() {
        let info = RetryInfo { delay: Some(Delay { seconds: 2, nanos: 500_000_000 }) };
        let other = Any { type_url: "type.googleapis.com/google.rpc.Help".into(), value: vec![1, 2] };
        let info =
            Any { type_url: "type.googleapis.com/google.rpc.RetryInfo".into(), value: info.encode_to_vec() };
        let with = Status { code: 8, details: vec![other.clone(), info], ..Status::default() };
        let without = Status { code: 8, details: vec![other], ..Status::default() };
        assert_eq!(retry_info(&with.encode_to_vec()), Some(Duration::from_millis(2_500)));
        assert_eq!(retry_info(&without.encode_to_vec()), None);
        assert_eq!(retry_info(b"nonsense"), None);
    }

    #[test]
    fn messages_are_one_short_line_be_they_a_status_or_a_text() {
        let status = Status { code: 3, message: "no such tenant".into(), details: Vec::new() };
        assert_eq!(message(&status.encode_to_vec()), "no such tenant");
        assert_eq!(message(b"<html>\n<body>"), "<html>");
        assert_eq!(message("é".repeat(400).as_bytes()).len(), 200);
    }
}
