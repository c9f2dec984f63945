//! Reads an event stream.

use crate::{
    check::{Problem, fail},
    client::{Client, Request, Streaming},
};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// The last id that the stream has told, as a browser keeps it.
    pub id: Option<String>,
    /// The kind, `message` unless told.
    pub kind: String,
    /// The lines of data, joined.
    pub data: String,
}

/// The rules of the HTML standard, "interpreting an event stream".
#[derive(Debug, Default)]
pub struct Parser {
    buffer: Vec<u8>,
    last_id: Option<String>,
    kind: String,
    data: Option<String>,
}

impl Parser {
    /// Adds bytes and takes the events that are whole now.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Event> {
        self.buffer.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            events.extend(self.line(line.trim_end_matches(['\n', '\r'])));
        }
        events
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let kind = std::mem::take(&mut self.kind);
            let data = self.data.take()?;
            let kind = if kind.is_empty() { "message".to_owned() } else { kind };
            return Some(Event { id: self.last_id.clone(), kind, data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" if !value.contains('\0') => self.last_id = Some(value.to_owned()),
            "event" => self.kind = value.to_owned(),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            _ => {}
        }
        None
    }
}

/// An open event stream.
#[derive(Debug)]
pub struct Events {
    stream: Streaming,
    parser: Parser,
    read: usize,
    ready: std::collections::VecDeque<Event>,
}

impl Events {
    /// Opens the stream at `path`, after the event with the id `last`.
    ///
    /// # Errors
    /// When the answer is not an event stream.
    pub async fn open(http: &Client, path: &str, last: Option<&str>) -> Result<Self, Problem> {
        let mut request = Request::get(path).with("Accept", "text/event-stream");
        if let Some(last) = last {
            request = request.with("Last-Event-ID", last);
        }
        let stream = http.open(&request).await?;
        stream.head.is(200)?;
        if !stream.head.need("content-type")?.starts_with("text/event-stream") {
            return fail(format!(
                "{}: Content-Type is {:?}",
                stream.head.request,
                stream.head.header("content-type")
            ));
        }
        Ok(Self { stream, parser: Parser::default(), read: 0, ready: Default::default() })
    }

    /// The headers of the answer.
    pub fn head(&self) -> &crate::page::Page {
        &self.stream.head
    }

    /// The next event; `None` when `patience` runs out or the stream ends.
    ///
    /// # Errors
    /// When the stream breaks off.
    pub async fn next(&mut self, patience: Duration) -> Result<Option<Event>, Problem> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            match timeout_at(deadline, self.stream.more()).await {
                Err(_) | Ok(Ok(false)) => return Ok(None),
                Ok(Err(problem)) => return Err(problem),
                Ok(Ok(true)) => {
                    let new = self.stream.head.body.get(self.read..).unwrap_or_default();
                    self.ready.extend(self.parser.push(new));
                    self.read = self.stream.head.body.len();
                }
            }
        }
    }

    /// The first event from now on whose data contains `text`.
    ///
    /// # Errors
    /// When none comes in five seconds.
    pub async fn containing(&mut self, text: &str) -> Result<Event, Problem> {
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut seen = Vec::new();
        while let Some(event) = self.next(deadline.saturating_duration_since(Instant::now())).await? {
            if event.data.contains(text) {
                return Ok(event);
            }
            seen.push(event);
        }
        fail(format!("{}: no event contains {text:?} within 5 s; seen: {seen:?}", self.stream.head.request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: Option<&str>, kind: &str, data: &str) -> Event {
        Event { id: id.map(Into::into), kind: kind.into(), data: data.into() }
    }

    #[test]
    fn events_are_whole_however_the_bytes_are_cut() {
        let text = "retry: 500\n: hello\n\nid: 7\nevent: diff\ndata: a\r\ndata:b\n\ndata\n\nid\ndata: é: x\n\nevent: none\n\ndata: torn";
        let expected = [
            event(Some("7"), "diff", "a\nb"),
            event(Some("7"), "message", ""),
            event(Some(""), "message", "é: x"),
        ];
        for size in 1..=text.len() {
            let mut parser = Parser::default();
            let events: Vec<_> = text.as_bytes().chunks(size).flat_map(|piece| parser.push(piece)).collect();
            assert_eq!(events, expected, "in pieces of {size}");
        }
    }
}
